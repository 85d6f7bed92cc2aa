import assert from 'node:assert/strict';
import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import { EntityId } from '../../src/rtps/guid';
import type { EndpointListener } from '../../src/rtps/local-endpoints';
import type { EndpointPair } from '../../src/rtps/matching';
import { MessageWriter } from '../../src/rtps/message-writer';
import { Pid } from '../../src/rtps/parameter-list';
import { Participant, type RemoteParticipant } from '../../src/rtps/participant';
import { decodeParticipantData, encodeDisposal } from '../../src/rtps/participant-data';
import { ParticipantOptionError } from '../../src/rtps/participant-option-error';
import { metatrafficUnicastPort } from '../../src/rtps/port-mapping';
import { QosError } from '../../src/rtps/qos';
import type { RemoteEndpoint } from '../../src/rtps/remote-endpoint';
import { now } from '../../src/rtps/time';
import { TransportError, UdpTransport } from '../../src/rtps/udp-transport';
import { PayloadTooLargeError } from '../../src/rtps/writer';
import {
  announced,
  BEST_EFFORT,
  Cast,
  encodeString,
  freshDomain,
  freshTopic,
  Inbox,
  numberedTexts,
  RELIABLE,
  STRING,
  TRANSIENT_LOCAL,
} from './fixture';

