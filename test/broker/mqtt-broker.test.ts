import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createBroker, type MqttBroker } from '../../src/broker/mqtt-broker';
import type { ReceivedMessage } from '../../src/client/connection';
import { MqttPeer } from './mqtt-peer';

describe('a broker in a program', function () {
  this.timeout(60_000);
  let broker: MqttBroker;

  beforeEach(async () => {
    broker = createBroker({ listeners: [{ host: '127.0.0.1', port: 0 }], rosPrefix: 'fleet' });
    await broker.start();
  });
  afterEach(() => broker.stop());

  const peer = () => new MqttPeer(connect(broker.thread.status.listeners[0]?.port ?? 0, '127.0.0.1'), 5);

  /** Subscribes, with the messages that have come and the next one. */
  async function subscribed(filter: string) {
    const messages: ReceivedMessage[] = [];
    let wake = () => {};
    const unsubscribe = await broker.subscribe(filter, (message) => {
      messages.push(message);
      wake();
    });
    const received = async (count: number) => {
      while (messages.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return messages.map(({ topic, payload, qos }) => [topic, String(payload), qos]);
    };
    return { received, unsubscribe };
  }

  it('publishes text, bytes and JSON to itself and to others', async () => {
    const client = peer();
    await client.connect();
    await client.subscribe('#', { qos: 2 });
    const { received } = await subscribed('t/#');
    await broker.publish('t/1', 'text', { qos: 2 });
    await broker.publish('t/2', new Uint8Array([65, 66]).subarray(1));
    await broker.publish('t/3', { a: 1 }, { qos: 1, properties: { contentType: 'application/json' } });
    assert.deepEqual(await received(3), [
      ['t/1', 'text', 1],
      ['t/2', 'B', 0],
      ['t/3', '{"a":1}', 1],
    ]);
    const payloads = [];
    for (let count = 0; count < 3; count++) payloads.push(String((await client.expect('publish')).payload));
    assert.deepEqual(payloads.sort(), ['B', 'text', '{"a":1}']);
    await client.vanish();
  });

  it('hears others until it unsubscribes', async () => {
    const client = peer();
    await client.connect();
    const { received, unsubscribe } = await subscribed('from/+');
    client.publish('from/a', 'x', { qos: 1 });
    await client.expect('puback');
    assert.deepEqual(await received(1), [['from/a', 'x', 1]]);
    unsubscribe();
    client.publish('from/a', 'y', { qos: 1 });
    await client.expect('puback');
    const other = await subscribed('to');
    await broker.publish('to', 'z', { qos: 1 });
    await other.received(1);
    assert.equal((await received(1)).length, 1);
    await client.vanish();
  });

  it('says what is wrong with what it is asked', async () => {
    await assert.rejects(broker.publish('a/#', ''), { name: 'PublishError', message: /wildcard/ });
    await assert.rejects(
      broker.subscribe('a/#/b', () => {}),
      { name: 'SubscribeError', message: /a\/#\/b/ },
    );
    await broker.stop();
    await assert.rejects(broker.publish('a', ''), /^Error: the broker is stopped$/);
    await assert.rejects(
      broker.subscribe('a', () => {}),
      /^Error: the broker is stopped$/,
    );
  });

  it('counts clients, subscriptions, topics and retained messages, and nothing once it is stopped', async () => {
    const client = peer();
    const keeping = { clientId: 'kept', properties: { sessionExpiryInterval: 60 } };
    await client.connect(keeping);
    await client.subscribe('a');
    await client.vanish();
    await broker.publish('fleet/0/robot1/odom', '', { qos: 1 });
    await broker.publish('kept', 'x', { qos: 1, retain: true });
    while ((await broker.statistics()).clients.connected > 1) await once(broker.thread, 'event');
    const { running, clients, subscriptions, topics, retained, listeners } = await broker.statistics();
    assert.deepEqual(
      [running, clients, subscriptions, topics, retained, listeners.length],
      [...[true, { connected: 1, total: 2 }, 1, 2, 1, 1]],
    );
    const information = (await broker.topics()).entries.map(({ topic, ros }) => [topic, ros?.node]);
    assert.deepEqual(information, [
      ['fleet/0/robot1/odom', 'robot1'],
      ['kept', undefined],
    ]);
    const [session] = (await broker.sessions({ clientId: 'kept' })).entries;
    assert.equal(session?.connected, false);
    assert.ok(Date.parse(session?.idleSince ?? '') <= Date.now());
    await broker.stop();
    const stopped = await broker.statistics();
    assert.deepEqual([stopped.running, stopped.clients.total, stopped.topics], [false, 0, 0]);
  });

  it('disconnects a client, and starts again after a stop', async () => {
    const client = peer();
    await client.connect({ clientId: 'one' });
    assert.deepEqual(
      (await broker.clients({ limit: 5 })).entries.map(({ clientId }) => clientId),
      ['one'],
    );
    assert.equal((await broker.disconnect('one', 'enough')).disconnected, true);
    assert.equal((await client.expect('disconnect')).properties.reasonString, 'enough');
    await broker.publish('a', '');
    await broker.stop();
    await broker.start();
    const { received } = await subscribed('again');
    await broker.publish('again', 'x', { qos: 1 });
    await received(1);
  });
});
