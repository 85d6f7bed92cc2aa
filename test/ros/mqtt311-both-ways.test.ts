import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING, type TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

/** Messages each way. */
const COUNT = 200;
/** Of each way at once. */
const LOT = 20;

const json = (data: string) => JSON.stringify({ data });

describe('a bridge that may carry both ways over MQTT 3.1.1', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const topic = () => `ros/${bridges.domain}/chatter`;
  const open = (change: Partial<BridgeSettings> = {}) =>
    bridges.open({
      mqtt: bridges.mqtt({ protocolVersion: 4 }),
      bothWaysOverMqtt311: true,
      graph: false,
      meta: false,
      routes: [route(bridges.domain)],
      ...change,
    });

  for (const mqtt of [0, 1] as const) {
    it(`carries each message once, and knows its own, at QoS ${mqtt}`, async () => {
      const bridge = await open({ routes: [route(bridges.domain, { qos: { mqtt } })] });
      const client = await bridges.connect(4);
      const inbox = await Inbox.on(client, topic());
      const peer = await bridges.peer();
      await peer.listen('/chatter');
      const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: LOT });
      await bridge.ready({ publishers: 1, subscriptions: 1 });
      const toMqtt: string[] = [];
      const toRos: string[] = [];
      const say = (data: string) => {
        toRos.push(json(data));
        return client.publish(topic(), json(data), { qos: 1, retain: false });
      };
      while (toRos.length < COUNT) {
        for (let index = 0; index < LOT; index++) {
          // Some say what has been said before, some what the other side says now.
          const data = `from ROS ${toMqtt.length % 150}`;
          toMqtt.push(json(data));
          publish({ data });
          void say(index % 10 === 0 ? data : `from MQTT ${toRos.length % 150}`);
        }
        await inbox.until(({ messages }) => messages.length >= toMqtt.length + toRos.length);
        await peer.until(() => peer.heard.length >= toRos.length);
        await bridge.until(() => bridge.route()?.counts?.dropped.echo === toMqtt.length);
      }
      // What the bridge has said is another's message when another says it.
      await say('from ROS 0');
      await peer.until(() => peer.heard.length >= toRos.length);
      await bridge.until(() => bridge.route()?.counts?.rosPublished === toRos.length);
      const texts = inbox.messages.map(({ payload }) => String(payload));
      assert.deepEqual(peer.heard.sort(), toRos.sort());
      assert.deepEqual(texts.sort(), [...toMqtt, ...toRos].sort());
      assert.deepEqual(bridge.route()?.counts?.dropped, { echo: COUNT });
      assert.deepEqual([bridge.problems, bridge.warnings], [[], []]);
    });
  }

  it('takes turns with another one, both ways', async () => {
    const first = await open({ id: 'a' });
    await first.ready();
    const second = await open({ id: 'b' });
    await second.until(() =>
      isDeepStrictEqual(second.route()?.standby, { 'ros-to-mqtt': 'a', 'mqtt-to-ros': 'a' }),
    );
    const inbox = await Inbox.on(bridges.client, topic());
    const peer = await bridges.peer();
    await peer.listen('/chatter', STRING, RELIABLE, 2);
    const { publish } = await peer.publisher('/chatter', STRING, RELIABLE, 2);
    for (const bridge of [first, second]) await bridge.ready({ publishers: 2, subscriptions: 2 });
    const stream = async (bridge: TestBridge, name: string) => {
      const [before, said] = [peer.heard.length, inbox.messages.length];
      const lot = Array.from({ length: 10 }, (_, index) => `${name} ${index}`);
      for (const data of lot) {
        publish({ data });
        await bridges.say(topic(), json(data));
      }
      await peer.until(() => peer.heard.length >= before + lot.length);
      await inbox.until(({ messages }) => messages.length >= said + 2 * lot.length);
      await bridge.until(() => bridge.route()?.counts?.dropped.echo === lot.length);
      assert.deepEqual(peer.heard.slice(before).sort(), lot.map(json));
      const texts = inbox.messages.slice(said).map(({ payload }) => String(payload));
      assert.deepEqual(texts.sort(), [...lot, ...lot].map(json).sort());
    };
    await stream(first, 'one');
    await first.close();
    await second.until(() => second.route()?.standby === undefined);
    await stream(second, 'two');
    assert.deepEqual([first.problems, second.problems], [[], []]);
  });

  it('does not give ROS what the broker has stored, which may be its own', async () => {
    const bridge = await open({ routes: [route(bridges.domain, { qos: { retain: true } })] });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1 });
    publish({ data: 'stored' });
    await bridge.until(() => bridge.route()?.counts?.dropped.echo === 1);
    await bridge.close();
    const next = await open({ routes: [route(bridges.domain, { qos: { retain: true } })] });
    await peer.listen('/chatter');
    await next.ready({ publishers: 1, subscriptions: 1 });
    await bridges.say(topic(), json('live'));
    await peer.until(() => peer.heard.length > 0);
    await next.until(() => next.route()?.counts?.rosPublished === 1);
    assert.deepEqual(peer.heard, [json('live')]);
    assert.deepEqual(next.route()?.counts?.dropped, { echo: 1 });
    await bridges.say(topic(), '', undefined, true);
  });

  it('opens no way back by a pattern for what it has published itself', async () => {
    const bridge = await open({
      routes: [],
      patterns: [{ action: 'allow', pattern: '/**', direction: 'both' }],
    });
    const routes = (count: number) => bridge.until(() => bridge.status?.patterns?.routes === count);
    const inbox = await Inbox.on(bridges.client, topic());
    await bridge.until(() => bridge.status?.patterns?.subscribed === true);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await routes(1);
    publish({ data: 'from ROS' });
    await inbox.until(({ messages }) => messages.length === 1);
    // What comes after it shows that it has come.
    await bridges.say(`ros/${bridges.domain}/other`, json('later'));
    await routes(2);
    const names = (await bridge.handle.listRoutes()).map(({ rosName, direction }) => [rosName, direction]);
    assert.deepEqual(names, [
      ['/chatter', 'ros-to-mqtt'],
      ['/other', 'mqtt-to-ros'],
    ]);
    const listening = peer.listen('/chatter');
    await bridges.say(topic(), json('first'));
    await listening;
    await bridges.say(topic(), json('second'));
    await peer.until(() => peer.heard.includes(json('second')));
    assert.ok(!peer.heard.includes(json('from ROS')), peer.heard.join());
  });
});
