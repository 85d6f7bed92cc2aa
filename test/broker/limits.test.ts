import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import type { PublishPacket } from '../../src/broker/codec/publish-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { defaultLimits, type Limits, limitsOf } from '../../src/broker/limits';
import { BrokerInProcess } from './broker-in-process';
import { lasting, MqttPeer } from './mqtt-peer';

describe('the limits of a broker, over sockets', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  let sockets: Socket[];
  let events: BrokerEvent[];

  beforeEach(() => {
    sockets = [];
    events = [];
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await broker.stop();
  });

  async function start(limits: Partial<Limits>): Promise<void> {
    broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }], limits });
    broker.on('event', (event) => events.push(event));
    await broker.start();
  }
  function open(): MqttPeer {
    const socket = connect(broker.status.listeners[0]?.port as number, '127.0.0.1');
    sockets.push(socket);
    return new MqttPeer(socket, 5);
  }
  async function client(options: Partial<ConnectPacket> = {}): Promise<MqttPeer> {
    const peer = open();
    assert.equal((await peer.connect(options)).reasonCode, ReasonCode.success);
    return peer;
  }
  async function event<T extends BrokerEvent['type']>(type: T): Promise<Extract<BrokerEvent, { type: T }>> {
    for (;;) {
      const found = events.find((one) => one.type === type);
      if (found !== undefined) return found as Extract<BrokerEvent, { type: T }>;
      await once(broker, 'event');
    }
  }
  /** The reason code with which the broker ends a connection. */
  const ending = async (peer: MqttPeer) => (await peer.expect('disconnect')).reasonCode;
  /** Publishes at QoS 1 and returns the reason code of the answer. */
  async function publish(peer: MqttPeer, topic: string, options: Partial<PublishPacket> = {}) {
    peer.publish(topic, 'x', { qos: 1, ...options });
    return (await peer.expect('puback')).reasonCode;
  }

  it('connections from one address', async () => {
    await start({ connectionsPerAddress: 1 });
    const first = await client();
    await open().closed;
    assert.match((await event('refused')).reason, /^more than 1 connections from 127\.0\.0\.1$/);
    await first.vanish();
    // The next that connects after the broker has seen the first go gets in.
    for (let answer: unknown; answer === undefined; ) {
      const next = open();
      next.send({ ...connectPacket });
      answer = await next.next();
    }
  });

  it('new connections a second', async () => {
    await start({ connectRate: 1 });
    await client();
    // More than the seconds that all this may take on a busy machine.
    const others = Array.from({ length: 30 }, open);
    await Promise.race(others.map(({ closed }) => closed));
    assert.equal((await event('refused')).reasonCode, ReasonCode.connectionRateExceeded);
  });

  it('time to CONNECT', async () => {
    await start({ connectTimeout: 100 });
    await open().closed;
    assert.match((await event('refused')).reason, /no CONNECT/);
  });

  it('packet size', async () => {
    await start({ packetSize: 1000 });
    const peer = open();
    assert.equal((await peer.connect()).properties.maximumPacketSize, 1000);
    peer.publish('t', 'x'.repeat(1000));
    assert.equal(await ending(peer), ReasonCode.packetTooLarge);
    assert.throws(() => limitsOf({ packetSize: 268_435_456 }), /from 1 to 268435455/);
  });

  it('levels and bytes of topic names and filters', async () => {
    await start({ topicLevels: 3, topicLength: 10 });
    const subscriber = await client();
    for (const [filter, granted] of [
      ['a/b/c', 0],
      ['a/b/c/d', ReasonCode.topicFilterInvalid],
      ['0123456789', 0],
      ['0123456789a', ReasonCode.topicFilterInvalid],
    ] as const) {
      assert.deepEqual((await subscriber.subscribe(filter)).reasonCodes, [granted], filter);
    }
    for (const topic of ['a/b/c/d', '0123456789a']) {
      const publisher = await client();
      publisher.publish(topic, '');
      assert.equal(await ending(publisher), ReasonCode.topicNameInvalid, topic);
    }
  });

  it('subscriptions of one session', async () => {
    await start({ subscriptions: 2 });
    const peer = await client();
    for (const [filter, granted] of [
      ['a', 0],
      ['b', 0],
      ['c', ReasonCode.quotaExceeded],
      ['a', 0],
    ] as const) {
      assert.deepEqual((await peer.subscribe(filter)).reasonCodes, [granted]);
    }
  });

  it('retained messages and their bytes', async () => {
    for (const limits of [{ retainedMessages: 2 }, { retainedBytes: 2 * defaultRetainedSize }]) {
      await start(limits);
      const publisher = await client();
      for (const topic of ['a', 'b', 'c']) await publish(publisher, topic, { retain: true });
      const subscriber = await client();
      await subscriber.subscribe('#');
      assert.equal((await subscriber.expect('publish')).topic, 'a');
      assert.equal((await subscriber.expect('publish')).topic, 'b');
      await subscriber.expectNothing();
      await broker.stop();
    }
  });

  it('messages in flight', async () => {
    await start({ inFlight: 2 });
    const subscriber = await client();
    await subscriber.subscribe('t', { qos: 1 });
    const publisher = await client();
    for (let packetId = 1; packetId <= 3; packetId++) await publish(publisher, 't', { packetId });
    await subscriber.expect('publish');
    const { packetId } = await subscriber.expect('publish');
    await subscriber.expectNothing();
    subscriber.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    await subscriber.expect('publish');
  });

  it('queued messages, of which the user hears', async () => {
    await start({ queuedMessages: 1 });
    const away = await client(lasting);
    await away.subscribe('t', { qos: 1 });
    await away.vanish();
    await event('disconnected');
    const publisher = await client();
    for (let packetId = 1; packetId <= 3; packetId++) await publish(publisher, 't', { packetId });
    const { clientId, count } = await event('dropped');
    assert.equal(clientId, 'lasting');
    assert.ok(count === 1 || count === 2, `${count} dropped`);
  });

  it('a client that publishes too much is read more slowly, and loses nothing', async () => {
    await start({ messageRate: 100 });
    const subscriber = await client();
    await subscriber.subscribe('t');
    const publisher = await client({ clientId: 'fast', keepAlive: 1 });
    const messages = 280;
    for (let count = 0; count < messages; count++) publisher.publish('t', String(count));
    publisher.publish('t', 'answered', { qos: 1 });
    for (let count = 0; count < messages; count++) {
      assert.equal((await subscriber.expect('publish')).payload.toString(), String(count));
    }
    await publisher.expect('puback');
    assert.equal((await event('throttled')).clientId, 'fast');
    // It was not read for longer than its keep alive allows, and is still there.
    publisher.publish('t', 'again', { qos: 1, packetId: 2 });
    await publisher.expect('puback');
  });
});

