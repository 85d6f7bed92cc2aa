import assert from 'node:assert/strict';
import type { MessageParts, PublishView } from '../../src/broker/codec/publish-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { HeldMemory } from '../../src/broker/held-memory';
import { limitsOf } from '../../src/broker/limits';
import { joinedParts, Message, messageOfWill } from '../../src/broker/message';
import { MessageSlabs } from '../../src/broker/message-slab';
import { Session } from '../../src/broker/session/session';
import type { SessionOutput } from '../../src/broker/session/session-output';
import { newStatistics } from '../../src/broker/statistics';
import { MemoryStore } from '../../src/broker/store/memory-store';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';

const lasting = { clientId: 'lasting', cleanStart: false, properties: { sessionExpiryInterval: 100 } };

function acknowledge(
  peer: MqttPeer,
  type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
  packetId: number,
): void {
  peer.send({ type, packetId, reasonCode: 0, properties: {} });
}

describe('sessions', () => {
  it('go on after a reconnect: subscriptions, and QoS 1 and 2 messages that came meanwhile [MQTT-3.1.2-4 of 3.1.1] [MQTT-3.1.2-5 of 3.1.1] [MQTT-3.2.2-2 of 3.1.1] [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1]', async () => {
    for (const version of [4, 5] as const) {
      const broker = new BrokerInProcess();
      const first = broker.open(version);
      assert.equal((await first.connect(lasting)).sessionPresent, false);
      await first.subscribe('t', { qos: 2 });
      await first.vanish();
      const publisher = await broker.client(version);
      for (const qos of [0, 1, 2] as const) {
        publisher.publish('t', `qos ${qos}`, { qos, packetId: qos });
      }
      await publisher.expect('puback');
      await publisher.expect('pubrec');
      const again = broker.open(version);
      assert.equal((await again.connect(lasting)).sessionPresent, true);
      const seen = [await again.expect('publish'), await again.expect('publish')];
      assert.deepEqual(
        seen.map(({ payload, dup }) => [payload.toString(), dup]),
        [
          ['qos 1', false],
          ['qos 2', false],
        ],
      );
    }
  });

  it('take what has not expired in place of what has [MQTT-3.3.2-5]', async () => {
    const broker = new BrokerInProcess({ queuedMessages: 2 });
    const away = await broker.client(5, lasting);
    await away.subscribe('t', { qos: 1 });
    await away.vanish();
    const publisher = await broker.client(5);
    const publish = async (payload: string, messageExpiryInterval: number) => {
      publisher.publish('t', payload, { qos: 1, properties: { messageExpiryInterval } });
      await publisher.expect('puback');
    };
    await publish('for long', 60);
    await publish('for short', 5);
    await publish('too much', 60);
    assert.equal(broker.statistics.dropped, 1);
    broker.pass(20);
    await publish('fresh', 60);
    const again = await broker.client(5, lasting);
    assert.equal((await again.expect('publish')).payload.toString(), 'for long');
    assert.equal((await again.expect('publish')).payload.toString(), 'fresh');
    assert.equal(broker.statistics.dropped, 1);
  });

  it('send again what was not acknowledged, with DUP, the same identifiers and in order [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    await first.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (const [packetId, qos] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 1],
    ] as const) {
      publisher.publish('t', `message ${packetId}`, { qos, packetId });
    }
    const sent = [];
    for (let count = 0; count < 4; count++) sent.push(await first.expect('publish'));
    const ids = sent.map(({ packetId }) => packetId);
    acknowledge(first, 'puback', ids[0] as number);
    acknowledge(first, 'pubrec', ids[1] as number);
    await first.expect('pubrel');
    await first.vanish();

    const second = await broker.client(5, lasting);
    assert.equal((await second.expect('pubrel')).packetId, ids[1]);
    for (const index of [2, 3]) {
      const { packetId, dup, payload } = await second.expect('publish');
      assert.deepEqual([packetId, dup, payload.toString()], [ids[index], true, `message ${index + 1}`]);
    }
    for (const type of ['pubcomp', 'pubrec', 'puback'] as const) {
      acknowledge(second, type, ids[['pubcomp', 'pubrec', 'puback'].indexOf(type) + 1] as number);
    }
    await second.expect('pubrel');
    acknowledge(second, 'pubcomp', ids[2] as number);
    await second.expectNothing();
    await second.vanish();
    const third = await broker.client(5, lasting);
    await third.expectNothing();
  });

  it('deliver a QoS 2 message once, however often it is sent before its PUBREL, also over a reconnect [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]', async () => {
    const broker = new BrokerInProcess();
    const subscriber = await broker.client(5);
    await subscriber.subscribe('t', { qos: 0 });
    const first = await broker.client(5, lasting);
    first.publish('t', 'once', { qos: 2, packetId: 5 });
    await first.expect('pubrec');
    first.publish('t', 'once', { qos: 2, packetId: 5, dup: true });
    await first.expect('pubrec');
    await first.vanish();
    const second = await broker.client(5, lasting);
    second.publish('t', 'once', { qos: 2, packetId: 5, dup: true });
    assert.equal((await second.expect('pubrec')).reasonCode, 0);
    acknowledge(second, 'pubrel', 5);
    assert.equal((await second.expect('pubcomp')).reasonCode, 0);
    acknowledge(second, 'pubrel', 5);
    assert.equal((await second.expect('pubcomp')).reasonCode, ReasonCode.packetIdentifierNotFound);
    second.publish('t', 'another', { qos: 2, packetId: 5 });
    await second.expect('pubrec');
    assert.equal((await subscriber.expect('publish')).payload.toString(), 'once');
    assert.equal((await subscriber.expect('publish')).payload.toString(), 'another');
    await subscriber.expectNothing();
  });

  it('end with a clean start, with the connection when they have no expiry, and when the expiry has passed [MQTT-3.1.2-4] [MQTT-3.1.2-6] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT-4.1.0-2]', async () => {
    const broker = new BrokerInProcess();
    const reconnect = async (cleanStart: boolean, sessionExpiryInterval: number) => {
      const peer = broker.open(5);
      const { sessionPresent } = await peer.connect({
        clientId: 'c',
        cleanStart,
        properties: { sessionExpiryInterval },
      });
      await peer.subscribe('t');
      assert.equal(broker.statistics.subscriptions, 1);
      await peer.vanish();
      return sessionPresent;
    };
    assert.equal(await reconnect(false, 10), false);
    assert.equal(await reconnect(true, 10), false);
    assert.equal(await reconnect(false, 0), true);
    assert.equal(broker.statistics.subscriptions, 0);
    assert.equal(await reconnect(false, 10), false);
    broker.pass(9);
    assert.equal(await reconnect(false, 10), true);
    broker.pass(10);
    assert.equal(broker.statistics.subscriptions, 0);
    assert.equal(await reconnect(false, 10), false);
  });

  it('of MQTT 3.1.1 end with a clean one’s connection, and go on otherwise [MQTT-3.1.2-6 of 3.1.1] [MQTT-3.2.2-1 of 3.1.1] [MQTT-3.2.2-3 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    for (const [cleanStart, present] of [
      [true, false],
      [false, false],
      [false, true],
      [true, false],
      [false, false],
    ] as const) {
      const peer = broker.open(4);
      assert.equal((await peer.connect({ clientId: 'c', cleanStart })).sessionPresent, present);
      await peer.vanish();
    }
  });

  it('get a new expiry from DISCONNECT, but not where CONNECT gave none', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    first.send({ type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    assert.equal(await first.next(), undefined);
    const second = broker.open(5);
    assert.equal((await second.connect({ ...lasting, properties: {} })).sessionPresent, false);
    second.send({ type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 5 } });
    assert.equal((await second.expect('disconnect')).reasonCode, ReasonCode.protocolError);
  });

  it('are granted at most the longest expiry, and the client is told', async () => {
    const broker = new BrokerInProcess({ sessionExpiry: 60 });
    const peer = broker.open(5);
    const { properties } = await peer.connect(lasting);
    assert.equal(properties.sessionExpiryInterval, 60);
    await peer.vanish();
    broker.pass(60);
    assert.equal((await broker.open(5).connect(lasting)).sessionPresent, false);
  });

  it('drop what comes beyond the queue’s limits, and count it', async () => {
    for (const limits of [{ queuedMessages: 2 }, { queuedBytes: 2 * 130 }]) {
      const broker = new BrokerInProcess(limits);
      const away = await broker.client(5, lasting);
      await away.subscribe('t', { qos: 1 });
      await away.vanish();
      const publisher = await broker.client(5);
      for (let packetId = 1; packetId <= 5; packetId++) {
        publisher.publish('t', String(packetId), { qos: 1, packetId });
        await publisher.expect('puback');
      }
      assert.equal(broker.statistics.dropped, 3);
      const back = await broker.client(5, lasting);
      assert.equal((await back.expect('publish')).payload.toString(), '1');
      assert.equal((await back.expect('publish')).payload.toString(), '2');
      await back.expectNothing();
    }
  });

  it('beyond the limit push out the one whose client has been away longest', async () => {
    const broker = new BrokerInProcess({ offlineSessions: 2 });
    for (const clientId of ['a', 'b', 'c']) await (await broker.client(5, { ...lasting, clientId })).vanish();
    for (const [clientId, present] of [
      ['a', false],
      ['b', true],
      ['c', true],
    ] as const) {
      assert.equal(
        (await broker.open(5).connect({ ...lasting, clientId })).sessionPresent,
        present,
        clientId,
      );
    }
  });

  it('do not deliver a message that expired in the queue, and count down one that did not [MQTT-3.3.2-5]', async () => {
    const broker = new BrokerInProcess();
    const away = await broker.client(5, lasting);
    await away.subscribe('t', { qos: 1 });
    await away.vanish();
    const publisher = await broker.client(5);
    publisher.publish('t', 'short', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 5 } });
    publisher.publish('t', 'long', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 50 } });
    await publisher.expect('puback');
    await publisher.expect('puback');
    broker.pass(6);
    const back = await broker.client(5, lasting);
    const message = await back.expect('publish');
    assert.deepEqual([message.payload.toString(), message.properties.messageExpiryInterval], ['long', 44]);
    assert.equal(broker.statistics.expired, 1);
    await back.expectNothing();
  });

  it('never have more in flight than the client’s Receive Maximum, also when sending again', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    await first.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (let packetId = 1; packetId <= 6; packetId++) publisher.publish('t', 'x', { qos: 1, packetId });
    for (let count = 0; count < 6; count++) await first.expect('publish');
    await first.vanish();

    const properties = { sessionExpiryInterval: 100, receiveMaximum: 2 };
    const second = await broker.client(5, { ...lasting, properties });
    const window = [await second.expect('publish'), await second.expect('publish')];
    for (let count = 2; count < 6; count++) {
      await second.expectNothing();
      acknowledge(second, 'puback', window.shift()?.packetId as number);
      window.push(await second.expect('publish'));
    }
    assert.ok(window.every(({ dup }) => dup));
    publisher.publish('t', 'new', { qos: 1, packetId: 9 });
    await second.expectNothing();
    acknowledge(second, 'puback', window.shift()?.packetId as number);
    assert.equal((await second.expect('publish')).payload.toString(), 'new');
  });

  it('count a QoS 2 message as in flight until PUBCOMP, or until the client refuses it [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.4.0-2]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { properties: { receiveMaximum: 1 } });
    await client.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (let packetId = 1; packetId <= 3; packetId++) publisher.publish('t', 'x', { qos: 2, packetId });
    const first = await client.expect('publish');
    acknowledge(client, 'pubrec', first.packetId);
    await client.expect('pubrel');
    await client.expectNothing();
    acknowledge(client, 'pubcomp', first.packetId);
    const second = await client.expect('publish');
    const reasonCode = ReasonCode.quotaExceeded;
    client.send({ type: 'pubrec', packetId: second.packetId, reasonCode, properties: {} });
    await client.expect('publish');
  });
});

