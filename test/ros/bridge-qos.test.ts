import assert from 'node:assert/strict';
import { Connection } from '../../src/client/connection';
import { RosThread } from '../../src/ros/ros-thread';
import type { RouteQosSettings } from '../../src/ros/route-qos';
import type { EndpointQos } from '../../src/rtps/qos';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import { BEST_EFFORT, RELIABLE, route, STRING, TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const LATCHED: EndpointQos = { ...RELIABLE, durability: 'transient-local' };
const TRANSFORMS = 'tf2_msgs/msg/TFMessage';

describe('QoS of a route', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const store = (topic: string, payload: string, messageExpiryInterval?: number) =>
    bridges.client.publish(topic, payload, {
      qos: 1,
      retain: true,
      ...(messageExpiryInterval !== undefined && { properties: { messageExpiryInterval } }),
    });
  const transforms = (...frames: string[]) => ({
    transforms: frames.map((frame) => ({ child_frame_id: frame })),
  });
  const framesIn = (json: string | Buffer | undefined) =>
    (JSON.parse(String(json)) as { transforms: Array<{ child_frame_id: string }> }).transforms.map(
      (transform) => transform.child_frame_id,
    );

  it('has the broker store what a transient-local publisher says', async () => {
    const { peer, topic } = await bridges.bridged({ rosName: '/map' });
    const { publish } = await peer.publisher('/map', STRING, LATCHED);
    publish({ data: 'the map' });
    const stored = await Inbox.on(bridges.client, topic);
    await stored.until(({ messages }) => messages.length > 0);
    const late = await Inbox.on(await bridges.connect(), topic);
    await late.until(({ messages }) => messages.length === 1);
    assert.deepEqual([late.messages[0]?.retain, late.texts], [true, [`${topic}={"data":"the map"}`]]);
    await store(topic, '');
  });

  it('does not have the broker store it where the route says so, and has it store what is volatile', async () => {
    for (const [retain, qos] of [
      [false, LATCHED],
      [true, RELIABLE],
    ] as const) {
      const { bridge, peer, topic } = await bridges.bridged({ qos: { retain, mqtt: 2 } });
      const inbox = await Inbox.on(bridges.client, topic, 2, { retainAsPublished: true });
      const { publish } = await peer.publisher('/chatter', STRING, qos);
      await bridge.ready({ publishers: 1 });
      publish({ data: 'hello' });
      await inbox.until(({ messages }) => messages.length === 1);
      assert.deepEqual([inbox.messages[0]?.retain, inbox.messages[0]?.qos], [retain, 2]);
      inbox.close();
      if (retain) await store(topic, '');
    }
  });

  it('serves a transient-local subscription what the broker has stored, once somebody asks', async () => {
    const { bridge, peer, topic, domain } = await bridges.bridged({ direction: 'mqtt-to-ros' });
    await store(topic, '{"data":"stored"}');
    await peer.listen('/chatter');
    await bridge.ready({ subscriptions: 1 });
    await bridges.client.publish(topic, '{"data":"live"}', { qos: 1, retain: false });
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, ['{"data":"live"}']);
    const late = await bridges.peer(domain);
    await late.listen('/chatter', STRING, LATCHED);
    await late.until(() => late.heard.length > 0);
    assert.deepEqual(late.heard, ['{"data":"stored"}']);
    // Nobody lost anything while the publisher was made anew, and what comes is heard once.
    await bridges.client.publish(topic, '{"data":"to both"}', { qos: 1, retain: false });
    await peer.until(() => peer.heard.includes('{"data":"to both"}'));
    await late.until(() => late.heard.includes('{"data":"to both"}'));
    assert.equal(late.heard.length, 2);
    await store(topic, '');
  });

  it('gives ROS what the broker has stored where the route says so, and not where it does not, whoever asks', async () => {
    const { domain } = bridges;
    const topic = `ros/${domain}/chatter`;
    await store(topic, '{"data":"stored"}');
    const open = (retain: boolean) => {
      const routes = [route(domain, { direction: 'mqtt-to-ros', qos: { retain } })];
      return bridges.open({ mqtt: bridges.mqtt(), routes });
    };
    const giving = await open(true);
    await giving.until(() => giving.route()?.counts?.rosPublished === 1);
    await giving.close();
    const peer = await bridges.peer();
    await peer.listen('/chatter', STRING, LATCHED, 0);
    const bridge = await open(false);
    await bridge.until(() => bridge.route()?.offered?.durability === 'transient-local');
    await bridge.ready({ subscriptions: 1 });
    await bridges.say(topic, '{"data":"live"}');
    await peer.until(() => peer.heard.length > 0);
    assert.deepEqual(peer.heard, ['{"data":"live"}']);
    await store(topic, '');
  });

  it('has a broker that comes back store again what it has lost', async function () {
    const mosquitto = await Mosquitto.start(this);
    bridges.keep(mosquitto);
    const mqtt = {
      target: { url: mosquitto.url },
      protocolVersion: 5,
      clientId: 'b',
      keepAlive: 60,
    } as const;
    const { bridge, peer, topic } = await bridges.bridged(
      { rosName: '/map' },
      { mqtt: { ...mqtt, reconnect: { first: 50, longest: 100 } } },
    );
    const { publish } = await peer.publisher('/map', STRING, LATCHED);
    await bridge.ready({ publishers: 1 });
    await mosquitto.kill();
    await bridge.until(() => bridge.status?.mqtt?.state !== 'connected');
    publish({ data: 'first' });
    publish({ data: 'the map' });
    await bridge.until(() => bridge.messages.length === 2);
    await mosquitto.run();
    await bridge.until(() => bridge.route()?.counts?.mqttPublished === 1);
    const client = bridges.keep(new Connection(settingsFor(mosquitto.url)));
    client.open();
    const late = await Inbox.on(client, topic);
    await late.until(({ messages }) => messages.length === 1);
    assert.deepEqual(late.texts, [`${topic}={"data":"the map"}`]);
    assert.deepEqual(bridge.route()?.counts?.dropped, { offline: 1 });
  });

  it('has nothing stored twice by two bridges that take turns, and has the second store what is new', async () => {
    const { domain } = bridges;
    const routes = [route(domain, { rosName: '/map', direction: 'ros-to-mqtt' })];
    const change = { domains: [domain], routes };
    const first = await bridges.open({ id: 'a', mqtt: bridges.mqtt(), ...change });
    await first.ready();
    const second = await bridges.open({ id: 'b', mqtt: bridges.mqtt(), ...change });
    await second.until(() => second.route()?.standby?.['ros-to-mqtt'] === 'a');
    const topic = `ros/${domain}/map`;
    const inbox = await Inbox.on(bridges.client, topic);
    const peer = await bridges.peer(domain);
    const { publish } = await peer.publisher('/map', STRING, LATCHED, 1);
    publish({ data: 'the map' });
    await inbox.until(({ messages }) => messages.length === 1);
    await second.until(() => second.messages.length === 1);
    await first.close();
    await second.until(() => second.route()?.standby === undefined);
    const counts = () => second.route()?.counts;
    await second.until(() => (counts()?.dropped.standby ?? 0) + (counts()?.mqttPublished ?? 0) > 0);
    publish({ data: 'another map' });
    await inbox.until(({ texts }) => texts.includes(`${topic}={"data":"another map"}`));
    assert.deepEqual(inbox.texts, [`${topic}={"data":"the map"}`, `${topic}={"data":"another map"}`]);
    await store(topic, '');
  });

  for (const [where, thread] of [
    ['of the same participant', () => bridges.thread],
    ['of another participant', () => new RosThread()],
  ] as const) {
    it(`has the broker store it though a bridge ${where} would publish there what MQTT says`, async () => {
      const { domain } = bridges;
      const change = { domains: [domain], routes: [route(domain, { rosName: '/map' })] };
      const first = await bridges.open({ id: 'a', mqtt: bridges.mqtt(), ...change });
      await first.ready();
      const second = bridges.keep(TestBridge.create(thread(), { id: 'b', mqtt: bridges.mqtt(), ...change }));
      await second.handle.open();
      await second.until(() => second.route()?.standby?.['mqtt-to-ros'] === 'a');
      const peer = await bridges.peer(domain);
      const { publish } = await peer.publisher('/map', STRING, LATCHED, 2);
      publish({ data: 'the map' });
      const topic = `ros/${domain}/map`;
      await first.until(() => first.route()?.counts?.mqttPublished === 1);
      const late = await Inbox.on(await bridges.connect(), topic);
      await late.until(({ messages }) => messages.length === 1);
      assert.deepEqual([late.messages[0]?.retain, late.texts], [true, [`${topic}={"data":"the map"}`]]);
      for (const bridge of [first, second]) {
        await bridge.until(() => bridge.route()?.requested?.durability === 'transient-local');
        // Neither gives what is stored back to ROS for the other.
        assert.equal(bridge.route()?.offered?.durability, 'volatile');
        assert.deepEqual([bridge.problems, bridge.route()?.problems], [[], undefined]);
      }
      await store(topic, '');
    });
  }

  it('tells MQTT how long a message is of use', async () => {
    const { bridge, peer, topic } = await bridges.bridged();
    const inbox = await Inbox.on(bridges.client, topic);
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, lifespan: 30_500 });
    await bridge.ready({ publishers: 1 });
    publish({ data: 'hello' });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.properties?.messageExpiryInterval, 31);
  });

  it('has one stored message stand for the static transforms of all publishers', async () => {
    const { bridge, peer, topic, domain } = await bridges.bridged({
      rosName: '/tf_static',
      type: TRANSFORMS,
    });
    const other = await bridges.peer(domain);
    const first = await peer.publisher('/tf_static', TRANSFORMS, LATCHED);
    const second = await other.publisher('/tf_static', TRANSFORMS, LATCHED);
    // What comes before the broker is there is told to it as one.
    await bridge.ready({ publishers: 2 });
    first.publish(transforms('lidar', 'camera'));
    second.publish(transforms('imu'));
    await bridge.until(() => bridge.route()?.counts?.mqttPublished === 2);
    const late = await Inbox.on(bridges.client, topic);
    await late.until(({ messages }) => messages.length === 1);
    assert.deepEqual(framesIn(late.messages[0]?.payload).sort(), ['camera', 'imu', 'lidar']);
    assert.equal(bridge.route()?.note, undefined);
    await bridge.until(() => bridge.messages.length === 2);
    assert.deepEqual(
      bridge.messages.map(({ payload }) => framesIn(JSON.stringify(payload)).length).sort(),
      [1, 2],
    );
    await store(topic, '');
  });

  it('keeps for ROS the static transforms of all MQTT clients', async () => {
    const { bridge, peer, topic } = await bridges.bridged({
      rosName: '/tf_static',
      type: TRANSFORMS,
      direction: 'mqtt-to-ros',
      qos: { durability: 'transient-local' },
    });
    await bridge.ready();
    for (const frame of ['lidar', 'imu']) {
      await bridges.client.publish(topic, JSON.stringify(transforms(frame)), { qos: 1, retain: false });
    }
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 2);
    await peer.listen('/tf_static', TRANSFORMS, LATCHED);
    await peer.until(() => peer.heard.some((heard) => framesIn(heard).length === 2));
    assert.deepEqual(framesIn(peer.heard.at(-1)), ['lidar', 'imu']);
  });

  it('says what one stored message cannot represent', async () => {
    const { bridge, peer } = await bridges.bridged({ rosName: '/map' });
    await peer.publisher('/map', STRING, LATCHED);
    await peer.publisher('/map', STRING, LATCHED);
    const words = '2 publishers are transient local, the broker stores the last message of any';
    await bridge.until(() => bridge.route()?.note === words);
  });

  it('is announced in ROS, and subscribed with at the broker, as the route says', async () => {
    const qos: RouteQosSettings = {
      ...{ reliability: 'best-effort', durability: 'transient-local', depth: 7 },
      ...{ deadline: 3000, lifespan: 2000, mqtt: 0 },
    };
    const mqtt = bridges.mqtt();
    const { bridge, peer, topic } = await bridges.bridged({ qos }, { mqtt });
    const announced = () => peer.participant.endpoints.filter((each) => each.topic === 'rt/chatter');
    peer.participant.on('endpoint', () => peer.changed());
    await peer.until(() => announced().length === 2);
    const of = (kind: string) => announced().find((each) => each.kind === kind)?.qos;
    const { reliability, durability, deadline, lifespan } = qos;
    for (const kind of ['reader', 'writer']) {
      const found = of(kind);
      assert.deepEqual(
        [found?.reliability, found?.durability, found?.deadline],
        [reliability, durability, deadline],
      );
    }
    assert.equal(of('writer')?.lifespan, lifespan);
    const { requested, offered } = bridge.route() ?? {};
    assert.deepEqual([requested?.depth, offered?.depth], [7, 7]);
    await bridge.ready();
    await bridges.client.publish(topic, '{"data":"x"}', { qos: 2, retain: false });
    await bridges.mosquitto.logged(new RegExp(`Sending PUBLISH to ${mqtt.clientId} \\(d0, q0, .*'${topic}'`));
  });

  it('names the policy by which an endpoint does not match, until it has gone', async () => {
    const { bridge, peer } = await bridges.bridged({ rosName: '/scan', qos: { reliability: 'reliable' } });
    const { writer } = await peer.publisher('/scan', STRING, BEST_EFFORT, 0);
    const words = '/scan: publisher is best effort, route wants reliable';
    await bridge.until(() => bridge.route()?.problem === words && bridge.problems.length > 0);
    assert.deepEqual(bridge.route()?.problems, [words]);
    assert.deepEqual(bridge.problems, [words]);
    writer.close();
    await bridge.until(() => bridge.route()?.publishers === 0 && bridge.route()?.problem === undefined);
  });

  it('names the policy by which a subscription does not match', async () => {
    const { bridge, peer } = await bridges.bridged({ rosName: '/cmd', qos: { reliability: 'best-effort' } });
    await peer.listen('/cmd', STRING, RELIABLE, 0);
    const words = '/cmd: subscription wants reliable, route is best effort';
    await bridge.until(() => bridge.route()?.problem === words);
  });

  it('keeps the deadline that a subscription asks for in mind, and tells when it has passed', async () => {
    const { bridge, peer, topic } = await bridges.bridged({ direction: 'mqtt-to-ros' });
    await peer.listen('/chatter', STRING, { ...RELIABLE, deadline: 50 }, 0);
    await bridge.until(() => bridge.route()?.offered?.deadline === 50);
    await bridges.client.publish(topic, '{"data":"one"}', { qos: 1, retain: false });
    await peer.until(() => peer.heard.length === 1);
    const words = '/chatter: nothing was published within the deadline of 50 ms';
    await bridge.until(() => bridge.route()?.problem === words);
    assert.ok((bridge.route()?.counts?.deadlinesMissed ?? 0) > 0);
  });

  it('tells when publishers do not keep the deadline that they offer', async () => {
    const { bridge, peer } = await bridges.bridged({ direction: 'ros-to-mqtt' });
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, deadline: 50 });
    await bridge.ready({ publishers: 1 });
    publish({ data: 'one' });
    const words = '/chatter: no publisher has kept the deadline of 50 ms';
    await bridge.until(() => bridge.route()?.problem === words);
  });
});