const connectPacket = {
  type: 'connect',
  protocolVersion: 5,
  clientId: '',
  cleanStart: true,
  keepAlive: 0,
  properties: {},
} as const;
/** What a retained message with a topic of one level and a payload of one byte each counts. */
const defaultRetainedSize = 386;

describe('the rate of a client', () => {
  const fast = async (broker: BrokerInProcess) => {
    const stream = broker.openStream({ address: '127.0.0.1:1', host: '127.0.0.1' });
    const peer = new MqttPeer(stream, 4);
    await peer.connect({ keepAlive: 10 });
    return peer;
  };

  it('is kept by not reading on, in messages and in bytes, and what that takes is counted', async () => {
    for (const limits of [{ messageRate: 10 }, { byteRate: 10 * 105 }]) {
      const broker = new BrokerInProcess(limits);
      const subscriber = await broker.client(4);
      await subscriber.subscribe('t');
      const publisher = await fast(broker);
      const message: PublishPacket = {
        ...{ type: 'publish', topic: 't', payload: Buffer.alloc(100), qos: 0, packetId: 0 },
        ...{ dup: false, retain: false, properties: {} },
      };
      broker.pass(1); // What CONNECT took is there again.
      publisher.send(...Array(10).fill(message));
      for (let count = 0; count < 10; count++) await subscriber.expect('publish');
      assert.equal(broker.statistics.throttled, 0);
      publisher.send(...Array(200).fill(message));
      for (let count = 0; count < 200; count++) await subscriber.expect('publish');
      assert.equal(broker.statistics.throttled, 1);
      publisher.publish('t', 'later');
      // Longer than its keep alive of ten seconds allows.
      broker.pass(19);
      await subscriber.expectNothing();
      broker.pass(2);
      assert.equal((await subscriber.expect('publish')).payload.toString(), 'later');
      assert.equal(broker.statistics.throttled, 0);
      assert.equal(broker.statistics.throttledTime, 21_000);
      assert.equal(broker.events.filter(({ type }) => type === 'throttled').length, 1);
      await publisher.expectNothing();
      broker.pass(15);
      assert.equal(await publisher.next(), undefined);
    }
  });

  it('does not bind clients of this process', async () => {
    const broker = new BrokerInProcess({ messageRate: 1 });
    const publisher = await broker.client(4);
    for (let count = 0; count < 10; count++) publisher.publish('t', '');
    await publisher.expectNothing();
    assert.equal(broker.statistics.throttled, 0);
  });

  it('counts one that goes meanwhile no more', async () => {
    const broker = new BrokerInProcess({ messageRate: 1 });
    const publisher = await fast(broker);
    for (let count = 0; count < 10; count++) publisher.publish('t', '');
    await broker.client(4);
    assert.equal(broker.statistics.throttled, 1);
    await publisher.vanish();
    assert.equal(broker.statistics.throttled, 0);
  });
});

