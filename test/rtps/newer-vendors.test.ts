import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { MessageReader, type SubmessageHandler } from '../../src/rtps/message-reader';
import { metatrafficMulticastPort } from '../../src/rtps/port-mapping';
import { Cast, encodeString, freshDomain, Inbox, RELIABLE, STRING } from './fixture';

const GROUP = '239.255.0.1';
const TOPIC = 'rt/chatter';
const WRITER = '00001203';
const READER = '00001304';

const hex = (...parts: string[]) => parts.join('').replaceAll(/\s/g, '');
const uint16 = (value: number) => Buffer.of(value & 0xff, value >> 8).toString('hex');
const uint32 = (value: number) => uint16(value & 0xffff) + uint16(value >>> 16);
const parameter = (pid: number, value: string) => {
  const padded = value.padEnd(Math.ceil(value.length / 8) * 8, '0');
  return uint16(pid) + uint16(padded.length / 2) + padded;
};
const octets = (value: Buffer) => uint32(value.length) + value.toString('hex');
const string = (value: string) => octets(Buffer.from(`${value}\0`));
const submessage = (id: string, flags: string, content: string) =>
  id + flags + uint16(content.length / 2) + content;
const locator = (kind: number, port: number) =>
  uint32(kind) + uint32(port) + '0'.repeat(24) + (kind === 1 ? '7f000001' : '00000000');
const SENTINEL = '01000000';
const list = (...parameters: string[]) => `00030000${parameters.join('')}${SENTINEL}`;
const data = (reader: string, writer: string, number: number, payload: string) =>
  submessage('15', '05', `00001000${reader}${writer}00000000${uint32(number)}${payload}`);
const heartbeat = (reader: string, writer: string, first: number, last: number, count: number) =>
  submessage('07', '01', `${reader}${writer}00000000${uint32(first)}00000000${uint32(last)}${uint32(count)}`);
const ackNack = (reader: string, writer: string, base: number, count: number, flags = '03') =>
  submessage('06', flags, `${reader}${writer}00000000${uint32(base)}00000000${uint32(count)}`);
const TIMESTAMP = submessage('09', '01', '0000006500000080');

/** What a newer version of a vendor sends otherwise than the version that the other tests run against. */
interface Dialect {
  readonly prefix: string;
  readonly header: string;
  readonly vendorId: number;
  /** INFO_DST before what is for the participant of that prefix. */
  destination(prefix: string): string;
  /** Before what everybody is to read. */
  readonly everybody: string;
  participantParameters(domain: number, metatraffic: number, user: number): string[];
  readonly endpointParameters: readonly string[];
  /** The base of the ACKNACK of a reader that has heard no HEARTBEAT. */
  readonly firstBase: number;
}

const DIALECTS: Record<string, Dialect> = {
  'Fast DDS 3.6': {
    prefix: '010f5a5a0102030400000000',
    header: '52545053 0203 010f',
    vendorId: 0x010f,
    destination: (prefix) => submessage('0e', '01', prefix),
    everybody: '',
    participantParameters: (domain, metatraffic, user) => [
      parameter(0x000f, uint32(domain)),
      // Its version; the set of its network's configurations; its own port.
      parameter(0x8000, '03060200'),
      parameter(0x8007, uint32(0x81)),
      parameter(0x800c, uint32(1)),
      parameter(0x0033, `${locator(1, 7400).slice(0, 40)}efff0001`),
      parameter(0x0032, locator(16, metatraffic)),
      parameter(0x0032, locator(1, metatraffic)),
      parameter(0x0031, locator(16, user)),
      parameter(0x0031, locator(1, user)),
      // With the type lookup service (bits 12 to 15).
      parameter(0x0058, uint32(0xfc3f)),
      parameter(0x0059, uint32(1) + string('PARTICIPANT_TYPE').padEnd(48, '0') + string('SIMPLE')),
    ],
    endpointParameters: [
      parameter(0x8007, uint32(0x81)),
      parameter(0x0075, '5c000000'.padEnd(184, 'ab')),
      parameter(0x0073, uint32(1) + uint16(0)),
    ],
    firstBase: 0,
  },
  'Cyclone DDS 11': {
    prefix: '01100a0b0c0d0e0f10111213',
    header: '52545053 0205 0110',
    vendorId: 0x0110,
    // GUIDPREFIX_UNKNOWN also where one participant is meant.
    destination: () => submessage('0e', '01', '0'.repeat(24)),
    everybody: submessage('0e', '01', '0'.repeat(24)),
    participantParameters: (_domain, metatraffic, user) => [
      parameter(0x0031, locator(1, user)),
      parameter(0x0032, locator(1, metatraffic)),
      parameter(0x0058, uint32(0x0c3f | 0xf000)),
      // Its version, in which the low octets of the id are those of the type name.
      parameter(0x8007, '00'.repeat(20) + string('host/11.0.1/Linux')),
      parameter(0x801c, uint32(1_048_576)),
    ],
    endpointParameters: [
      parameter(0x0075, '60000000'.padEnd(192, 'cd')),
      parameter(0x0073, uint32(1) + uint16(0)),
      parameter(0x0074, '0100 00 01 00 00 00'.replaceAll(' ', '')),
      parameter(0x8018, uint32(1)),
    ],
    firstBase: 1,
  },
};

