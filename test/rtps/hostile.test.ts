import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { encodeEndpointData } from '../../src/rtps/endpoint-data';
import { EntityId, guidOf, isWriter } from '../../src/rtps/guid';
import { encodeLocator, locatorOf } from '../../src/rtps/locator';
import { type Change, MessageWriter } from '../../src/rtps/message-writer';
import { Pid } from '../../src/rtps/parameter-list';
import type { Participant } from '../../src/rtps/participant';
import {
  ALL_BUILTIN_ENDPOINTS,
  encodeDisposal,
  encodeParticipantData,
} from '../../src/rtps/participant-data';
import { Random } from '../random';
import {
  Cast,
  encodeString,
  freshDomain,
  freshTopic,
  Inbox,
  numberedTexts,
  RELIABLE,
  STRING,
} from './fixture';
import { fuzzWire, mutated } from './wire-fuzz';

const PREFIX = '01aa00112233445566778899';
const GROUP = '239.255.0.1';
const DATAGRAMS = 10_000;

describe('a writer and a reader under datagrams that are nearly each other’s', function () {
  this.timeout(60_000);
  for (const seed of [1, 2])
    it(`count what is broken, throw nothing and hold no more than they may (seed ${seed})`, async () => {
      const { datagrams, malformed } = await fuzzWire(new Random(seed), 5000);
      assert.ok(malformed > datagrams / 20, `${malformed} malformed of ${datagrams}`);
      assert.ok(malformed < (3 / 4) * datagrams, `${malformed} malformed of ${datagrams}`);
    });
});

