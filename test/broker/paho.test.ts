import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrokerThread } from '../../src/broker/broker-thread';
import { counterpart } from '../counterparts';
import { PahoClient, type PahoConnection } from './paho-client';

describe('Eclipse Paho Python on the broker', function () {
  this.timeout(60_000);
  let folder: string;
  let broker: BrokerThread;
  let clients: PahoClient[];

  beforeEach(async function () {
    counterpart(this, 'paho');
    folder = mkdtempSync(join(tmpdir(), 'paho-'));
    clients = [];
    broker = new BrokerThread({
      listeners: [{ host: '127.0.0.1', port: 0 }],
      storage: { directory: folder, durability: 'write' },
    });
    await broker.start();
  });
  afterEach(async () => {
    if (broker === undefined) return;
    for (const client of clients) await client.kill();
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const port = () => broker.status.listeners[0]?.port ?? 0;
  function paho(): PahoClient {
    const client = new PahoClient();
    clients.push(client);
    return client;
  }
  async function connected(
    id: string,
    version: 4 | 5,
    options: Partial<PahoConnection> = {},
  ): Promise<PahoClient> {
    const client = paho();
    const { reasonCode } = await client.connect({ port: port(), id, version, clean: true, ...options });
    assert.equal(reasonCode, 0);
    return client;
  }

  for (const version of [4, 5] as const) {
    const name = version === 4 ? '3.1.1' : '5';

    it(`exchanges messages of every QoS (MQTT ${name})`, async () => {
      const subscriber = await connected('subscriber', version);
      const publisher = await connected('publisher', version);
      for (const granted of [0, 1, 2]) {
        assert.deepEqual(await subscriber.subscribe(`q/${granted}`, granted), [granted]);
        for (const qos of [0, 1, 2]) {
          await publisher.publish(`q/${granted}`, `${qos}`, qos);
          const message = await subscriber.expect('message');
          assert.equal(message.payload, `${qos}`);
          assert.equal(message.qos, Math.min(qos, granted));
        }
      }
    });

    it(`gets retained messages, and the will of one that dies (MQTT ${name})`, async () => {
      const will = { topic: 'gone', payload: 'dead', qos: 1, retain: true };
      const dying = await connected('dying', version, { will });
      await dying.publish('kept', 'here', 1, { retain: true });
      const watcher = await connected('watcher', version);
      await watcher.subscribe('kept', 1);
      const { payload, retain } = await watcher.expect('message');
      assert.deepEqual({ payload, retain }, { payload: 'here', retain: true });
      await watcher.subscribe('gone', 1);
      await dying.kill();
      const last = await watcher.expect('message');
      assert.deepEqual([last.topic, last.payload, last.retain], ['gone', 'dead', false]);
    });

    it(`finds its session with what came meanwhile, also after a restart of the broker (MQTT ${name})`, async () => {
      const lasting: Partial<PahoConnection> = {
        clean: false,
        ...(version === 5 && { properties: { SessionExpiryInterval: 3600 } }),
      };
      const first = await connected('lasting', version, lasting);
      await first.subscribe('later/#', 2);
      await first.disconnect();
      const publisher = await connected('publisher', version);
      for (const qos of [1, 2]) await publisher.publish(`later/${qos}`, 'waited', qos);
      await publisher.disconnect();
      await broker.stop();
      await broker.start();
      const again = paho();
      const connection = { port: port(), id: 'lasting', version, clean: false, ...lasting };
      const { sessionPresent } = await again.connect(connection);
      assert.equal(sessionPresent, true);
      for (const qos of [1, 2]) {
        const message = await again.expect('message');
        assert.deepEqual([message.topic, message.qos], [`later/${qos}`, qos]);
      }
    });
  }

  it('comes back by itself when the broker does, to its session (MQTT 5)', async () => {
    broker = await onFixedPort(broker, folder);
    const properties = { SessionExpiryInterval: 3600 };
    const client = await connected('returning', 5, { clean: false, properties });
    await client.subscribe('t', 2);
    await broker.stop();
    await broker.start();
    assert.equal((await client.expect('connected')).sessionPresent, true);
    await client.publish('t', 'back', 2);
    assert.equal((await client.expect('message')).payload, 'back');
  });

  it('sends properties, and gets them with its subscription identifier (MQTT 5)', async () => {
    const client = await connected('client', 5);
    await client.subscribe('p/#', 1, { properties: { SubscriptionIdentifier: 300 } });
    const properties = {
      PayloadFormatIndicator: 1,
      MessageExpiryInterval: 60,
      ContentType: 'text/plain',
      ResponseTopic: 'answers',
      CorrelationData: '42',
      UserProperty: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ] as [string, string][],
    };
    await client.publish('p/1', 'text', 1, { properties });
    const message = await client.expect('message');
    assert.deepEqual(message.properties, { ...properties, SubscriptionIdentifier: [300] });
  });

  it('gets nothing of its own with No Local (MQTT 5)', async () => {
    const client = await connected('client', 5);
    await client.subscribe('own', 1, { noLocal: true });
    await client.subscribe('both', 1);
    await client.publish('own', 'unheard', 1);
    await client.publish('both', 'heard', 1);
    assert.equal((await client.expect('message')).topic, 'both');
  });

  it('shares a subscription with another (MQTT 5)', async () => {
    const members = [await connected('one', 5), await connected('two', 5)];
    for (const member of members) await member.subscribe('$share/group/work', 1);
    const publisher = await connected('publisher', 5);
    for (let count = 0; count < 10; count++) await publisher.publish('work', String(count), 1);
    const parts = await Promise.all(
      members.map(async (member) => {
        const part = [];
        for (let count = 0; count < 5; count++) part.push((await member.expect('message')).payload);
        return part;
      }),
    );
    assert.deepEqual(
      parts
        .flat()
        .map(Number)
        .sort((one, other) => one - other),
      Array.from({ length: 10 }, (_, count) => count),
    );
  });
});

/** The broker again on the port that it had, so that it can be found there after a restart. */
async function onFixedPort(broker: BrokerThread, directory: string): Promise<BrokerThread> {
  const listeners = [{ host: '127.0.0.1', port: broker.status.listeners[0]?.port ?? 0 }];
  await broker.stop();
  const fixed = new BrokerThread({ listeners, storage: { directory, durability: 'write' } });
  await fixed.start();
  return fixed;
}