/** An output that notes what it gets, and is congested when the test says so. */
class NotedOutput implements SessionOutput {
  readonly v5 = true;
  congested = false;
  readonly notes: string[] = [];

  forward(view: PublishView): boolean {
    this.notes.push(`forward ${view.bytes.toString('utf8', view.payloadStart, view.payloadEnd)}`);
    return true;
  }

  publish(parts: MessageParts, header: number, packetId: number): boolean {
    const payload = parts.bytes.toString('utf8', parts.payloadStart, parts.payloadEnd);
    this.notes.push(`publish 0x${header.toString(16)} ${packetId} ${payload}`);
    return true;
  }

  acknowledge(header: number, packetId: number): void {
    this.notes.push(`acknowledge 0x${header.toString(16)} ${packetId}`);
  }

  waitFor(): void {}

  overflow(): void {}
}

describe('a session with a congested output', () => {
  const delivery = { qos: 1 as const, retainAsPublished: false, identifiers: [] };
  const message = (payload: string) => {
    const properties = {};
    const fields = { topic: 't', payload: Buffer.from(payload), qos: 1 as const, retain: false, properties };
    return messageOfWill(fields, 'publisher', 0);
  };

  it('holds back, and lets nothing overtake what waits', () => {
    const output = new NotedOutput();
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), new HeldMemory(1e9));
    session.attach(output, 10, 0);
    session.deliver(message('first'), 1, false, delivery, 0);
    output.congested = true;
    session.deliver(message('second'), 1, false, delivery, 0);
    assert.equal(session.accepts(1, 0, 0), false);
    output.congested = false;
    session.deliver(message('third'), 1, false, delivery, 0);
    assert.deepEqual(output.notes, ['publish 0x32 1 first']);
    session.drain(0);
    assert.deepEqual(output.notes.slice(1), ['publish 0x32 2 second', 'publish 0x32 3 third']);
  });

  it('sends nothing new before what is to be sent again [MQTT-4.6.0-1]', () => {
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), new HeldMemory(1e9));
    session.attach(new NotedOutput(), 10, 0);
    session.deliver(message('first'), 1, false, delivery, 0);
    session.detach();
    const output = new NotedOutput();
    output.congested = true;
    session.attach(output, 10, 0);
    output.congested = false;
    session.deliver(message('second'), 1, false, delivery, 0);
    session.drain(0);
    assert.deepEqual(output.notes, ['publish 0x3a 1 first', 'publish 0x32 2 second']);
  });

  it('keeps no more memory of what waits for long than its bytes', () => {
    const memory = new HeldMemory(1e9);
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), memory);
    const chunk = Buffer.allocUnsafeSlow(1000);
    const slab = new MessageSlabs().around(chunk, 10);
    const messages = ['first', 'second', 'third'].map((text, index) => {
      const topicStart = 100 * index;
      chunk.write('t', topicStart);
      const payloadStart = topicStart + 10;
      const payloadEnd = payloadStart + chunk.write(text, payloadStart);
      const [topicEnd, propertiesStart, propertiesEnd] = [topicStart + 1, payloadStart, payloadStart];
      const parts = { topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd };
      return new Message('t', { bytes: chunk, ...parts }, 1, false, Number.POSITIVE_INFINITY, '', slab);
    });
    for (const each of messages) session.deliver(each, 1, false, delivery, 0);
    const withSlab = memory.bytes;
    memory.compactSlabs();
    assert.equal(memory.bytes, withSlab, 'it may be gone soon');
    memory.compactSlabs();
    const texts = messages.map(({ bytes }) => bytes.toString());
    assert.deepEqual(texts, ['tfirst', 'tsecond', 'tthird']);
    const own = messages.reduce((sum, { bytes }) => sum + bytes.buffer.byteLength, 0);
    assert.equal(own, texts.join('').length);
    assert.equal(memory.bytes, withSlab - chunk.length + own);
    session.discard();
    assert.equal(memory.bytes, 0);
  });

  it('keeps together what fills its memory', () => {
    const memory = new HeldMemory(1e9);
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), memory);
    const chunk = Buffer.allocUnsafeSlow(1000);
    const slabs = new MessageSlabs();
    for (const start of [0, 300]) {
      const parts = joinedParts(chunk.subarray(start, start + 300), 1, 1);
      const slab = slabs.around(chunk, 300);
      const half = new Message('t', parts, 1, false, Number.POSITIVE_INFINITY, '', slab);
      session.deliver(half, 1, false, delivery, 0);
    }
    const before = memory.bytes;
    for (let count = 0; count < 3; count++) memory.compactSlabs();
    assert.equal(memory.bytes, before);
  });

  it('uses no packet identifier twice at a time [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]', () => {
    const output = new NotedOutput();
    const session = new Session(
      'c',
      limitsOf({ inFlight: 65_535 }),
      newStatistics(),
      new MemoryStore(),
      new HeldMemory(1e9),
    );
    session.attach(output, 65_535, 0);
    for (let count = 0; count < 65_535; count++) session.deliver(message('x'), 1, false, delivery, 0);
    session.acknowledged(40_000, 0);
    session.deliver(message('again'), 1, false, delivery, 0);
    session.deliver(message('waits'), 1, false, delivery, 0);
    assert.equal(output.notes.at(-1), 'publish 0x32 40000 again');
    assert.equal(session.queued, 1);
  });
});