describe('participants among themselves', function () {
  this.timeout(60_000);
  const cast = new Cast();
  afterEach(() => cast.leave());

  async function pair(options: object = {}) {
    const domain = freshDomain();
    return [
      await cast.participant({ domain, ...options }),
      await cast.participant({ domain, ...options }),
    ] as const;
  }

  for (const [name, qos] of Object.entries({ reliable: RELIABLE, 'best-effort': BEST_EFFORT }))
    it(`exchange ${name} samples`, async () => {
      const [a, b] = await pair();
      const topic = freshTopic();
      const inbox = new Inbox();
      const reader = b.createReader({ topic, type: STRING, qos }, inbox.take);
      const writer = a.createWriter({ topic, type: STRING, qos });
      await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
      const sequences = numberedTexts(100).map((text) => writer.write(encodeString(text)));
      await inbox.until(100);
      assert.deepEqual(inbox.texts, numberedTexts(100));
      assert.deepEqual(
        inbox.samples.map(({ sequence, writerGuid }) => [sequence, writerGuid]),
        sequences.map((sequence) => [sequence, writer.guid]),
      );
      assert.equal(writer.matchedCount, 1);
      assert.equal(reader.matchedCount, 1);
    });

  it('exchange samples of any length up to the limit', async () => {
    const maxSampleBytes = 200_001;
    const [a, b] = await pair({ maxSampleBytes });
    const topic = freshTopic();
    const inbox = new Inbox();
    b.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    const writer = a.createWriter({ topic, type: STRING, qos: RELIABLE });
    await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
    const whole = [4, 5, 1399, 1400, 1401, 14_700, 14_720, 14_740, 16_384, 40_000, 59_936];
    const fragmented = [59_937, 59_997, 60_000, 65_536, 119_833, maxSampleBytes];
    const lengths = [...whole, ...fragmented];
    for (const length of lengths) writer.write(Buffer.alloc(length, length % 251));
    await inbox.until(lengths.length);
    // RTPS pads a payload to a multiple of four; of one in fragments the length is told.
    assert.deepEqual(
      inbox.samples.map(({ payload }) => payload.length),
      [...whole.map((length) => Math.ceil(length / 4) * 4), ...fragmented],
    );
    for (const [index, { payload }] of inbox.samples.entries()) {
      const length = lengths[index] as number;
      assert.ok(payload.subarray(0, length).equals(Buffer.alloc(length, length % 251)));
    }
    assert.throws(
      () => writer.write(Buffer.alloc(maxSampleBytes + 1)),
      (error) => error instanceof PayloadTooLargeError && error.message.includes(topic),
    );
  });

  it('give each of several readers of a topic each sample once', async () => {
    const [a, b] = await pair();
    const topic = freshTopic();
    const inboxes = [new Inbox(), new Inbox()];
    for (const inbox of inboxes) b.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    const writers = [1, 2].map(() => a.createWriter({ topic, type: STRING, qos: RELIABLE }));
    for (const writer of writers) while (writer.matchedCount < 2) await once(writer, 'matched');
    for (const text of numberedTexts(10)) for (const writer of writers) writer.write(encodeString(text));
    for (const inbox of inboxes) {
      await inbox.until(20);
      for (const { guid } of writers)
        assert.deepEqual(
          inbox.samples.filter(({ writerGuid }) => writerGuid === guid).map(({ sequence }) => sequence),
          numberedTexts(10).map((_, index) => index + 1),
        );
    }
  });

  it('tell each other what they are and what they have', async () => {
    const domain = freshDomain();
    const userData = Buffer.from('enclave=/;');
    const a = await cast.participant({ domain, name: 'the first', userData });
    const topic = freshTopic();
    const endpointData = Buffer.from('typehash=x;');
    const writer = a.createWriter({ topic, type: STRING, qos: TRANSIENT_LOCAL, userData: endpointData });
    const b = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] });
    try {
      // It may find them while it starts.
      const found = Promise.all([once(b, 'participant'), once(b, 'endpoint')]);
      await b.start();
      const [[participant], [endpoint]] = (await found) as [RemoteParticipant[], RemoteEndpoint[]];
      assert.deepEqual(participant, { guid: a.guid, vendorId: 0x01fe, name: 'the first', userData });
      assert.deepEqual(endpoint, {
        guid: writer.guid,
        kind: 'writer',
        topic,
        type: STRING,
        qos: announced(TRANSIENT_LOCAL),
        userData: endpointData,
        participantGuid: a.guid,
      });
      assert.deepEqual(b.participants, [participant]);
      assert.deepEqual(b.endpoints, [endpoint]);
    } finally {
      await b.close();
    }
  });

  it('are told when one announces other user data, once for each change', async () => {
    const domain = freshDomain();
    const a = await cast.participant({ domain, userData: Buffer.from('first') });
    const b = await cast.participant({ domain });
    if (b.participants.length === 0) await once(b, 'participant');
    const heard: string[] = [];
    b.on('participant-changed', ({ guid, userData }) => heard.push(`${guid} ${userData}`));
    for (const text of ['second', 'third']) {
      a.setUserData(Buffer.from(text));
      await once(b, 'participant-changed');
      assert.equal(String(b.participants[0]?.userData), text);
    }
    // One that comes later is told the last; by then the announcements to all have come again.
    const c = await cast.participant({ domain });
    if (c.participants.length < 2) await once(c, 'participant');
    if (c.participants.length < 2) await once(c, 'participant');
    assert.equal(String(c.participants.find(({ guid }) => guid === a.guid)?.userData), 'third');
    assert.deepEqual(heard, [`${a.guid} second`, `${a.guid} third`]);
    await a.close();
    await once(b, 'participant-lost');
  });

  describe('of which one loses the other, and finds it again', () => {
    /** As when nothing of `gone` came through for its lease; resolves when it is lost. */
    async function lose(participant: Participant, gone: Participant, domain: number) {
      const { key, inlineQos } = encodeDisposal(Pid.participantGuid, gone.guid);
      const message = new MessageWriter(gone.guid.slice(0, 24), Buffer.alloc(200));
      const disposal = { sequence: 2, timestamp: now(), payload: key, keyOnly: true, inlineQos };
      message.data(EntityId.unknown, EntityId.participantWriter, disposal);
      const lost = once(participant, 'participant-lost');
      const socket = createSocket('udp4');
      socket.send(message.message, metatrafficUnicastPort(domain, 0), '127.0.0.1', () => socket.close());
      await lost;
    }

    async function exchanging() {
      const domain = freshDomain();
      const a = await cast.participant({ domain });
      const b = await cast.participant({ domain });
      const options = { topic: freshTopic(), type: STRING, qos: RELIABLE };
      const writer = a.createWriter(options);
      const inbox = new Inbox();
      b.createReader(options, inbox.take);
      await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
      const lostByOther: unknown[] = [];
      b.on('participant-lost', (participant) => lostByOther.push(participant));
      return { a, b, options, writer, inbox, lostByOther, lose: () => lose(a, b, domain) };
    }

    it('go on', async () => {
      const { writer, inbox, lostByOther, lose } = await exchanging();
      await lose();
      await once(writer, 'matched');
      writer.write(encodeString('again'));
      await inbox.until(1);
      assert.deepEqual(lostByOther, []);
    });

    it('tell the other what was closed meanwhile', async () => {
      const { a, b, options, writer, lostByOther, lose } = await exchanging();
      const found = once(b, 'endpoint');
      const brief = a.createWriter(options);
      await found;
      const lost = once(b, 'endpoint-lost');
      await lose();
      brief.close();
      await once(writer, 'matched');
      assert.equal((await lost)[0].guid, brief.guid);
      assert.deepEqual(lostByOther, []);
    });
  });

  it('announce nothing any more once they are closed', async () => {
    let announced = 0;
    class Counting extends UdpTransport {
      override announce(message: Buffer): void {
        announced++;
        super.announce(message);
      }
    }
    const participant = new Participant(
      { domain: freshDomain(), range: 'off' },
      (...args) => new Counting(...args),
    );
    await participant.start();
    await participant.close();
    const before = announced;
    assert.ok(before > 0);
    participant.setUserData(Buffer.from('late'));
    assert.equal(announced, before);
  });

  it('miss an endpoint that is closed, and a participant that leaves', async () => {
    const [a, b] = await pair({ leaseDuration: 3_600_000 });
    const topic = freshTopic();
    const writer = a.createWriter({ topic, type: STRING, qos: RELIABLE });
    const reader = b.createReader({ topic, type: STRING, qos: RELIABLE }, () => {});
    await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
    const lost = Promise.all([once(writer, 'unmatched'), once(a, 'endpoint-lost')]);
    reader.close();
    const [[unmatched], [gone]] = await lost;
    assert.equal(unmatched.guid, reader.guid);
    writer.close();
    assert.throws(() => writer.write(encodeString('late')), new RegExp(`${topic}.*closed`));
    assert.equal(gone.guid, reader.guid);
    assert.equal(writer.matchedCount, 0);
    const left = once(b, 'participant-lost');
    await a.close();
    assert.equal((await left)[0].guid, a.guid);
    assert.deepEqual(b.participants, []);
    assert.deepEqual(b.endpoints, []);
  });

  it('tell each endpoint what concerns it alone, from the moment in which it is made until it is closed', async () => {
    const [a, b] = await pair();
    const [topic, other] = [freshTopic(), freshTopic()];
    const told: string[] = [];
    const listener = (name: string): EndpointListener => ({
      matched: ({ local, remote }) => told.push(`${name} matched ${local.topic === remote.topic}`),
      unmatched: () => told.push(`${name} unmatched`),
      incompatible: ({ policy }) => told.push(`${name} ${policy}`),
    });
    const reader = b.createReader({ topic, type: STRING, qos: RELIABLE }, () => {});
    b.createReader({ topic: other, type: STRING, qos: RELIABLE }, () => {});
    while (a.endpoints.length < 2) await once(a, 'endpoint');
    const writers = [
      a.createWriter({ topic, type: STRING, qos: RELIABLE }, listener('first')),
      a.createWriter({ topic: other, type: STRING, qos: BEST_EFFORT }, listener('second')),
    ];
    assert.deepEqual(told.splice(0), ['first matched true', 'second reliability']);
    const lost = once(a, 'unmatched');
    reader.close();
    await lost;
    assert.deepEqual(told.splice(0), ['first unmatched']);
    b.createReader({ topic, type: STRING, qos: RELIABLE }, () => {});
    await once(a, 'matched');
    assert.deepEqual(told.splice(0), ['first matched true']);
    const unmatched = Promise.all(writers.slice(0, 1).map((writer) => once(writer, 'unmatched')));
    for (const writer of writers) writer.close();
    await unmatched;
    assert.deepEqual(told, []);
  });

  it('tell an address that is not of this host first, where they are to be reached there', async () => {
    const domain = freshDomain();
    const listener = createSocket({ type: 'udp4', reuseAddr: true });
    listener.bind(7400 + 250 * domain);
    await once(listener, 'listening');
    listener.addMembership('239.255.0.1', '127.0.0.1');
    const announcement = once(listener, 'message');
    await cast.participant({ domain, advertisedAddress: '192.0.2.7' });
    const [datagram] = (await announcement) as [Buffer];
    await new Promise<void>((resolve) => listener.close(resolve));
    // Behind the RTPS header, the timestamp and the header of DATA.
    const { metatrafficLocators, userLocators } = decodeParticipantData(datagram.subarray(20 + 12 + 24));
    for (const locators of [metatrafficLocators, userLocators])
      assert.deepEqual(
        locators.map(({ address }) => address),
        ['192.0.2.7', '127.0.0.1'],
      );
  });

  it('say goodbye to those that they do not know, too', async () => {
    const domain = freshDomain();
    const listener = createSocket({ type: 'udp4', reuseAddr: true });
    listener.bind(7400 + 250 * domain);
    await once(listener, 'listening');
    listener.addMembership('239.255.0.1', '127.0.0.1');
    const participant = await cast.participant({ domain });
    const goodbye = new Promise<void>((resolve) => {
      listener.on('message', (datagram: Buffer) => {
        // PID_STATUS_INFO: disposed and unregistered.
        if (datagram.includes(Buffer.from('7100040000000003', 'hex'))) resolve();
      });
    });
    await participant.close();
    await goodbye;
    await new Promise<void>((resolve) => listener.close(resolve));
  });

  it('name the policy or type that keeps them from matching', async () => {
    const [a, b] = await pair();
    const cases = [
      ['type', RELIABLE, 'other::Type_'],
      ['reliability', BEST_EFFORT, STRING],
      ['durability', RELIABLE, STRING],
    ] as const;
    for (const [policy, offered, type] of cases) {
      const topic = freshTopic();
      const incompatible = [once(a, 'incompatible'), once(b, 'incompatible')];
      const writer = a.createWriter({ topic, type, qos: offered });
      const requested = policy === 'durability' ? TRANSIENT_LOCAL : RELIABLE;
      const reader = b.createReader({ topic, type: STRING, qos: requested }, () => {});
      const [seenByWriter, seenByReader]: Array<EndpointPair & { policy: string }> = (
        await Promise.all(incompatible)
      ).flat();
      assert.deepEqual([seenByWriter?.policy, seenByWriter?.local], [policy, writer]);
      assert.deepEqual([seenByReader?.policy, seenByReader?.local], [policy, reader]);
      assert.equal(writer.matchedCount, 0);
    }
  });

  it('match what offers more than is requested', async () => {
    const [a, b] = await pair();
    const topic = freshTopic();
    const inbox = new Inbox();
    b.createReader({ topic, type: STRING, qos: BEST_EFFORT }, inbox.take);
    const writer = a.createWriter({ topic, type: STRING, qos: TRANSIENT_LOCAL });
    await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
    writer.write(encodeString('message 1'));
    await inbox.until(1);
    assert.deepEqual(inbox.texts, ['message 1']);
  });

  it('find each other at a configured address and port alone', async () => {
    const domain = freshDomain();
    // The first free index is not known, so all of a few are named.
    const peers = [0, 1, 2, 3].map((index) => `127.0.0.1:${7410 + 250 * domain + 2 * index}`);
    const a = await cast.participant({ domain, range: 'subnet', peers });
    const b = await cast.participant({ domain, range: 'subnet' });
    if (b.participants.length === 0) await once(b, 'participant');
    assert.deepEqual(
      b.participants.map(({ guid }) => guid),
      [a.guid],
    );
  });

  it('see nobody when the range is off', async () => {
    const domain = freshDomain();
    const alone = await cast.participant({ domain, range: 'off' });
    const [a, b] = [await cast.participant({ domain }), await cast.participant({ domain })];
    if (b.participants.length === 0) await once(b, 'participant');
    if (a.participants.length === 0) await once(a, 'participant');
    assert.deepEqual(alone.participants, []);
    assert.equal(a.participants.length, 1);
    assert.equal(alone.statistics.datagramsSent, 0);
  });

  it('take the next index when a port of the first is taken', async () => {
    const domain = freshDomain();
    const taken = createSocket('udp4');
    // The user port of index 0: its discovery port alone is not enough.
    taken.bind(7411 + 250 * domain, '127.0.0.1');
    await once(taken, 'listening');
    const a = await cast.participant({ domain });
    const b = await cast.participant({ domain });
    if (a.participants.length === 0) await once(a, 'participant');
    if (b.participants.length === 0) await once(b, 'participant');
    await new Promise<void>((resolve) => taken.close(resolve));
  });

  it('name the setting of the system that keeps their receive buffer small', async () => {
    const { getRecvBufferSize } = Socket.prototype;
    // What an unconfigured Linux gives.
    Socket.prototype.getRecvBufferSize = () => 425_984;
    const participant = new Participant({
      domain: freshDomain(),
      range: 'localhost',
      interfaces: ['127.0.0.1'],
    });
    try {
      const warned = once(participant, 'warning');
      await participant.start();
      assert.match((await warned)[0], /only 425984 bytes.*net\.core\.rmem_max=16777216/);
    } finally {
      Socket.prototype.getRecvBufferSize = getRecvBufferSize;
      await participant.close();
    }
  });

  it('can be closed while they start, and twice', async () => {
    const participant = new Participant({
      domain: freshDomain(),
      range: 'localhost',
      interfaces: ['127.0.0.1'],
    });
    const starting = participant.start();
    await participant.close();
    await starting;
    await participant.close();
    assert.throws(
      () => participant.createWriter({ topic: 'a', type: 'b', qos: RELIABLE }),
      ParticipantOptionError,
    );
  });

  it('refuse options that are out of range, and name them', async () => {
    const good = { domain: 0, range: 'localhost' } as const;
    for (const domain of [-1, 233, 1.5, Number.NaN])
      assert.throws(() => new Participant({ ...good, domain }), {
        name: 'ParticipantOptionError',
        message: /^domain/,
      });
    assert.throws(
      () => new Participant({ ...good, leaseDuration: 10 }),
      /^ParticipantOptionError: leaseDuration/,
    );
    for (const peer of [
      '',
      'somewhere',
      '127.0.0.1:',
      '127.0.0.1:0',
      '127.0.0.1:65536',
      '127.0.0.1:1:2',
      '::1',
    ])
      assert.throws(() => new Participant({ ...good, peers: [peer] }), TransportError);
    assert.throws(() => new Participant({ ...good, interfaces: ['lo'] }), TransportError);
    assert.throws(() => new Participant({ ...good, advertisedAddress: 'host' }), TransportError);
    const participant = await cast.participant({ domain: freshDomain() });
    for (const maxSampleBytes of [0, -1, 1.5, 2 ** 31, Number.NaN])
      assert.throws(
        () => new Participant({ ...good, maxSampleBytes }),
        /^ParticipantOptionError: maxSampleBytes/,
      );
    for (const depth of [0, -1, 1.5])
      assert.throws(
        () => participant.createWriter({ topic: 'a', type: 'b', qos: { ...RELIABLE, depth } }),
        QosError,
      );
    for (const topic of ['', 'a\0b', 'x'.repeat(1025)])
      assert.throws(
        () => participant.createReader({ topic, type: 'b', qos: RELIABLE }, () => {}),
        ParticipantOptionError,
      );
  });
});
