import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { Worker } from 'node:worker_threads';
import { hashPassword } from '../../src/broker/access/password-hash';
import { type BrokerSettings, BrokerThread } from '../../src/broker/broker-thread';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import type { OwnMessage } from '../../src/broker/remote-administration';
import { CertificateAuthority, type IssuedCertificate } from '../certificates';
import { counterpart } from '../counterparts';
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

  it('refuses what would have to wait when there is no memory left for it', async () => {
    const { administration } = await start({ limits: { memoryBytes: 1024 * 1024 } });
    const payload = Buffer.alloc(100_000);
    const publishUntilRefused = async () => {
      for (let index = 0; ; index++) {
        await administration.publish(message(`t/${index}`, { payload, qos: 1, retain: true }));
      }
    };
    await assert.rejects(publishUntilRefused(), /there is no memory left for messages that have to wait/);
    await administration.publish(message('t'));
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

  it('lists clients and sessions in pages, also of clients that are away', async () => {
    const broker = await start();
    const { administration } = broker;
    const peer = async (clientId: string, sessionExpiryInterval: number) => {
      const opened = new MqttPeer(broker.openStream(), 5);
      await opened.connect({ clientId, keepAlive: 30, properties: { sessionExpiryInterval } });
      await opened.subscribe(`to/${clientId}`, { qos: 1 });
      return opened;
    };
    broker.setUser({ name: 'fleet', passwordHash: await hashPassword('secret') });
    const operator = new MqttPeer(broker.openStream(), 5);
    await operator.connect({ clientId: 'operator', username: 'fleet', password: Buffer.from('secret') });
    const { entries: operators } = await administration.clients({
      clientId: 'operator',
      offset: 0,
      limit: 1,
    });
    assert.equal(operators[0]?.username, 'fleet');
    await administration.disconnect({ clientId: 'operator', reason: '', endSession: true });
    for (const name of ['robot-1', 'robot-2', 'sensor-1', 'robot-3']) await peer(name, 0);
    const away = await peer('robot-4', 60);
    await away.vanish();
    // What it gets now says that the broker has seen it go.
    await administration.disconnect({ clientId: 'robot-4', reason: '', endSession: false });
    await administration.publish(message('to/robot-4', { qos: 1 }));
    await administration.publish(message('to/robot-1', { qos: 1 }));

    const names = ({ entries }: { entries: Array<{ clientId: string }> }) =>
      entries.map(({ clientId }) => clientId);
    const first = await administration.clients({ clientId: 'robot', offset: 0, limit: 2 });
    assert.deepEqual([names(first), first.next], [['robot-1', 'robot-2'], 2]);
    const second = await administration.clients({ clientId: 'robot', offset: 2, limit: 2 });
    assert.deepEqual([names(second), second.next], [['robot-3'], undefined]);
    const { connectedAt, idleSince, ...robot } = first.entries[0] as (typeof first.entries)[0];
    assert.ok(idleSince >= connectedAt && Date.parse(idleSince) <= Date.now(), idleSince);
    assert.ok(Date.now() - Date.parse(connectedAt) < 60_000, connectedAt);
    assert.deepEqual(robot, {
      clientId: 'robot-1',
      address: 'in-process',
      protocolVersion: 5,
      keepAlive: 30,
      subscriptions: 1,
      queued: 0,
      inFlight: 1,
    });

    const sessions = await administration.sessions({ clientId: '', offset: 3, limit: 100 });
    assert.deepEqual([names(sessions), sessions.next], [['robot-3', 'robot-4'], undefined]);
    const { expiresAt, idleSince: gone = '', ...last } = sessions.entries[1] as (typeof sessions.entries)[0];
    assert.equal(Date.parse(expiresAt as string) - Date.parse(gone), 60_000);
    const connected = sessions.entries[0]?.idleSince ?? '';
    assert.ok(connected >= connectedAt && connected <= new Date().toISOString(), connected);
    const left = Date.parse(expiresAt as string) - Date.now();
    assert.ok(left > 0 && left <= 60_000, expiresAt);
    assert.deepEqual(last, {
      clientId: 'robot-4',
      connected: false,
      subscriptionCount: 1,
      subscriptions: [{ filter: 'to/robot-4', qos: 1 }],
      queued: 1,
      inFlight: 0,
    });
    const { clients, sessionsAway } = await administration.statistics();
    assert.deepEqual([clients, sessionsAway], [4, 1]);
  });

  it('lists topics in the order in which they came, with what was published to each', async () => {
    const broker = await start();
    const { administration } = broker;
    const reader = new MqttPeer(broker.openStream(), 5);
    await reader.connect();
    await reader.subscribe('b/+', { qos: 0 });
    await administration.publish(message('b/1', { payload: Buffer.from('four'), retain: true }));
    await administration.publish(message('a'));
    reader.publish('b/1', 'x');
    reader.publish('c', '', { qos: 1 });
    await reader.expect('publish');
    await reader.expect('publish');
    await reader.expect('puback');
    const { entries, next } = await administration.topics({ offset: 0, limit: 2 });
    const [first, second] = entries;
    const { lastAt = '', bytes, ...told } = first ?? { bytes: 0 };
    assert.deepEqual(told, { topic: 'b/1', messages: 2, subscriptions: 1, retained: true });
    assert.equal(bytes, 'four'.length + 'x'.length);
    assert.ok(Date.now() - Date.parse(lastAt) < 60_000);
    assert.deepEqual([second?.topic, second?.subscriptions, second?.retained, next], ['a', 0, false, 2]);
    const rest = await administration.topics({ offset: 2, limit: 2 });
    assert.deepEqual([rest.entries.map(({ topic }) => topic), rest.next], [['c'], undefined]);
    assert.equal((await administration.statistics()).topics, 3);
  });

  it('lists retained messages in pages that are bounded in number and bytes, and clears them', async () => {
    const { administration } = await start();
    const topics = Array.from({ length: 2500 }, (_, index) => `r/${String(index).padStart(4, '0')}`);
    const properties = { contentType: 'text/plain' };
    await Promise.all(
      topics.map((topic) => administration.publish(message(topic, { qos: 1, retain: true, properties }))),
    );
    await administration.publish(message('other', { retain: true }));
    const listed: string[] = [];
    let pages = 0;
    for (let offset: number | undefined = 0; offset !== undefined; pages++) {
      const page = await administration.retained({ filter: 'r/#', offset, limit: 1000 });
      listed.push(...page.entries.map(({ topic }) => topic));
      const [{ topic: _, payload, ...rest }] = page.entries as [(typeof page.entries)[0]];
      assert.equal(payload.toString(), 'x');
      assert.deepEqual(rest, { qos: 1, retain: true, properties, clientId: '' });
      offset = page.next;
    }
    assert.deepEqual([listed.sort(), pages], [topics, 3]);

    const payload = Buffer.alloc(700_000);
    for (const topic of ['big/1', 'big/2', 'big/3']) {
      await administration.publish(message(topic, { payload, retain: true }));
    }
    const { entries, next } = await administration.retained({ filter: 'big/+', offset: 0, limit: 1000 });
    assert.deepEqual([entries.length, next], [2, 2]);

    assert.equal(await administration.clearRetained('r/+'), 2500);
    assert.equal(await administration.clearRetained('r/+'), 0);
    const left = await administration.retained({ filter: '#', offset: 0, limit: 10 });
    assert.deepEqual(left.entries.map(({ topic }) => topic).sort(), ['big/1', 'big/2', 'other']);
    assert.equal((await administration.statistics()).retained, 4);
    await assert.rejects(administration.clearRetained('a/#/b'), /topic filter "a\/#\/b"/);
    await assert.rejects(
      administration.retained({ filter: '', offset: 0, limit: 1 }),
      /topic filter is empty/,
    );
  });

  it('reads TLS files again when it is told to', async function () {
    const authority = new CertificateAuthority(counterpart(this, 'openssl'));
    try {
      const [one, two] = [authority.issue('one'), authority.issue('two')];
      const tls = { certificate: authority.path('live.pem'), key: authority.path('live.key') };
      const put = ({ certificate, key }: IssuedCertificate) => {
        copyFileSync(certificate, tls.certificate);
        copyFileSync(key, tls.key);
      };
      put(one);
      const host = '127.0.0.1';
      const broker = await start({
        listeners: [
          { kind: 'tls', host, port: 0, tls },
          { host, port: 0 },
        ],
      });
      const presented = async () => {
        const { port } = broker.status.listeners[0] as { port: number };
        const socket = connect({ port, host, ca: readFileSync(authority.certificate) });
        await once(socket, 'secureConnect');
        const { CN } = socket.getPeerCertificate().subject;
        socket.destroy();
        return CN;
      };
      assert.equal(await presented(), 'one');
      put(two);
      assert.equal(await broker.administration.reloadTls(), 1);
      assert.equal(await presented(), 'two');
      writeFileSync(tls.key, 'half a k');
      await assert.rejects(
        broker.administration.reloadTls(),
        /listener tls:\/\/127\.0\.0\.1:0: TLS certificate and key cannot be used/,
      );
      assert.equal(await presented(), 'two');
    } finally {
      authority.remove();
    }
  });

  it('leaves nobody waiting when the broker dies or stops', async () => {
    const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
    const broker = await start();
    const request = { clientId: 'c', reason: '', endSession: false };
    const worker = await created;
    void worker.terminate();
    const asked = broker.administration.disconnect(request);
    await assert.rejects(asked, /broker thread ended with code/);
    await assert.rejects(broker.administration.disconnect(request), /embedded broker is restarting/);
    await once(broker, 'status');
    const last = broker.administration.publish(message('t'));
    const stopped = broker.stop();
    await assert.rejects(last, /embedded broker is stopped/);
    await stopped;
  });
});
