import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { type BrokerSettings, BrokerThread } from '../../src/broker/broker-thread';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import type { OwnMessage } from '../../src/broker/remote-administration';
import { MqttPeer } from './mqtt-peer';

const message = (topic: string, fields: Partial<OwnMessage> = {}): OwnMessage => ({
  topic,
  payload: Buffer.from('x'),
  qos: 0,
  retain: false,
  properties: {},
  ...fields,
});

describe('the administration of a broker', () => {
  const open: BrokerThread[] = [];

  async function start(settings: Partial<BrokerSettings> = {}): Promise<BrokerThread> {
    const broker = new BrokerThread({ listeners: [], ...settings });
    open.push(broker);
    await broker.start();
    return broker;
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map((broker) => broker.stop()));
  });

  it('publishes to whoever subscribed, without being one of the clients', async () => {
    const broker = await start();
    const reader = new MqttPeer(broker.openStream(), 5);
    await reader.connect();
    await reader.subscribe('t', { qos: 2, noLocal: true });
    const statistics = once(broker, 'statistics');
    const properties = { contentType: 'text/plain', userProperties: [['a', 'b'] as [string, string]] };
    await broker.administration.publish(message('t', { qos: 1, properties }));
    const { topic, qos, payload, properties: arrived } = await reader.expect('publish');
    assert.deepEqual({ topic, qos, payload: payload.toString() }, { topic: 't', qos: 1, payload: 'x' });
    assert.deepEqual(arrived, properties);
    assert.equal((await statistics)[0].clients, 1);
  });

  it('refuses what a client would not be allowed either, each message for itself', async () => {
    const broker = await start({
      limits: { packetSize: 1000 },
      capabilities: { maximumQos: 1, retain: false },
    });
    const { administration } = broker;
    const results = await Promise.allSettled(
      [
        message('t', { payload: Buffer.alloc(1000) }),
        message('t', { qos: 2 }),
        message('t', { retain: true }),
        message('t', { properties: { responseTopic: 'a/#' } }),
        message('t'),
      ].map((one) => administration.publish(one)),
    );
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? result.reason.message : 'published')),
      [
        'a packet of 1007 bytes is larger than the limit of 1000',
        'QoS 2 is above the maximum of 1',
        'retained messages are not available',
        'responseTopic contains a wildcard',
        'published',
      ],
    );
  });

  it('refuses at once what would make too many messages wait', async () => {
    const broker = await start();
    const payload = Buffer.alloc(16 * 1024 * 1024 - 100);
    const published = [1, 2, 3, 4, 5].map(() => broker.administration.publish(message('t', { payload })));
    await assert.rejects(
      published.pop() as Promise<void>,
      /^Error: 4 messages of \d+ bytes wait for the broker/,
    );
    await Promise.all(published);
    await broker.administration.publish(message('t', { payload }));
  });

  it('says that a message is published when it is kept, and keeps it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'administration-'));
    try {
      const storage = { directory, durability: 'strict' } as const;
      const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
      const broker = await start({ storage });
      await broker.administration.publish(message('t', { qos: 1, retain: true }));
      const again = once(broker, 'status');
      await (await created).terminate();
      await again;
      const [{ state }] = await once(broker, 'status');
      assert.equal(state, 'running');
      const reader = new MqttPeer(broker.openStream(), 5);
      await reader.connect();
      await reader.subscribe('t');
      assert.equal((await reader.expect('publish')).retain, true);
      await broker.stop();
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('disconnects a client, whose will is published', async () => {
    const broker = await start();
    const [reader, client] = [new MqttPeer(broker.openStream(), 5), new MqttPeer(broker.openStream(), 5)];
    await reader.connect();
    await reader.subscribe('will');
    const will = {
      topic: 'will',
      payload: Buffer.from('gone'),
      qos: 0,
      retain: false,
      properties: {},
    } as const;
    await client.connect({ clientId: 'c', will, properties: { sessionExpiryInterval: 60 } });
    const request = { clientId: 'c', reason: 'enough', endSession: true };
    assert.deepEqual(await broker.administration.disconnect(request), {
      disconnected: true,
      sessionEnded: true,
    });
    const { reasonCode, properties } = await client.expect('disconnect');
    assert.equal(reasonCode, ReasonCode.administrativeAction);
    assert.equal(properties.reasonString, 'enough');
    assert.equal((await reader.expect('publish')).payload.toString(), 'gone');
    const again = new MqttPeer(broker.openStream(), 5);
    assert.equal((await again.connect({ clientId: 'c', cleanStart: false })).sessionPresent, false);
  });

  it('leaves nobody waiting when the broker dies or stops', async () => {
    const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const broker = await start();
    const request = { clientId: 'c', reason: '', endSession: false };
    const asked = broker.administration.disconnect(request);
    void (await created).terminate();
    await assert.rejects(asked, /broker thread ended with code/);
    await assert.rejects(broker.administration.disconnect(request), /embedded broker is restarting/);
    await once(broker, 'status');
    const last = broker.administration.publish(message('t'));
    const stopped = broker.stop();
    await assert.rejects(last, /embedded broker is stopped/);
    await stopped;
  });
});
