import assert from 'node:assert/strict';
import type { TopicRouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { PayloadFormat } from '../../src/ros/payload-format';
import type { EndpointQos } from '../../src/rtps/qos';
import { Inbox } from '../client/observed';
import { RELIABLE, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const IMU = 'sensor_msgs/msg/Imu';
const LATCHED: EndpointQos = { ...RELIABLE, durability: 'transient-local', depth: 3 };

describe('payload format of a route', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const codec = MessageCodec.for(InterfaceLibrary.bundled(), IMU);
  const imu = codec.encode({ header: { frame_id: 'imu' }, angular_velocity: { z: 0.5 } });
  /** A bridge with one route, and a ROS program on both sides of its topic. */
  const bridged = async (format: PayloadFormat, change: Partial<TopicRouteSettings> = {}) => {
    const { rosName = '/chatter', type = STRING } = change;
    const { bridge, peer, topic } = await bridges.bridged({ ...change, format });
    await peer.listen(rosName, type);
    const { writer, publish } = await peer.publisher(rosName, type, RELIABLE);
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    const say = (payload: string | Buffer, contentType?: string) =>
      bridges.client.publish(topic, payload, {
        qos: 1,
        retain: false,
        ...(contentType !== undefined && { properties: { contentType } }),
      });
    return { bridge, peer, writer, publish, topic, say, inbox: await Inbox.on(bridges.client, topic) };
  };

  it('carries CDR untouched, and says that it is CDR', async () => {
    const { bridge, peer, writer, topic, say, inbox } = await bridged('cdr', { type: IMU });
    writer.write(imu);
    await inbox.until(({ messages }) => messages.length === 1);
    const { payload, properties } = inbox.messages[0] ?? {};
    assert.deepEqual(payload, imu);
    assert.deepEqual(
      [properties?.contentType, properties?.payloadFormatIndicator, properties?.userProperties?.['ros-type']],
      ['application/cdr', undefined, IMU],
    );
    await bridge.until(() => bridge.messages.length === 1);
    assert.deepEqual(bridge.messages[0]?.payload, imu);
    await say(imu);
    await bridge.handle.publish(topic, imu);
    await peer.until(() => peer.heard.length === 2);
    await bridge.until(() => bridge.route()?.counts?.rosPublishedBytes === 2 * imu.length);
    const { rosReceivedBytes, mqttPublishedBytes, mqttReceivedBytes } = bridge.route()?.counts ?? {};
    assert.deepEqual(
      [rosReceivedBytes, mqttPublishedBytes, mqttReceivedBytes],
      [imu.length, imu.length, imu.length],
    );
    const { messages, p50 = 0, p99 = 0 } = bridge.route()?.latency ?? {};
    assert.ok(messages === 1 && p50 > 0 && p50 === p99, `latency ${p50} and ${p99} of ${messages}`);
    assert.deepEqual(peer.heard, [codec.decodeToJson(imu), codec.decodeToJson(imu)]);
  });

  it('keeps CDR as it came for those who ask for it later', async () => {
    const qos = { durability: 'transient-local', depth: 3 } as const;
    const { bridge, peer, topic } = await bridges.bridged({ format: 'cdr', type: IMU, qos });
    await bridge.until(() => bridge.route()?.subscribed === true);
    const samples = [1, 2, 3].map((z) => codec.encode({ angular_velocity: { z } }));
    for (const [index, sample] of samples.entries()) {
      await bridges.say(topic, sample);
      // Each is read for itself.
      await bridge.until(() => bridge.route()?.counts?.rosPublished === index + 1);
    }
    await peer.listen('/chatter', IMU, LATCHED);
    await peer.until(() => peer.heard.length === 3);
    assert.deepEqual(
      peer.heard,
      samples.map((sample) => codec.decodeToJson(sample)),
    );
  });

  it('refuses what is no CDR of the type, and carries JSON that says so', async () => {
    const { bridge, peer, topic, say } = await bridged('cdr', { type: IMU });
    await say(imu.subarray(0, 100));
    await say('{}', 'application/json');
    await peer.until(() => peer.heard.length === 1);
    await bridge.until(() => bridge.route()?.counts?.dropped.invalid === 1);
    const problem = '/chatter: payload has 100 bytes, fewer than CDR of sensor_msgs/msg/Imu takes (313)';
    assert.deepEqual(bridge.problems, [problem]);
    await assert.rejects(bridge.handle.publish(topic, imu.subarray(0, 100)), new Error(problem));
  });

  it('carries as text what DeepROS publishes as JSON of a String', async () => {
    const rosName = '/sensor_fusion/sensor_data';
    const { bridge, peer, publish, topic, say, inbox } = await bridged('text', { rosName, type: STRING });
    const reading = '{"timestamp": 1756000000.5, "temperature": 21.5, "humidity": 40}';
    await say(reading);
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(JSON.parse(peer.heard[0] ?? ''), { data: reading });
    await inbox.until(({ messages }) => messages.length === 1);
    publish({ data: reading });
    await inbox.until(({ messages }) => messages.length === 2);
    const { payload, properties } = inbox.messages[1] ?? {};
    assert.deepEqual(
      [String(payload), properties?.contentType, properties?.payloadFormatIndicator],
      [reading, 'text/plain', true],
    );
    await bridge.until(() => bridge.messages.length === 1);
    assert.equal(bridge.messages[0]?.payload, reading);
    await bridge.handle.publish(topic, 'from the flow');
    await peer.until(() => peer.heard.length === 2);
    assert.equal(peer.heard[1], '{"data":"from the flow"}');
  });
});