/** The submessages that come to a socket, by their names, as `{name, ...fields}`. */
class Listener extends EventEmitter {
  readonly heard: Array<Record<string, unknown>> = [];
  readonly socket: Socket = createSocket('udp4');

  async open(): Promise<number> {
    this.socket.bind(0, '127.0.0.1');
    await once(this.socket, 'listening');
    const note = (name: string) => (_context: unknown, content: object) => {
      this.heard.push({ name, ...content });
    };
    const handler: SubmessageHandler = {
      accepts: () => true,
      data: note('data'),
      dataFrag: note('dataFrag'),
      heartbeat: note('heartbeat'),
      gap: note('gap'),
      ackNack: note('ackNack'),
      heartbeatFrag: note('heartbeatFrag'),
      nackFrag: note('nackFrag'),
      skipped: () => assert.fail('a submessage that nobody knows'),
    };
    const reader = new MessageReader(handler);
    this.socket.on('message', (datagram: Buffer) => {
      assert.equal(reader.read(datagram), undefined);
      this.emit('heard');
    });
    return this.socket.address().port;
  }

  async until(name: string, wanted: (content: Record<string, unknown>) => boolean): Promise<void> {
    while (!this.heard.some((each) => each.name === name && wanted(each))) await once(this, 'heard');
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.socket.close(() => resolve()));
  }
}

