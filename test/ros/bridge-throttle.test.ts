import assert from 'node:assert/strict';
import { Inbox } from '../client/observed';
import { MqttBridges } from './mqtt-bridges';

const FLOAT = 'std_msgs/msg/Float64';

describe('rate limit and deadband of a route', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const deadband = { path: 'data', threshold: 1 };
  // The second would have its turn in a quarter of an hour.
  const rate = { perSecond: 0.001, policy: 'latest' } as const;

  it('keep back what says nothing new on its way to MQTT, and count it', async () => {
    const { bridge, peer, topic } = await bridges.bridged({ type: FLOAT, deadband });
    const inbox = await Inbox.on(bridges.client, topic);
    const { publish } = await peer.publisher('/chatter', FLOAT);
    await bridge.ready({ publishers: 1 });
    for (const data of [20, 20.5, 22, 21.5]) publish({ data });
    await bridge.until(() => bridge.route()?.counts?.dropped.deadband === 2);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(inbox.texts, [`${topic}={"data":20}`, `${topic}={"data":22}`]);
    await bridge.until(() => bridge.messages.length === 2);
  });

  it('keep back what says nothing new on its way to ROS, and count it', async () => {
    const { bridge, peer, topic } = await bridges.bridged({ type: FLOAT, deadband });
    await peer.listen('/chatter', FLOAT);
    await bridge.ready({ subscriptions: 1 });
    for (const data of [20, 20.5, 22, 21.5]) await bridges.say(topic, JSON.stringify({ data }));
    await bridge.until(() => bridge.route()?.counts?.dropped.deadband === 2);
    await peer.until(() => peer.heard.length === 2);
    assert.deepEqual(peer.heard, ['{"data":20}', '{"data":22}']);
  });

  for (const policy of ['latest', 'queue'] as const) {
    it(`keep back what comes too often on its way to MQTT, or have it wait: ${policy}`, async () => {
      const perSecond = policy === 'latest' ? 1 : 10;
      const { bridge, peer, topic } = await bridges.bridged({ type: FLOAT, rate: { perSecond, policy } });
      const inbox = await Inbox.on(bridges.client, topic);
      const { publish } = await peer.publisher('/chatter', FLOAT);
      await bridge.ready({ publishers: 1 });
      for (const data of [1, 2, 3]) publish({ data });
      const expected = policy === 'latest' ? [1, 3] : [1, 2, 3];
      await inbox.until(({ messages }) => messages.length === expected.length);
      assert.deepEqual(
        inbox.texts,
        expected.map((data) => `${topic}={"data":${data}}`),
      );
      await bridge.until(() => (bridge.route()?.counts?.dropped.rate ?? 0) === 3 - expected.length);
    });
  }

  it('keep nothing back that MQTT has cleared', async () => {
    const qos = { durability: 'transient-local' } as const;
    const { bridge, topic } = await bridges.bridged({ type: FLOAT, rate, deadband, qos });
    await bridge.ready();
    for (const payload of ['{"data":1}', '{"data":3}', '', '{"data":3}']) await bridges.say(topic, payload);
    await bridge.until(() => bridge.route()?.counts?.mqttReceived === 4);
    assert.deepEqual(bridge.route()?.counts?.dropped, { rate: 1, empty: 1 });
  });

  it('keep back what comes too often on its way to ROS, and count it', async () => {
    const { bridge, peer, topic } = await bridges.bridged({ type: FLOAT, rate });
    await peer.listen('/chatter', FLOAT);
    await bridge.ready({ subscriptions: 1 });
    const say = (data: number) =>
      bridges.client.publish(topic, JSON.stringify({ data }), { qos: 1, retain: false });
    await say(1);
    await peer.until(() => peer.heard.length === 1);
    await say(2);
    await say(3);
    await bridge.handle.publish(topic, { data: 4 });
    await bridge.until(() => bridge.route()?.counts?.dropped.rate === 2);
    assert.deepEqual(bridge.route()?.counts?.rosPublished, 1);
    assert.deepEqual(peer.heard, ['{"data":1}']);
  });
});