describe('a session whose queue is full', () => {
  async function fill(limits: Partial<Limits>, online: boolean) {
    const broker = new BrokerInProcess({ inFlight: 1, ...limits });
    const subscriber = await broker.client(5, lasting);
    await subscriber.subscribe('t', { qos: 1 });
    if (!online) await subscriber.vanish();
    const publisher = await broker.client(5);
    for (let packetId = 1; packetId <= 5; packetId++) {
      publisher.publish('t', String(packetId), { qos: 1, packetId });
      await publisher.expect('puback');
    }
    return { broker, subscriber };
  }
  async function received(peer: MqttPeer): Promise<string[]> {
    const payloads: string[] = [];
    for (;;) {
      peer.send({ type: 'pingreq' });
      const packet = await peer.next();
      if (packet?.type !== 'publish') return payloads;
      payloads.push(packet.payload.toString());
      await peer.expect('pingresp');
      peer.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0, properties: {} });
    }
  }

  for (const [queuePolicy, payloads] of [
    ['drop-newest', ['1', '2']],
    ['drop-oldest', ['4', '5']],
    ['disconnect', ['1', '2']],
  ] as const) {
    for (const limits of [{ queuedMessages: 2 }, { queuedBytes: 2 * 130 }]) {
      it(`does as ${queuePolicy} says while its client is away (${Object.keys(limits)})`, async () => {
        const { broker } = await fill({ ...limits, queuePolicy }, false);
        assert.equal(broker.statistics.dropped, 3);
        assert.deepEqual(await received(await broker.client(5, lasting)), payloads);
        broker.pass(10);
        const told = broker.events.flatMap((event) => (event.type === 'dropped' ? [event] : []));
        assert.deepEqual(told, [{ type: 'dropped', clientId: 'lasting', count: 3 }]);
      });
    }
  }

  it('drops no oldest one for a message that could never fit', async () => {
    const { broker } = await fill({ queuedBytes: 5 * 130, queuePolicy: 'drop-oldest' }, false);
    const publisher = await broker.client(5);
    publisher.publish('t', 'x'.repeat(1000), { qos: 1 });
    await publisher.expect('puback');
    assert.deepEqual(await received(await broker.client(5, lasting)), ['1', '2', '3', '4', '5']);
  });

  it('ends the connection that lets it fill, where that is the policy', async () => {
    const { broker, subscriber } = await fill({ queuedMessages: 2, queuePolicy: 'disconnect' }, true);
    await subscriber.expect('publish');
    const { reasonCode, properties } = await subscriber.expect('disconnect');
    assert.equal(reasonCode, ReasonCode.quotaExceeded);
    assert.match(properties.reasonString ?? '', /more messages wait/);
    assert.deepEqual(await received(await broker.client(5, lasting)), ['1', '2', '3']);
  });

  it('makes no copy of a message that it has no room for', async () => {
    const { broker } = await fill({ queuedMessages: 2 }, false);
    const publisher = await broker.client(5);
    const { allocUnsafe } = Buffer;
    const allocated: number[] = [];
    const counting = (size: number) => {
      allocated.push(size);
      return allocUnsafe(size);
    };
    publisher.stream.once('data', () => {
      Buffer.allocUnsafe = allocUnsafe;
    });
    const answered = publisher.expect('puback');
    publisher.publish('t', 'x'.repeat(50_000), { qos: 1 });
    Buffer.allocUnsafe = counting;
    await answered;
    assert.ok(allocated.every((size) => size < 50_000));
  });
});

describe('limits', () => {
  it('are refused by name when they are none', () => {
    for (const [given, message] of [
      [{ messageRate: -1 }, /messageRate is -1, expected a whole number from 0/],
      [{ queuePolicy: 'drop-all' as 'drop-oldest' }, /queuePolicy is drop-all, expected drop-newest,/],
    ] as const) {
      assert.throws(() => limitsOf(given), message);
    }
    assert.deepEqual(limitsOf({}), defaultLimits);
  });
});