describe('session takeover', () => {
  it('ends no session of another client, also when no more may be away', async () => {
    const broker = new BrokerInProcess({ offlineSessions: 1 });
    const away = { ...lasting, clientId: 'away' };
    await (await broker.client(5, away)).vanish();
    await broker.client(5, lasting);
    assert.equal((await broker.open(5).connect(lasting)).sessionPresent, true);
    assert.equal((await broker.open(5).connect(away)).sessionPresent, true);
  });

  it('ends the older connection with 0x8E and hands over its session [MQTT-3.1.4-3]', async () => {
    const broker = new BrokerInProcess();
    const older = await broker.client(5, lasting);
    await older.subscribe('t', { qos: 1 });
    const newer = broker.open(5);
    assert.equal((await newer.connect(lasting)).sessionPresent, true);
    assert.equal((await older.expect('disconnect')).reasonCode, ReasonCode.sessionTakenOver);
    assert.equal(await older.next(), undefined);
    newer.publish('t', 'x', { qos: 1, packetId: 1 });
    await newer.expect('publish');
    assert.equal(broker.statistics.clients, 1);
  });

  it('just closes an older connection of MQTT 3.1.1 [MQTT-3.1.4-2 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    const older = await broker.client(4, { clientId: 'same' });
    await broker.client(4, { clientId: 'same' });
    assert.equal(await older.next(), undefined);
    assert.equal(broker.statistics.clients, 1);
  });
});

