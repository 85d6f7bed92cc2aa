import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createWebSocketStream, WebSocket } from 'ws';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import type { ProtocolVersion } from '../../src/broker/codec/packet-type';
import type { PublishPacket } from '../../src/broker/codec/publish-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { HeldMemory, memoryLimit } from '../../src/broker/held-memory';
import type { Limits } from '../../src/broker/limits';
import type { ListenerKind } from '../../src/broker/listeners/listener-settings';
import type { BrokerStatistics } from '../../src/broker/statistics';
import { BrokerInProcess } from './broker-in-process';
import { MqttPeer } from './mqtt-peer';

const KIB = 1024;
const MIB = 1024 * KIB;
const { quotaExceeded, success } = ReasonCode;
const lasting = { cleanStart: false, properties: { sessionExpiryInterval: 1000 } };

describe('the memory that is held', () => {
  it('has levels, which end with room to spare and one at a time', () => {
    const memory = new HeldMemory(1000, () => 0);
    for (const [added, level] of [
      [750, 0],
      [1, 1],
      [249, 1],
      [1, 2],
      [250, 3],
    ] as const) {
      memory.add(added);
      assert.equal(memory.level, level, `${memory.bytes}`);
    }
    memory.remove(126);
    assert.deepEqual([memory.check(), memory.level], [false, 3]);
    memory.remove(1125);
    for (const level of [2, 1, 0]) assert.deepEqual([memory.check(), memory.level], [true, level]);
    assert.deepEqual([memory.check(), memory.level], [false, 0]);
    memory.add(5000);
    assert.equal(memory.level, 3);
  });

  it('counts as spent when the heap is, whatever was counted', () => {
    let heap = 0.9;
    const memory = new HeldMemory(1000, () => heap);
    memory.check();
    assert.equal(memory.level, 2);
    heap = 0.8;
    assert.deepEqual([memory.check(), memory.level], [false, 2]);
    heap = 0.7;
    memory.check();
    memory.check();
    assert.equal(memory.level, 0);
  });

  it('is limited by the machine where the user does not say', () => {
    assert.equal(memoryLimit(5), 5);
    assert.ok(memoryLimit(0) <= 512 * MIB);
  });

  /** Lets the broker settle, and returns what it holds for others than the client that asks. */
  async function held(broker: BrokerInProcess): Promise<number> {
    const probe = await broker.client(4);
    await probe.expectNothing();
    await probe.vanish();
    broker.pass(1);
    return broker.statistics.heldBytes;
  }

  it('is nothing more when all that clients have brought is gone', async () => {
    const broker = new BrokerInProcess({ sysInterval: 0, outputBytes: 16 * KIB });
    const before = await held(broker);
    const publisher = await broker.client(5, {
      clientId: 'publisher',
      will: { topic: 'will', payload: Buffer.alloc(1000), qos: 1, retain: true, properties: {} },
      properties: { sessionExpiryInterval: 10 },
    });
    const subscriber = await broker.client(5, { ...lasting, clientId: 'subscriber' });
    for (const qos of [0, 1, 2] as const) await subscriber.subscribe(`q${qos}`, { qos });
    await subscriber.subscribe('$share/group/a/b/c', { qos: 2 });
    subscriber.stream.pause();
    const sent: PublishPacket[] = [];
    for (let packetId = 1; packetId <= 60; packetId++) {
      const topic = ['q0', 'q1', 'q2', 'a/b/c'][packetId % 4] as string;
      const qos = packetId % 4 === 0 ? 0 : packetId % 2 === 0 ? 2 : 1;
      sent.push({
        ...{ type: 'publish', topic, payload: Buffer.alloc(packetId * 50), qos, packetId, dup: false },
        ...{ retain: packetId % 7 === 0, properties: { topicAlias: (packetId % 5) + 1 } },
      });
    }
    // Half of a packet more than there is.
    publisher.send(...sent);
    publisher.stream.write(Buffer.concat([Buffer.from([0x30, 0xff, 0x7f]), Buffer.alloc(5000)]));
    assert.ok((await held(broker)) > before + 50_000);
    await publisher.vanish();
    await subscriber.vanish();
    const back = await broker.client(5, { ...lasting, clientId: 'subscriber' });
    for (let count = 0; count < 5; count++) {
      const { packetId, qos } = await back.expect('publish');
      back.send({ type: qos === 1 ? 'puback' : 'pubrec', packetId, reasonCode: 0, properties: {} });
    }
    await back.vanish();
    assert.ok((await held(broker)) > before + 20_000);
    broker.pass(2000);
    const cleaner = await broker.client(4);
    for (const topic of ['q0', 'q1', 'q2', 'a/b/c', 'will']) cleaner.publish(topic, '', { retain: true });
    await cleaner.expectNothing();
    await cleaner.vanish();
    assert.equal(await held(broker), before);
  });
});

