import assert from 'node:assert/strict';
import { Requester } from '../../src/client/requester';
import type { ActionRouteSettings, RouteSettings, ServiceRouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { MqttBridges } from './mqtt-bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';

const library = InterfaceLibrary.bundled();
const codec = (type: string) => MessageCodec.for(library, type);
const endpoint = (rosName: string, type: string) => ({
  rosName,
  type,
  requestHash: codec(`${type}_Request`).typeHash,
  responseHash: codec(`${type}_Response`).typeHash,
});

describe('the type of a service or an action whose route names none', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const open = (routes: RouteSettings[]) => bridges.open({ mqtt: bridges.mqtt(), routes });
  const service = (change: Partial<ServiceRouteSettings> = {}): ServiceRouteSettings => ({
    ...{ kind: 'service', domain: bridges.domain, rosName: '/add', type: '', direction: 'mqtt-to-ros' },
    ...change,
  });
  const action = (change: Partial<ActionRouteSettings> = {}): ActionRouteSettings => ({
    ...{ kind: 'action', domain: bridges.domain, rosName: '/count', type: '', direction: 'mqtt-to-ros' },
    ...change,
  });
  const requester = () => {
    const made = bridges.keep(new Requester(bridges.client, 'reply'));
    return (topic: string, payload: string) =>
      made.request(topic, payload, { qos: 1, retain: false }, 20).then((reply) => String(reply.payload));
  };

  it('is that of who serves it, until when who calls is told that nobody does', async function () {
    const { domain } = bridges;
    const bridge = await open([service()]);
    await bridge.until(() => bridge.route()?.subscribed === true && bridge.route()?.standby === undefined);
    const ask = requester();
    const topic = `ros/${domain}/add/@req`;
    const reason = 'service /add: route 1 (/add): its type is not known: nobody has it in ROS';
    const reply = { '@status': 'unavailable', '@error': reason };
    assert.deepEqual(JSON.parse(await ask(topic, '{}')), reply);
    await assert.rejects(bridge.handle.publish(topic, {}), { message: reason });
    await bridge.until(() => bridge.route()?.counts?.dropped.unavailable === 2);
    assert.equal(bridge.route()?.problem, reason);
    bridges
      .vendor('cyclone')
      .peer(this, 'serve', { args: { service: '/add', domain, timeout: 20, count: 0 } });
    await bridge.ready({ servers: 1 });
    assert.deepEqual([bridge.route()?.type, bridge.route()?.problem], [ADD, undefined]);
    assert.equal(await ask(topic, '{"a":1,"b":2}'), '{"sum":3}');
    await bridge.until(() => bridge.route()?.counts?.rosReceived === 1);
    assert.equal(bridge.route()?.counts?.dropped.unavailable, 2);
  });

  it('is that of who calls it where it is answered here, and of an action likewise', async () => {
    const bridge = await bridges.open({
      routes: [service({ direction: 'ros-to-mqtt' }), action({ direction: 'ros-to-mqtt' })],
    });
    await assert.rejects(bridge.handle.publish(`ros/${bridges.domain}/add/@req`, {}), {
      message: 'route 1 (/add): its type is not known: nobody has it in ROS',
    });
    const ros = await bridges.ros();
    const client = ros.createServiceClient(endpoint('/add', ADD));
    ros.createServiceClient(endpoint('/count/_action/send_goal', `${FIBONACCI}_SendGoal`));
    await bridge.until(() => bridge.route()?.type === ADD && bridge.route(1)?.type === FIBONACCI);
    const answered = client.call(codec(`${ADD}_Request`).encode({ a: 2, b: 3 }), 10_000);
    await bridge.until(() => bridge.messages.length === 1);
    const request = bridge.messages[0];
    assert.deepEqual(request?.payload, { a: 2, b: 3 });
    await bridge.handle.publish(request?.topic ?? '', { sum: 5 }, request);
    assert.equal(codec(`${ADD}_Response`).decodeToJson(await answered), '{"sum":5}');
  });

  it('of an action is that of who serves it', async () => {
    const bridge = await open([action()]);
    await bridge.until(() => bridge.route()?.subscribed === true && bridge.route()?.standby === undefined);
    const goal = `ros/${bridges.domain}/count/@action/goal`;
    assert.match(await requester()(goal, '{}'), /"@status":"unavailable".*nobody has it in ROS/);
    const ros = await bridges.ros();
    const options = endpoint('/count/_action/send_goal', `${FIBONACCI}_SendGoal`);
    ros.createServiceServer(options, () => Promise.reject(new Error('no goal is taken')));
    await bridge.until(() => bridge.route()?.type === FIBONACCI);
  });
});