// Written by hand, after what these versions sent (of Debian there are older ones only, which send none of this).
for (const [name, dialect] of Object.entries(DIALECTS))
  describe(`the packets of ${name}`, function () {
    this.timeout(60_000);
    const cast = new Cast();
    const metatraffic = new Listener();
    const user = new Listener();
    let ports: [number, number];

    before(async () => {
      ports = [await metatraffic.open(), await user.open()];
      metatraffic.socket.setMulticastInterface('127.0.0.1');
      metatraffic.socket.setMulticastTTL(0);
    });
    afterEach(() => cast.leave());
    after(() => Promise.all([metatraffic.close(), user.close()]));

    it('are those of a participant with a writer and a reader, whose user data go to their own port', async () => {
      const domain = freshDomain();
      const participant = await cast.participant({ domain });
      const ownPrefix = participant.guid.slice(0, 24);
      const inbox = new Inbox();
      const reader = participant.createReader({ topic: TOPIC, type: STRING, qos: RELIABLE }, inbox.take);
      const writer = participant.createWriter({ topic: TOPIC, type: STRING, qos: RELIABLE });
      const send = (...submessages: string[]) => {
        const datagram = Buffer.from(hex(dialect.header, dialect.prefix, ...submessages), 'hex');
        metatraffic.socket.send(datagram, metatrafficMulticastPort(domain), GROUP);
      };
      const { prefix } = dialect;
      const common = [parameter(0x0015, '02030000'), parameter(0x0016, dialect.header.slice(-4))];

      const found = once(participant, 'participant');
      const participantData = list(
        ...common,
        parameter(0x0050, `${prefix}000001c1`),
        parameter(0x0002, uint32(20) + uint32(0)),
        ...dialect.participantParameters(domain, ...ports),
        parameter(0x0062, string('/')),
        parameter(0x002c, octets(Buffer.from('enclave=/;'))),
      );
      send(dialect.everybody, TIMESTAMP, data('000100c7', '000100c2', 1, participantData));
      assert.deepEqual((await found)[0], {
        guid: `${prefix}000001c1`,
        vendorId: dialect.vendorId,
        name: '/',
        userData: Buffer.from('enclave=/;'),
      });

      const endpoint = (entityId: string) =>
        list(
          ...common,
          ...dialect.endpointParameters,
          parameter(0x0005, string(TOPIC)),
          parameter(0x0007, string(STRING)),
          parameter(0x005a, prefix + entityId),
          parameter(0x001a, uint32(2) + uint32(0) + uint32(0x1999_999a)),
          parameter(0x001d, uint32(0)),
          parameter(0x002c, octets(Buffer.from('typehash=RIHS01_00;'))),
        );
      const matched = new Set<string>();
      participant.on('matched', ({ remote }) => {
        assert.deepEqual([remote.topic, remote.type], [TOPIC, STRING]);
        assert.equal(String(remote.userData), 'typehash=RIHS01_00;');
        matched.add(remote.guid.slice(24));
      });
      const destination = dialect.destination(ownPrefix);
      send(
        destination,
        TIMESTAMP,
        data('000003c7', '000003c2', 1, endpoint(WRITER)),
        heartbeat('000003c7', '000003c2', 1, 1, 1),
      );
      send(
        destination,
        TIMESTAMP,
        data('000004c7', '000004c2', 1, endpoint(READER)),
        heartbeat('000004c7', '000004c2', 1, 1, 1),
      );
      const readerId = reader.guid.slice(24);
      const writerId = writer.guid.slice(24);
      await user.until('ackNack', ({ writerId }) => writerId === Number.parseInt(WRITER, 16));
      await user.until('heartbeat', ({ readerId }) => readerId === Number.parseInt(READER, 16));
      assert.deepEqual(matched, new Set([WRITER, READER]));

      send(
        destination,
        TIMESTAMP,
        data(readerId, WRITER, 1, encodeString('from the vendor').toString('hex')),
        heartbeat(readerId, WRITER, 1, 1, 1),
      );
      await inbox.until(1);
      assert.deepEqual(inbox.texts, ['from the vendor']);
      assert.equal(inbox.samples[0]?.sourceTimestamp, 1_694_498_816_500_000_000n);
      await user.until('ackNack', ({ base }) => base === 2);

      writer.write(encodeString('to the vendor'));
      send(destination, ackNack(READER, writerId, dialect.firstBase, 1, '01'));
      await user.until('heartbeat', ({ count }) => Number(count) > 1);
      send(destination, ackNack(READER, writerId, 1, 2));
      await user.until('data', ({ sequence }) => sequence === 1);
      assert.equal(writer.unacknowledged, 1);
      send(destination, ackNack(READER, writerId, 2, 3));
      while (writer.unacknowledged > 0) await new Promise(setImmediate);
      // Another program under the same name, as one that was killed and started again in its container.
      const lost = once(participant, 'participant-lost');
      const again = setInterval(() => send(destination, heartbeat('000003c7', '000003c2', 1, 0, 1)), 50);
      try {
        assert.equal((await lost)[0].guid, `${prefix}000001c1`);
      } finally {
        clearInterval(again);
      }
      assert.deepEqual(participant.endpoints, []);
      const foundAgain = once(participant, 'participant');
      send(dialect.everybody, TIMESTAMP, data('000100c7', '000100c2', 1, participantData));
      await foundAgain;
      const ofUser = ({ readerId, writerId }: Record<string, unknown>) =>
        (Number(writerId) & 0xc0) === 0 && (Number(readerId) & 0xc0) === 0;
      assert.deepEqual(metatraffic.heard.filter(ofUser), []);
      assert.deepEqual(
        user.heard.filter(({ name, start }) => name === 'gap' && start === 0),
        [],
      );
    });
  });