describe('wills', () => {
  const will = {
    topic: 'gone',
    payload: Buffer.from('bye'),
    qos: 1 as const,
    retain: true,
    properties: { contentType: 'text/plain', userProperties: [['a', 'b']] as Array<[string, string]> },
  };

  async function watched(broker: BrokerInProcess): Promise<MqttPeer> {
    const watcher = await broker.client(5);
    await watcher.subscribe('gone', { qos: 2 });
    return watcher;
  }

  it('are published, with their properties, when a connection is lost [MQTT-3.1.2-7] [MQTT-3.1.2-9] [MQTT-3.1.2-15] [MQTT-3.1.3-10]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    await (await broker.client(5, { will })).vanish();
    const message = await watcher.expect('publish');
    assert.deepEqual(
      [message.payload.toString(), message.qos, message.properties],
      ['bye', 1, will.properties],
    );
    assert.equal(broker.statistics.retained, 1);
  });

  it('are published when the client breaks the protocol, stays silent, is taken over or asks for it [MQTT-3.1.2-8]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const endings: Array<(client: MqttPeer) => unknown> = [
      (client) => client.stream.write(Buffer.from([0xff, 0])),
      () => broker.pass(16),
      () => broker.client(5, { clientId: 'c' }),
      (client) =>
        client.send({ type: 'disconnect', reasonCode: ReasonCode.disconnectWithWill, properties: {} }),
    ];
    for (const ending of endings) {
      await ending(await broker.client(5, { clientId: 'c', will, keepAlive: 10 }));
      const { packetId } = await watcher.expect('publish');
      acknowledge(watcher, 'puback', packetId);
      // The watcher is not silent itself.
      await watcher.expectNothing();
    }
  });

  it('are dropped by DISCONNECT [MQTT-3.14.4-3 of 3.1.1] [MQTT-3.14.4-3]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const client = await broker.client(4, { will });
    client.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    assert.equal(await client.next(), undefined);
    await watcher.expectNothing();
  });

  it('wait for their delay, but not longer than the session lasts [MQTT-3.1.2-10]', async () => {
    const delayed = { ...will, properties: { willDelayInterval: 10 } };
    for (const [sessionExpiryInterval, delay] of [
      [100, 10],
      [4, 4],
      [0, 0],
    ] as const) {
      const broker = new BrokerInProcess();
      const watcher = await watched(broker);
      const client = await broker.client(5, {
        clientId: 'c',
        will: delayed,
        properties: { sessionExpiryInterval },
      });
      await client.vanish();
      if (delay > 0) {
        broker.pass(delay - 1);
        await watcher.expectNothing();
        broker.pass(1);
      }
      assert.deepEqual((await watcher.expect('publish')).properties, {});
      broker.pass(200);
      await watcher.expectNothing();
    }
  });

  it('that wait are dropped when the client comes back, and published when it starts clean [MQTT-3.1.3-9]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const delayed = { ...will, properties: { willDelayInterval: 10 } };
    const options = { ...lasting, will: delayed };
    await (await broker.client(5, options)).vanish();
    const back = await broker.client(5, lasting);
    broker.pass(20);
    await watcher.expectNothing();
    await back.vanish();
    await (await broker.client(5, options)).vanish();
    await broker.client(5, { ...lasting, cleanStart: true });
    await watcher.expect('publish');
  });
});