describe('a broker that is short of memory', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  let sockets: Socket[];
  let events: BrokerEvent[];
  let statistics: BrokerStatistics;

  beforeEach(() => {
    sockets = [];
    events = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await broker.stop();
  });

  async function start(limits: Partial<Limits>, kind: ListenerKind = 'tcp'): Promise<void> {
    broker = new BrokerThread({ listeners: [{ kind, host: '127.0.0.1', port: 0 }], limits });
    broker.on('event', (event) => events.push(event));
    broker.on('statistics', (latest) => {
      statistics = latest;
    });
    await broker.start();
  }
  async function client(
    options: Partial<ConnectPacket> = {},
    version: ProtocolVersion = 5,
  ): Promise<MqttPeer> {
    const socket = connect(broker.status.listeners[0]?.port as number, '127.0.0.1');
    sockets.push(socket);
    const peer = new MqttPeer(socket, version);
    assert.equal((await peer.connect(options)).reasonCode, success);
    return peer;
  }
  async function local(): Promise<MqttPeer> {
    const peer = new MqttPeer(broker.openStream(), 5);
    await peer.connect();
    return peer;
  }
  async function state(wanted: string): Promise<void> {
    for (;;) {
      const memory = events.flatMap((event) => (event.type === 'memory' ? [event.state] : []));
      if ((memory.at(-1) ?? 'enough') === wanted) return;
      await once(broker, 'event');
    }
  }
  /** Publishes at QoS 1 and returns the reason code of the answer. */
  async function publish(peer: MqttPeer, topic: string, payload: string, packetId: number) {
    peer.publish(topic, payload, { qos: 1, packetId });
    return (await peer.expect('puback')).reasonCode;
  }

  it('drops for readers that have stopped, ends them in the end, and disturbs nobody else', async () => {
    const limit = 16 * MIB;
    await start({ memoryBytes: limit });
    const payload = 'x'.repeat(100 * KIB);
    // Without the limit eight mebibytes would wait for each.
    const stalled: MqttPeer[] = [];
    for (let number = 0; number < 6; number++) {
      const peer = await client();
      await peer.subscribe('flood');
      peer.stream.pause();
      stalled.push(peer);
    }
    const healthy = await client();
    await healthy.subscribe('flood');
    const publisher = await client();
    const flood = async () => {
      publisher.publish('flood', payload);
      assert.equal((await healthy.expect('publish')).payload.length, payload.length);
    };
    for (let count = 0; !events.some(({ type }) => type === 'memory'); count++) {
      await flood();
      assert.ok(count < 3000, 'memory does not get short');
    }
    for (let count = 0; count < 100; count++) await flood();
    await once(broker, 'statistics');
    assert.ok(statistics.heldBytes < limit, `${statistics.heldBytes}`);
    const stopped = () =>
      events.filter((event) => event.type === 'disconnected' && /stopped reading/.test(event.reason)).length;
    while (stopped() < stalled.length) await once(broker, 'event');
    await state('enough');
    for (const peer of stalled) {
      peer.stream.resume();
      let packet = await peer.next();
      while (packet?.type === 'publish') packet = await peer.next();
      assert.equal(packet === undefined || packet.type === 'disconnect', true);
    }
    await flood();
    while (statistics.heldBytes > MIB) await once(broker, 'statistics');
    assert.ok(statistics.dropped > 0);
  });

  /** Lets sessions of absent clients hold messages until the broker takes no more; returns how many each topic has. */
  async function fill(payload: string): Promise<number[]> {
    for (let number = 0; number < 20; number++) {
      const away = await client({ ...lasting, clientId: `away-${number}` });
      await away.subscribe(`away/${number % 5}`, { qos: 1 });
      await away.vanish();
    }
    const publisher = await client();
    const kept = [0, 0, 0, 0, 0];
    for (let packetId = 1; ; packetId++) {
      assert.ok(packetId < 1000, 'nothing is refused');
      const reasonCode = await publish(publisher, `away/${packetId % 5}`, payload, packetId);
      if (reasonCode === quotaExceeded) return kept;
      kept[packetId % 5] = (kept[packetId % 5] as number) + 1;
    }
  }

  it('refuses what would have to wait, serves who takes what it gets, and forgets nothing it acknowledged', async () => {
    const limit = 8 * MIB;
    await start({ memoryBytes: limit });
    const payload = 'x'.repeat(100 * KIB);
    const kept = await fill(payload);
    await state('refusing');

    // An older client is ended, as it could not be told.
    const older = await client({}, 4);
    older.publish('away/0', payload, { qos: 1 });
    assert.equal(await older.next(), undefined);
    // So is one that begins a packet that takes much, when the clock is looked at.
    const large = await client();
    large.stream.write(Buffer.concat([Buffer.from([0x30, 0xff, 0xff, 0x7f]), Buffer.alloc(200 * KIB)]));
    assert.equal((await large.expect('disconnect')).reasonCode, quotaExceeded);
    // Nobody gets more to be remembered, except in this process.
    const outside = await client();
    assert.deepEqual((await outside.subscribe('more')).reasonCodes, [quotaExceeded]);
    assert.equal(await publish(outside, 'away/1', 'small', 1), quotaExceeded);
    outside.publish('retained', 'small', { qos: 1, retain: true });
    assert.equal((await outside.expect('puback')).reasonCode, quotaExceeded);
    const inside = await local();
    assert.deepEqual((await inside.subscribe('inside', { qos: 1 })).reasonCodes, [1]);
    assert.equal(await publish(inside, 'away/1', 'small', 1), success);
    for (let packetId = 1; packetId <= 100; packetId++) {
      outside.publish('inside', payload, { qos: 1, packetId });
      const message = await inside.expect('publish');
      inside.send({ type: 'puback', packetId: message.packetId, reasonCode: 0, properties: {} });
      assert.equal((await outside.expect('puback')).reasonCode, success);
    }
    await once(broker, 'statistics');
    // What was on its way when the limit was reached counted then, and is gone.
    assert.ok(
      statistics.heldBytes > limit * 0.9 && statistics.heldBytes < limit * 1.25,
      `${statistics.heldBytes}`,
    );
    assert.ok(statistics.publishRefused >= 4, `${statistics.publishRefused}`);

    for (let number = 0; number < 20; number++) {
      const back = await client({ ...lasting, clientId: `away-${number}` });
      const expected = (kept[number % 5] as number) + (number % 5 === 1 ? 1 : 0);
      for (let count = 0; count < expected; count++) {
        const { packetId } = await back.expect('publish');
        back.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
      }
      await back.expectNothing();
    }
    await state('enough');
    assert.deepEqual((await outside.subscribe('more')).reasonCodes, [success]);
    while (statistics.heldBytes > MIB) await once(broker, 'statistics');
  });

  it('counts what comes of a WebSocket message before it is whole, and ends who sends it', async () => {
    await start({ memoryBytes: 8 * MIB }, 'ws');
    const socket = new WebSocket(`ws://127.0.0.1:${broker.status.listeners[0]?.port}`, ['mqtt']);
    const stream = createWebSocketStream(socket);
    const peer = new MqttPeer(stream, 5);
    await peer.connect();
    socket.send(Buffer.alloc(9 * MIB), { binary: true, fin: false });
    await state('refusing');
    assert.equal((await peer.expect('disconnect')).reasonCode, quotaExceeded);
    stream.destroy();
    await state('enough');
    while (statistics.heldBytes > MIB) await once(broker, 'statistics');
  });

  for (const [what, spend] of [
    [
      'topic filters of many levels',
      async (peer: MqttPeer) => {
        for (let number = 0; number < 10_000; number++) {
          const filter = `${number}${'/x'.repeat(127)}`;
          if ((await peer.subscribe(filter)).reasonCodes[0] === quotaExceeded) return;
        }
      },
    ],
    [
      'retained messages of many levels',
      async (peer: MqttPeer) => {
        for (let number = 0; number < 10_000; number++) {
          peer.publish(`${number}${'/x'.repeat(127)}`, 'x', { qos: 1, retain: true });
          if ((await peer.expect('puback')).reasonCode === quotaExceeded) return;
        }
      },
    ],
    [
      'small messages in a queue',
      async (peer: MqttPeer) => {
        await peer.subscribe('queue', { qos: 1 });
        for (let number = 0; number < 1_000_000; number++) {
          peer.publish('queue', '', { qos: 1 });
          let packet = await peer.next();
          while (packet?.type === 'publish') packet = await peer.next();
          if (packet?.type === 'puback' && packet.reasonCode === quotaExceeded) return;
        }
      },
    ],
  ] as const) {
    it(`lives on when its heap is to be filled with ${what}`, async () => {
      await start({ memoryBytes: 16 * MIB, queuedMessages: 1_000_000, queuedBytes: 1000 * MIB });
      const peer = await client();
      await spend(peer);
      await state('refusing');
      await once(broker, 'statistics');
      assert.ok(statistics.heldBytes < 1.25 * 16 * MIB);
      assert.equal(broker.status.state, 'running');
      await peer.vanish();
    });
  }
});
