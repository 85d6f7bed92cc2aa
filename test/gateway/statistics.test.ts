import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { KnownBridge } from '../../src/gateway/gateway';
import { RateMeter } from '../../src/gateway/rate-meter';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { createBridge } from '../../src/ros/create-bridge';
import { RosTopicMapping } from '../../src/topic/ros-topic';
import { counterpart } from '../counterparts';
import { GatewayFixture } from './gateway-fixture';
import { LiveClient } from './live-client';

/** Reads metrics as Prometheus' own library does; fails with its reason where it cannot. */
const READ_METRICS = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(json.dumps({"type": family.type, "name": sample.name, "labels": sample.labels, "value": sample.value}))
`;

const NAME = 'A "quoted" \\ name\nin two lines';

interface Sample {
  type: string;
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** The samples of a text in Prometheus' format. */
function samplesOf(text: string): Sample[] {
  // Debian's own Python has the library.
  const lines = execFileSync('/usr/bin/python3', ['-c', READ_METRICS], { input: text, encoding: 'utf8' });
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample);
}

describe('statistics of the gateway', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  let fixture: GatewayFixture;

  beforeEach(async () => {
    broker = new BrokerThread({ listeners: [] });
    await broker.start();
    const known = { id: 'ours', name: NAME, broker };
    const mapping = new RosTopicMapping({ aliases: { factory: 7 } });
    fixture = await GatewayFixture.start({ sources: { embeddedBrokers: () => [known] }, mapping });
  });
  afterEach(async () => {
    await fixture.stop();
    await broker.stop();
  });

  it('count what was published, received, kept and sent to readers', async () => {
    await fixture.api.post('/subscribe', { broker_id: 'ours', topic: 'a', qos: 1, history: 1 });
    const reader = await LiveClient.open(`ws://127.0.0.1:${fixture.port}/ws/ours/a`);
    await reader.until('subscribed');
    for (const payload of ['12345', '67890']) {
      await fixture.api.post('/publish', { broker_id: 'ours', topic: 'a', payload, qos: 1 });
    }
    await reader.until('message', 2);
    const { body } = await fixture.api.get('/stats');
    const [connection] = body.connections;
    assert.deepEqual(
      [connection.state, connection.published, connection.published_bytes, connection.failed],
      ['connected', 2, 10, 0],
    );
    assert.ok(connection.latency.p99 >= connection.latency.p50 && connection.latency.p50 > 0);
    // Once for the subscription and once for all readers.
    assert.deepEqual([connection.received, connection.received_bytes], [4, 20]);
    const [subscription] = body.subscriptions;
    assert.deepEqual([subscription.received, subscription.kept, subscription.dropped], [2, 1, 1]);
    assert.deepEqual(body.readers, {
      connected: 1,
      topics: 1,
      sent: 2,
      missed: 0,
      cut_off: 0,
      waiting_bytes: 0,
    });
    const [embedded] = body.embedded_brokers;
    // The gateway, and its readers of the topic.
    assert.deepEqual([embedded.clients, embedded.messages_received, embedded.state], [2, 2, 'running']);
    await reader.close();
  });

  it('are metrics as Prometheus reads them, whatever names there are', async function () {
    counterpart(this, 'prometheus-client');
    await fixture.api.post('/brokers', { name: 'x"}\n# TYPE y', host: '127.0.0.1', port: 1 });
    await fixture.api.post('/publish', { broker_id: 'ours', topic: 'ros/0/a', payload: 'abc', qos: 1 });
    const { body, headers } = await fixture.api.get('/metrics');
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const samples = samplesOf(body);
    const value = (name: string, labels: Record<string, string> = {}) =>
      samples.find((each) => each.name === name && isDeepStrictEqual(each.labels, labels))?.value;
    assert.equal(value('mqtt_ros_info', { version: '1.2.3' }), 1);
    const labels = { broker: 'ours', name: NAME };
    assert.equal(value('mqtt_ros_connection_published_messages_total', labels), 1);
    assert.equal(value('mqtt_ros_broker_messages_received_total', labels), 1);
    assert.equal(value('mqtt_ros_broker_up', labels), 1);
    assert.equal(value('mqtt_ros_readers'), 0);
    const topic = { ...labels, topic: 'ros/0/a', domain: '0', ros_name: '/a' };
    assert.equal(value('mqtt_ros_topic_messages_total', topic), 1);
    assert.equal(value('mqtt_ros_topic_bytes_total', topic), 3);
    const series = samples.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`);
    assert.equal(new Set(series).size, series.length);
    for (const { type, name } of samples) assert.equal(type === 'counter', name.endsWith('_total'), name);
    assert.ok(samples.some((each) => each.labels.name === 'x"}\n# TYPE y'));
  });

  const publish = (topic: string, payload = 'abc') =>
    broker.administration.publish({
      topic,
      payload: Buffer.from(payload),
      qos: 0,
      retain: false,
      properties: {},
    });
  const topics = async (of = fixture) => (await of.api.get('/stats')).body.embedded_brokers[0].ros_topics;

  it('tell the topics of ROS as the bridges have them, and by the mapping in domains that none has', async () => {
    const bridgesNow: KnownBridge[] = [];
    const sources = {
      embeddedBrokers: () => [{ id: 'ours', name: 'ours', broker }],
      bridges: () => bridgesNow,
    };
    const add = (id: string, settings: Partial<BridgeSettings>) =>
      bridgesNow.push({ id, name: id, bridge: createBridge(settings), at: { embedded: 'ours' } });
    const named = async (of: GatewayFixture) =>
      (await topics(of))?.map((each: { topic: string; domain: number; name: string }) => [
        each.topic,
        each.domain,
        each.name,
      ]);
    const mapped = await GatewayFixture.start({ sources, mapping: new RosTopicMapping() });
    const plain = await GatewayFixture.start({ sources });
    try {
      for (const topic of ['plant/speed', 'ros/car/scan', 'ros/0/scan', 'ros/0/speed', 'ros/9/scan'])
        await publish(topic);
      assert.equal(await named(plain), undefined);
      add('first', {
        routes: [{ rosName: '/speed', type: '', direction: 'both', mqttTopic: 'plant/speed' }],
      });
      add('second', { domains: [3], aliases: { car: 3 }, namespaces: [{ ros: '/car', mqtt: '' }] });
      for (const each of [mapped, plain]) each.gateway.renew();
      const bridged = [
        ['plant/speed', 0, '/speed'],
        ['ros/car/scan', 3, '/car/scan'],
        ['ros/0/scan', 0, '/scan'],
      ];
      assert.deepEqual(await named(plain), bridged);
      assert.deepEqual(await named(mapped), [...bridged, ['ros/9/scan', 9, '/scan']]);
      // What they have at another broker says nothing of this one.
      for (const each of bridgesNow) each.at = { url: 'mqtt://127.0.0.1' };
      for (const each of [mapped, plain]) each.gateway.renew();
      assert.equal(await named(plain), undefined);
      assert.deepEqual(
        (await named(mapped)).map(([topic]: string[]) => topic),
        ['ros/0/scan', 'ros/0/speed', 'ros/9/scan'],
      );
    } finally {
      await Promise.all([mapped.stop(), plain.stop()]);
    }
  });

  it('tell the topics of ROS, the first ones where there are many', async () => {
    assert.deepEqual(await topics(), []);
    for (const topic of ['a', 'ros/factory/arm/joint_states', 'ros/0/chatter/@meta', 'ros/x/chatter'])
      await publish(topic);
    await publish('ros/factory/arm/joint_states', 'defg');
    const [{ last_at, ...found }, ...others] = await topics();
    assert.deepEqual(others, []);
    assert.deepEqual(found, {
      ...{ topic: 'ros/factory/arm/joint_states', domain: 7, name: '/arm/joint_states' },
      ...{ node: 'arm', message_type: 'joint_states', messages: 2, bytes: 7 },
    });
    await Promise.all(
      Array.from({ length: 1500 }, (_each, index) =>
        publish(index < 1200 ? `b/${index}` : `ros/0/n${index}`),
      ),
    );
    const many = await topics();
    assert.equal(many.length, 200);
    assert.equal(many[199].topic, 'ros/0/n1398');
  });

  it('leave out the counts of a broker that does not run', async () => {
    await broker.stop();
    const { body } = await fixture.api.get('/stats');
    const [{ id, state, ...counts }] = body.embedded_brokers;
    assert.deepEqual([id, state, Object.keys(counts)], ['ours', 'stopped', ['name']]);
    assert.match((await fixture.api.get('/metrics')).body, /^mqtt_ros_broker_up\{.*\} 0$/m);
  });

  it('have rates over the last ten seconds', () => {
    let now = 5000;
    const meter = new RateMeter(() => now);
    for (let second = 0; second < 20; second++) {
      for (let count = 0; count < 30; count++) meter.count();
      now += 1000;
    }
    assert.equal(meter.perSecond, 30);
    now += 5000;
    assert.equal(meter.perSecond, 15);
    now += 3_600_000;
    assert.equal(meter.perSecond, 0);
  });
});
