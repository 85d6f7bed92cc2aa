import assert from 'node:assert/strict';
import { Requester } from '../../src/client/requester';
import type { BridgeSettings, RouteSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';

describe('a route that names its MQTT topic', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const open = (routes: RouteSettings[], change: Partial<BridgeSettings> = {}) =>
    bridges.open({ mqtt: bridges.mqtt(), routes, ...change });

  it('carries a topic under it both ways, describes itself below it, and takes the flow’s messages', async () => {
    const { domain } = bridges;
    const inbox = await Inbox.on(bridges.client, '#');
    const bridge = await open([route(domain, { mqttTopic: 'plant/talk' })]);
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    publish({ data: 'from ROS' });
    await bridge.until(() => bridge.messages.length === 1);
    const { topic, rosName } = bridge.messages[0] ?? {};
    assert.deepEqual([topic, rosName], ['plant/talk', '/chatter']);
    await bridges.say('plant/talk', '{"data":"from MQTT"}');
    await bridge.handle.publish('plant/talk', { data: 'from the flow' });
    await peer.until(() => peer.heard.length === 2);
    assert.deepEqual(peer.heard.sort(), ['{"data":"from MQTT"}', '{"data":"from the flow"}']);
    const meta = () => inbox.texts.find((text) => text.startsWith('plant/talk/@meta='));
    await inbox.until(() => meta() !== undefined);
    assert.equal(JSON.parse(meta()?.slice('plant/talk/@meta='.length) ?? '').name, '/chatter');
    assert.deepEqual(
      inbox.texts.filter((text) => text.includes('/chatter') && !text.includes('@')),
      [],
    );
    assert.equal((await bridge.handle.listRoutes())[0]?.mqttTopic, 'plant/talk');
    await assert.rejects(bridge.handle.publish(`ros/${domain}/chatter`, {}), {
      message: `topic "ros/${domain}/chatter": /chatter has the MQTT topic "plant/talk" here`,
    });
    assert.deepEqual(bridge.problems, []);
    await bridges.say('plant/talk/@meta', '', undefined, true);
  });

  it('finds its type by what is stored below it', async () => {
    await bridges.say('plant/talk/@meta', JSON.stringify({ type: STRING }), undefined, true);
    const bridge = await open([
      route(bridges.domain, { type: '', direction: 'mqtt-to-ros', mqttTopic: 'plant/talk' }),
    ]);
    await bridge.until(() => bridge.route()?.type === STRING);
    await bridges.say('plant/talk/@meta', '', undefined, true);
  });

  it('has a service, an action and parameters below it', async function () {
    const { domain } = bridges;
    bridges
      .vendor('cyclone')
      .peer(this, 'serve', { args: { service: '/add', domain, timeout: 20, count: 0 } });
    const routes: RouteSettings[] = [
      {
        kind: 'service',
        domain,
        rosName: '/add',
        type: ADD,
        direction: 'mqtt-to-ros',
        mqttTopic: 'plant/add',
      },
      {
        kind: 'action',
        domain,
        rosName: '/fibonacci',
        type: 'example_interfaces/action/Fibonacci',
        direction: 'mqtt-to-ros',
        timeout: 20,
        mqttTopic: 'plant/count',
      },
      {
        kind: 'parameters',
        domain,
        rosName: '/camera',
        type: '',
        direction: 'both',
        timeout: 20,
        mqttTopic: 'plant/camera',
      },
    ];
    const bridge = await open(routes);
    await bridge.ready({ servers: 1 });
    await bridge.ready({}, 1);
    await bridge.ready({}, 2);
    const requester = new Requester(bridges.client, 'reply');
    const ask = async (topic: string, payload: string) =>
      String((await requester.request(topic, payload, { qos: 1, retain: false }, 20)).payload);
    assert.equal(await ask('plant/add/@req', '{"a":1,"b":2}'), '{"sum":3}');
    assert.deepEqual(await bridge.handle.publish('plant/add', { a: 2, b: 3 }), { sum: 5 });
    assert.match(await ask('plant/count/@action/goal', '{"goal":{"order":3}}'), /"@status":"unavailable"/);
    assert.match(await ask('plant/camera/@param/list', ''), /"@status":"unavailable"/);
    requester.close();
    // Somebody who may ask for a reply could have the bridge command a robot with it.
    await bridges.client.publish('plant/add/@req', '{}', {
      qos: 1,
      retain: false,
      properties: { responseTopic: 'plant/count/@action/goal' },
    });
    await bridge.until(() => bridge.route()?.counts?.dropped['response-topic'] === 1);
  });

  it('is refused where the topic is another’s, and while the bridge runs', async () => {
    const { domain } = bridges;
    const named = (rosName: string) => route(domain, { rosName, mqttTopic: 'plant/talk' });
    const bridge = await open([named('/one'), named('/two')]);
    await bridge.until(() => bridge.status !== undefined);
    const overlap = `MQTT topic "plant/talk" is already that of /one in domain ${domain}`;
    assert.equal(bridge.route(1)?.problem, `route 2 (/two): ${overlap}`);
    await assert.rejects(bridge.handle.addRoute(named('/three')), { message: overlap });
    await bridge.handle.removeRoute(named('/one'));
    await bridge.handle.addRoute(named('/three'));
    const listed = await bridge.handle.listRoutes();
    assert.deepEqual(
      listed.map(({ rosName, mqttTopic }) => [rosName, mqttTopic]),
      [
        ['/two', 'plant/talk'],
        ['/three', 'plant/talk'],
      ],
    );
  });

  it('is carried by one of two bridges that share it, and then by the other', async () => {
    const { domain } = bridges;
    const routes = [route(domain, { mqttTopic: 'plant/talk' })];
    const first = await open(routes, { id: 'a' });
    const second = await open(routes, { id: 'b' });
    await second.until(() => second.route()?.standby?.['ros-to-mqtt'] === 'a');
    const peer = await bridges.peer();
    await peer.listen('/chatter', STRING, RELIABLE, 2);
    const { publish } = await peer.publisher('/chatter', STRING, RELIABLE, 2);
    const inbox = await Inbox.on(bridges.client, 'plant/talk');
    publish({ data: 'one' });
    await inbox.until(({ texts }) => texts.length > 0);
    await bridges.say('plant/talk', '{"data":"two"}');
    await peer.until(() => peer.heard.length > 0);
    await first.close();
    await second.until(() => second.route()?.standby === undefined);
    publish({ data: 'three' });
    await inbox.until(({ texts }) => texts.length === 3);
    assert.deepEqual(peer.heard, ['{"data":"two"}']);
    assert.deepEqual(
      inbox.texts,
      ['one', 'two', 'three'].map((text) => `plant/talk={"data":"${text}"}`),
    );
  });
});
