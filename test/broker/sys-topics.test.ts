import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { newStatistics } from '../../src/broker/statistics';
import { SysTopics } from '../../src/broker/sys-topics';
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
      'clients/throttled': '0',
      'clients/throttled time': '0',
      'latency/mean': '0.000',
      'latency/maximum': '0.000',
    };
    for (const [name, value] of Object.entries(expected)) assert.equal(first[name], value, name);
    assert.equal(first['bytes/received'], String(bytesReceived));
    assert.equal(Object.keys(first).length, Object.keys(expected).length + 2 + 27);

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
    const figures = { clientsAway: 0, sharedSubscriptions: 0 };
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

  it('have the mean and the longest time of a turn', () => {
    const statistics = newStatistics();
    const topics = new SysTopics(10);
    const figures = { clientsAway: 0, sharedSubscriptions: 0 };
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