describe('a participant under hostile datagrams', function () {
  this.timeout(60_000);
  const cast = new Cast();
  let socket: Socket;
  beforeEach(async () => {
    socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastTTL(0);
  });
  afterEach(async () => {
    await new Promise<void>((resolve) => socket.close(resolve));
    await cast.leave();
  });

  /** One message of each kind, as a participant of that name would send it. */
  function messages(topic: string, leaseDuration = 100_000): Buffer[] {
    const change = (payload: Buffer, rest: Partial<Change> = {}): Change => ({
      sequence: 1,
      timestamp: { seconds: 1, fraction: 0 },
      payload,
      keyOnly: false,
      inlineQos: undefined,
      ...rest,
    });
    const locators = [locatorOf('127.0.0.1', socket.address().port)];
    const participantData = encodeParticipantData({
      prefix: PREFIX,
      vendorId: 0x01aa,
      domain: undefined,
      builtinEndpoints: ALL_BUILTIN_ENDPOINTS,
      leaseDuration,
      metatrafficLocators: locators,
      userLocators: locators,
      name: 'hostile',
      userData: Buffer.from('user data'),
    });
    const endpointData = (entityId: number) =>
      encodeEndpointData({
        guid: guidOf(PREFIX, entityId),
        kind: isWriter(entityId) ? 'writer' : 'reader',
        topic,
        type: STRING,
        qos: RELIABLE,
        userData: undefined,
      });
    const disposal = encodeDisposal(Pid.endpointGuid, guidOf(PREFIX, 0x203));
    const gone = change(disposal.key, { keyOnly: true, inlineQos: disposal.inlineQos });
    const { publicationsWriter, publicationsReader, subscriptionsWriter, subscriptionsReader } = EntityId;
    const contents: Array<(writer: MessageWriter) => void> = [
      (writer) => writer.data(0, EntityId.participantWriter, change(participantData)),
      (writer) => {
        writer.heartbeat(publicationsReader, publicationsWriter, 1, 1, 1, false);
        writer.data(publicationsReader, publicationsWriter, change(endpointData(0x203)));
      },
      (writer) => {
        writer.heartbeat(subscriptionsReader, subscriptionsWriter, 1, 1, 1, false);
        writer.data(subscriptionsReader, subscriptionsWriter, change(endpointData(0x304)));
      },
      (writer) => writer.data(0, 0x203, change(encodeString('bad'))),
      (writer) => writer.heartbeat(0, 0x203, 1, 9, 2, false),
      (writer) => writer.gap(0, 0x203, 2, 4),
      (writer) => {
        for (const number of [1, 3]) writer.dataFrag(0, 0x203, change(Buffer.alloc(300)), number, 100);
      },
      (writer) => writer.ackNack(0x304, 0x103, 1, [1, 2, 200], 1, false),
      (writer) => writer.nackFrag(0x304, 0x103, 1, [1, 2, 200], 1),
      (writer) => writer.ackNack(publicationsReader, publicationsWriter, 0, [], 1, false),
      (writer) => writer.data(publicationsReader, publicationsWriter, gone),
    ];
    return contents.map((write) => {
      const writer = new MessageWriter(PREFIX, Buffer.alloc(2048));
      write(writer);
      return writer.message;
    });
  }

  /** Sends as many at once as fit the receive buffer of an unconfigured system. */
  async function send(participant: Participant, domain: number, datagrams: readonly Buffer[]): Promise<void> {
    const atOnce = (datagrams[0]?.length ?? 0) > 10_000 ? 4 : 50;
    for (let sent = 0; sent < datagrams.length; sent += atOnce) {
      const batch = datagrams.slice(sent, sent + atOnce);
      const before = participant.statistics.datagramsReceived;
      for (const datagram of batch) socket.send(datagram, 7400 + 250 * domain, GROUP);
      while (participant.statistics.datagramsReceived < before + batch.length)
        await new Promise(setImmediate);
    }
  }

  for (const seed of [1, 2])
    it(`counts what is broken and goes on (seed ${seed})`, async () => {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const inbox = new Inbox();
      participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
      participant.createWriter({ topic, type: STRING, qos: RELIABLE });
      const random = new Random(seed);
      const corpus = messages(topic);
      await send(
        participant,
        domain,
        random.times(DATAGRAMS, () => mutated(random, corpus)),
      );
      const { datagramsMalformed, announcementsRefused } = participant.statistics;
      assert.ok(datagramsMalformed > DATAGRAMS / 20, `${datagramsMalformed} malformed`);
      assert.ok(announcementsRefused > DATAGRAMS / 100, `${announcementsRefused} refused`);

      const other = await cast.participant({ domain });
      const writer = other.createWriter({ topic, type: STRING, qos: RELIABLE });
      while (!participant.endpoints.some(({ guid }) => guid === writer.guid))
        await once(participant, 'endpoint');
      while (writer.matchedCount < 1) await once(writer, 'matched');
      for (const text of numberedTexts(20)) writer.write(encodeString(text));
      const heard = () => inbox.samples.filter(({ writerGuid }) => writerGuid === writer.guid);
      while (heard().length < 20) await once(inbox, 'sample');
      assert.deepEqual(
        heard().map(({ sequence }) => sequence),
        numberedTexts(20).map((_, index) => index + 1),
      );
    });

  const prefixOf = (number: number) => PREFIX.slice(0, -4) + number.toString(16).padStart(4, '0');

  /** Announcements of so many participants. */
  function participants(count: number, leaseDuration: number): Buffer[] {
    const [announcement] = messages(freshTopic(), leaseDuration) as [Buffer, ...Buffer[]];
    const own = Buffer.from(PREFIX, 'hex');
    return Array.from({ length: count }, (_, number) => {
      const name = Buffer.from(prefixOf(number), 'hex');
      const datagram = Buffer.from(announcement);
      for (let at = datagram.indexOf(own); at >= 0; at = datagram.indexOf(own, at + 1))
        name.copy(datagram, at);
      return datagram;
    });
  }

  for (const leaseDuration of [100_000, Number.POSITIVE_INFINITY])
    it(`keeps a bounded number of participants, and counts the others (lease ${leaseDuration})`, async () => {
      const domain = freshDomain();
      const participant = await cast.participant({ domain });
      await send(participant, domain, participants(400, leaseDuration));
      assert.equal(participant.participants.length, 256);
      assert.equal(participant.statistics.announcementsRefused, 144);
    });

  it('gives the place of the participant silent for longest to another, where its lease has no end', async () => {
    const domain = freshDomain();
    const participant = await cast.participant({ domain });
    const datagrams = participants(258, Number.POSITIVE_INFINITY);
    await send(participant, domain, datagrams.slice(0, 256));
    await send(participant, domain, datagrams.slice(0, 1));
    const lost: string[] = [];
    participant.on('participant-lost', ({ guid }) => lost.push(guid.slice(0, 24)));
    const { now } = performance;
    performance.now = () => now.call(performance) + 101_000;
    try {
      await send(participant, domain, datagrams.slice(256));
    } finally {
      performance.now = now;
    }
    assert.deepEqual(lost, [prefixOf(1), prefixOf(2)]);
    assert.equal(participant.participants.length, 256);
  });

  /** Announcements of so many writers of one participant, in order. */
  function endpoints(count: number, userData: Buffer | undefined): Buffer[] {
    const { publicationsReader, publicationsWriter } = EntityId;
    return Array.from({ length: count }, (_, index) => {
      const payload = encodeEndpointData({
        guid: guidOf(PREFIX, ((index + 1) << 8) | 0x03),
        kind: 'writer',
        topic: `topic ${index}`,
        type: STRING,
        qos: RELIABLE,
        userData,
      });
      const sequence = index + 1;
      const timestamp = { seconds: 1, fraction: 0 };
      const writer = new MessageWriter(PREFIX, Buffer.alloc(512 + payload.length));
      if (index === 0) writer.heartbeat(publicationsReader, publicationsWriter, 1, count, 1, true);
      const change = { sequence, timestamp, payload, keyOnly: false, inlineQos: undefined };
      writer.data(publicationsReader, publicationsWriter, change);
      return writer.message;
    });
  }

  for (const [bound, count, userData, kept] of [
    ['number', 8202, undefined, 8192],
    ['size', 300, Buffer.alloc(16 * 1024), 253],
  ] as const)
    it(`keeps endpoints of one participant up to a ${bound}, counts the others, and warns once`, async () => {
      const domain = freshDomain();
      const participant = await cast.participant({ domain });
      const warnings: string[] = [];
      participant.on('warning', (warning) => warnings.push(warning));
      const [announcement] = messages(freshTopic()) as [Buffer, ...Buffer[]];
      await send(participant, domain, [announcement]);
      await send(participant, domain, endpoints(count, userData));
      assert.equal(participant.endpoints.length, kept);
      assert.equal(participant.statistics.announcementsRefused, count - kept);
      const told = warnings.filter((warning) => /can be known: 8192 of one process/.test(warning));
      assert.equal(told.length, 1);
    });

  it('follows a participant to another place once a lease, so that two of one name do not take turns', async () => {
    const domain = freshDomain();
    const participant = await cast.participant({ domain });
    const events: string[] = [];
    participant.on('participant', () => events.push('found'));
    participant.on('participant-lost', () => events.push('lost'));
    const elsewhere = createSocket('udp4');
    elsewhere.bind(0, '127.0.0.1');
    await once(elsewhere, 'listening');
    const [here] = messages(freshTopic()) as [Buffer, ...Buffer[]];
    const there = Buffer.from(here);
    const place = Buffer.from(encodeLocator(locatorOf('127.0.0.1', socket.address().port)));
    const other = encodeLocator(locatorOf('127.0.0.1', elsewhere.address().port));
    for (let at = there.indexOf(place); at >= 0; at = there.indexOf(place, at + 1)) other.copy(there, at);
    await send(participant, domain, [here, there, here, there, there, here]);
    assert.deepEqual(events, ['found', 'lost', 'found']);
    assert.equal(participant.statistics.announcementsRefused, 2);
    await new Promise<void>((resolve) => elsewhere.close(resolve));
  });
});
