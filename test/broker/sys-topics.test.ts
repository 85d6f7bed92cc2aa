import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { countLatency } from '../../src/broker/latency-histogram';
import { newStatistics } from '../../src/broker/statistics';
import { SysTopics } from '../../src/broker/sys-topics';
import { Mosquitto } from '../client/mosquitto';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';

/** All that has come, by topic. */
async function received(peer: MqttPeer): Promise<Record<string, string>> {
  peer.send({ type: 'pingreq' });
  const values: Record<string, string> = {};
  for (let packet = await peer.next(); packet?.type !== 'pingresp'; packet = await peer.next()) {
    assert.equal(packet?.type, 'publish');
    if (packet?.type === 'publish')
      values[packet.topic.replace('$SYS/broker/', '')] = packet.payload.toString();
  }
  return values;
}

describe('the topics below $SYS', () => {
  it('tell of the broker under mosquitto’s names: retained, and again when they change', async () => {
    const broker = new BrokerInProcess();
    broker.pass(0);
    const away = { clientId: 'away', properties: { sessionExpiryInterval: 15 } };
    await (await broker.client(5, away)).vanish();
    const client = await broker.client(4);
    await client.subscribe('$share/g/t');
    client.publish('t', 'kept', { retain: true });
    assert.equal((await client.expect('publish')).payload.toString(), 'kept');
    broker.pass(10);
    const { bytesReceived } = broker.statistics;

    const watcher = await broker.client(5);
    await watcher.subscribe('$SYS/#');
    const first = await received(watcher);
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    const expected = {
      version: `node-red-mqtt-ros version ${version}`,
      uptime: '10 seconds',
      'clients/total': '2',
      'clients/connected': '1',
      'clients/active': '1',
      'clients/disconnected': '1',
      'clients/inactive': '1',
      'clients/maximum': '1',
      'clients/expired': '0',
      'messages/received': '4',
      'messages/sent': '4',
      'publish/messages/received': '1',
      'publish/messages/sent': '1',
      'publish/messages/dropped': '0',
      'retained messages/count': '1',
      'subscriptions/count': '1',
      'shared_subscriptions/count': '1',
      'connections/refused': '0',
      'publish/messages/expired': '0',
      'publish/messages/refused': '0',
      'clients/throttled': '0',
      'clients/throttled time': '0',
      'latency/mean': '0.000',
      'latency/maximum': '0.000',
      'latency/p50': '0.010',
      'latency/p99': '0.010',
      'publish/bytes/received': '4',
      'publish/bytes/sent': '4',
      'store/messages/count': '1',
      'messages/stored': '1',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(first[name], value, name);
    assert.equal(first['bytes/received'], String(bytesReceived));
    for (const figure of ['store/messages/bytes', 'heap/current', 'memory/held'])
      assert.ok(Number(first[figure]) > 0, figure);
    assert.ok(Number(first['heap/maximum']) >= Number(first['heap/current']));
    assert.equal(Object.keys(first).length, Object.keys(expected).length + 6 + 27);

    broker.pass(9);
    assert.deepEqual(await received(watcher), {});
    broker.pass(1);
    const second = await received(watcher);
    assert.equal(second.uptime, '20 seconds');
    assert.equal(second['clients/expired'], '1');
    assert.equal(second['clients/connected'], '2');
    assert.equal(second.version, undefined);
    assert.equal(second['retained messages/count'], undefined);
  });

  it('are not matched by leading wildcards, and are not there when not wanted', async () => {
    const broker = new BrokerInProcess();
    broker.pass(0);
    const client = await broker.client(5);
    await client.subscribe('#');
    await client.subscribe('+/broker/uptime');
    broker.pass(10);
    await client.expectNothing();
    const silent = new BrokerInProcess({ sysInterval: 0 });
    silent.pass(0);
    const watcher = await silent.client(5);
    await watcher.subscribe('$SYS/#');
    silent.pass(100);
    await watcher.expectNothing();
  });

  it('have load averages per minute, in which older minutes count less', () => {
    const statistics = newStatistics();
    const topics = new SysTopics(10);
    const figures = { clientsAway: 0, sharedSubscriptions: 0, heldMessages: 0, heldBytes: 0, heap: 0 };
    const load = (now: number) => {
      const changed = new Map(topics.changes(statistics, figures, now));
      return ['1min', '5min', '15min'].map((span) =>
        changed.get(`$SYS/broker/load/publish/received/${span}`),
      );
    };
    assert.deepEqual(load(0), ['0.00', '0.00', '0.00']);
    statistics.messagesReceived += 100;
    // 600 a minute: times 1 - e^(-1/6), 1 - e^(-1/30), 1 - e^(-1/90).
    assert.deepEqual(load(10_000), ['92.11', '19.67', '6.63']);
    assert.deepEqual(load(20_000), ['77.97', '19.03', '6.56']);
  });

  it('have every name that mosquitto has', async function () {
    this.timeout(60_000);
    const mosquitto = await Mosquitto.start(this, ['sys_interval 1', 'persistence false']);
    const names = new Set<string>();
    try {
      const client = await connectAsync(mosquitto.url);
      const complete = new Promise<void>((resolve) => {
        // Mosquitto tells of a load only when there was one.
        client.on('message', (topic) => {
          if (topic.startsWith('$SYS/')) names.add(topic);
          if (names.has('$SYS/broker/load/messages/sent/15min') && topic === '$SYS/broker/heap/maximum')
            resolve();
        });
      });
      await client.publishAsync('kept', 'x', { retain: true });
      await client.subscribeAsync('$SYS/#');
      await client.subscribeAsync('kept');
      await complete;
      await client.endAsync();
    } finally {
      await mosquitto.stop();
    }
    assert.ok(names.size > 40, [...names].join());
    const topics = new SysTopics(10);
    const figures = { clientsAway: 0, sharedSubscriptions: 0, heldMessages: 0, heldBytes: 0, heap: 0 };
    const ours = new Set(topics.changes(newStatistics(), figures, 0).map(([topic]) => topic));
    assert.deepEqual(
      [...names].filter((name) => !ours.has(name)),
      [],
    );
  });

  it('have the time within which messages were sent, in classes a factor of 1.4 wide', () => {
    const statistics = newStatistics();
    const topics = new SysTopics(10);
    const figures = { clientsAway: 0, sharedSubscriptions: 0, heldMessages: 0, heldBytes: 0, heap: 0 };
    const look = (now: number) => {
      const changed = new Map(topics.changes(statistics, figures, now));
      return ['p50', 'p99'].map((name) => Number(changed.get(`$SYS/broker/latency/${name}`)));
    };
    assert.deepEqual(look(0), [0, 0]);
    countLatency(statistics.latencies, 0.004, 600);
    countLatency(statistics.latencies, 3, 395);
    countLatency(statistics.latencies, 100_000, 5);
    const [median, most] = look(10_000) as [number, number];
    assert.equal(median, 0.01);
    assert.ok(most >= 3 && most < 3 * Math.SQRT2, String(most));
    countLatency(statistics.latencies, 50, 1);
    const [later] = look(20_000) as [number, number];
    assert.ok(later >= 50 && later < 50 * Math.SQRT2, String(later));
  });

  it('have the mean and the longest time of a turn', () => {
    const statistics = newStatistics();
    const topics = new SysTopics(10);
    const figures = { clientsAway: 0, sharedSubscriptions: 0, heldMessages: 0, heldBytes: 0, heap: 0 };
    topics.changes(statistics, figures, 0);
    Object.assign(statistics, { turns: 4, turnTime: 10, longestTurn: 5.5 });
    const changed = new Map(topics.changes(statistics, figures, 10_000));
    assert.equal(changed.get('$SYS/broker/latency/mean'), '2.500');
    assert.equal(changed.get('$SYS/broker/latency/maximum'), '5.500');
    const after = new Map(topics.changes(statistics, figures, 20_000));
    assert.equal(after.get('$SYS/broker/latency/mean'), '0.000');
    assert.equal(after.get('$SYS/broker/latency/maximum'), '0.000');
  });
});
