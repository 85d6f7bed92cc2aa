import assert from 'node:assert/strict';
import { BridgeTopics, mqttTopicFault } from '../../src/ros/bridge-topics';
import { RosTopicMapping } from '../../src/topic/ros-topic';

const route = (rosName: string, mqttTopic?: string, domain = 0) => ({
  domain,
  rosName,
  ...(mqttTopic !== undefined && { mqttTopic }),
});
const service = (rosName: string, mqttTopic?: string) => ({
  kind: 'service' as const,
  ...route(rosName, mqttTopic),
});

describe('BridgeTopics', () => {
  let topics: BridgeTopics;
  beforeEach(() => {
    topics = new BridgeTopics(new RosTopicMapping({ aliases: { dock: 2 } }), [0, 2]);
  });

  it('have a route by the mapping, or by the topic that it names, with the levels below it', () => {
    assert.equal(topics.take(route('/scan')).name, 'ros/0/scan');
    const named = topics.take(route('/imu', 'plant/line 1/imu'));
    assert.deepEqual(
      [named.name, named.below('meta'), named.below('param', ['value', 'rate'])],
      ['plant/line 1/imu', 'plant/line 1/imu/@meta', 'plant/line 1/imu/@param/value/rate'],
    );
    assert.throws(() => named.below('param', ['value', '']), /"" is not a topic level below @param/);
    assert.equal(topics.of(route('/imu')).name, 'plant/line 1/imu');
  });

  it('find the route of a topic, each kind by its own levels', () => {
    topics.take(route('/imu', 'plant/x'));
    topics.take(service('/add', 'plant/x'));
    topics.take(service('/stop', 'plant/stop'));
    assert.deepEqual(topics.toRos('plant/x'), { domain: 0, rosName: '/imu' });
    assert.deepEqual(topics.toRos('plant/x/@meta'), { domain: 0, rosName: '/imu', kind: 'meta', rest: [] });
    const request = { domain: 0, rosName: '/add', kind: 'req', rest: ['7', 'a'] };
    assert.deepEqual(topics.toRos('plant/x/@req/7/a'), request);
    assert.deepEqual(topics.toRos('plant/stop'), { domain: 0, rosName: '/stop', kind: 'req', rest: [] });
    assert.deepEqual(topics.toRos('ros/dock/imu'), { domain: 2, rosName: '/imu' });
    for (const other of ['plant', 'plant/x/y', 'plant/x/@action/goal', 'other']) {
      assert.equal(topics.toRos(other), undefined, other);
    }
  });

  it('leave the topic by the mapping to nobody where a route names another', () => {
    topics.take(route('/imu', 'plant/imu'));
    const fault = 'topic "ros/0/imu": /imu has the MQTT topic "plant/imu" here';
    assert.deepEqual(topics.toRos('ros/0/imu'), { fault });
    assert.deepEqual(topics.toRos('ros/0/imu/@req'), { domain: 0, rosName: '/imu', kind: 'req', rest: [] });
    topics.release(route('/imu'));
    assert.deepEqual(topics.toRos('ros/0/imu'), { domain: 0, rosName: '/imu' });
    assert.equal(topics.toRos('plant/imu'), undefined);
  });

  it('refuse a topic that is another route’s, or by the mapping another name’s', () => {
    const imu = route('/imu', 'plant/imu');
    topics.take(imu);
    topics.take(imu);
    const refused = (taken: Parameters<BridgeTopics['take']>[0], message: string) =>
      assert.throws(() => topics.take(taken), { message });
    refused(route('/scan', 'plant/imu'), 'MQTT topic "plant/imu" is already that of /imu in domain 0');
    refused(
      route('/scan', 'ros/dock/imu'),
      'MQTT topic "ros/dock/imu" is that of /imu in domain 2 by the mapping',
    );
    // Neither is a domain of this bridge.
    topics.take(route('/scan', 'ros/5/scan'));
    topics.take(route('/odom', 'ros/somewhere/odom'));
    assert.equal(topics.take(route('/tf', 'ros/0/tf')).name, 'ros/0/tf');
    refused(
      service('/add', 'plant/#'),
      'MQTT topic "plant/#" is not valid: topic name "plant/#" contains a wildcard (+ or #), which only filters may',
    );
  });

  it('let a name have a topic of its own that has none by the mapping, because a namespace has taken it', () => {
    const namespaces = [{ domain: 0, ros: '/robot1', mqtt: '' }];
    topics = new BridgeTopics(new RosTopicMapping({ namespaces }), [0]);
    assert.throws(() => topics.take(route('/scan')), /scan/);
    assert.equal(topics.take(route('/scan', 'plant/scan')).name, 'plant/scan');
    assert.equal(topics.take(route('/robot1/scan', 'ros/0/scan')).name, 'ros/0/scan');
    assert.deepEqual(topics.toRos('plant/scan'), { domain: 0, rosName: '/scan' });
    assert.throws(() => topics.take(service('/robot1/add', 'ros/0/add/@req')), /begins with @/);
  });

  it('say what is wrong with a topic', () => {
    for (const [topic, fault] of [
      ['$SYS/x', /kept for brokers/],
      ['plant/', /empty level/],
      ['plant/@req', /begins with @/],
      ['@x', /begins with @/],
      ['', /is empty/],
    ] as const) {
      assert.match(mqttTopicFault(topic) ?? '', fault);
    }
    assert.equal(mqttTopicFault('/plant/a@b'), undefined);
  });
});
