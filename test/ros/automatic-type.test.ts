import assert from 'node:assert/strict';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING, type TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const INT = 'std_msgs/msg/Int32';

describe('the type of a route that names none', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const automatic = (direction: 'ros-to-mqtt' | 'mqtt-to-ros' | 'both' = 'both') =>
    route(bridges.domain, { type: '', direction });
  const open = (change: Partial<BridgeSettings> = {}) =>
    bridges.open({ mqtt: bridges.mqtt(), routes: [automatic()], meta: false, ...change });
  const topic = () => `ros/${bridges.domain}/chatter`;
  const typed = (bridge: TestBridge, type: string) => bridge.until(() => bridge.route()?.type === type);

  it('is that of the publisher that appears', async () => {
    const bridge = await open({ routes: [automatic('ros-to-mqtt')] });
    await bridge.ready();
    assert.deepEqual([bridge.route()?.type, bridge.route()?.problem], ['', undefined]);
    const inbox = await Inbox.on(bridges.client, topic());
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter', INT);
    await bridge.ready({ publishers: 1 });
    publish({ data: 7 });
    await inbox.until(({ texts }) => texts.length === 1);
    assert.deepEqual(inbox.texts, [`${topic()}={"data":7}`]);
    await bridge.until(() => bridge.messages.length === 1);
    assert.equal(bridge.messages[0]?.rosType, INT);
  });

  it('is that of the subscription that appears, which gets the last message that came before', async () => {
    const bridge = await open();
    await bridge.ready();
    await bridges.say(topic(), '{"data":1}');
    await bridges.say(topic(), '{"data":2}');
    await bridge.until(() => bridge.route()?.counts?.dropped['unknown-type'] === 1);
    const peer = await bridges.peer();
    await peer.listen('/chatter', INT);
    await peer.until(() => peer.heard.length > 0);
    await bridges.say(topic(), '{"data":3}');
    await peer.until(() => peer.heard.length > 1);
    assert.deepEqual(peer.heard, ['{"data":2}', '{"data":3}']);
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 2);
    const counts = bridge.route()?.counts;
    assert.deepEqual([counts?.mqttReceived, counts?.dropped], [3, { 'unknown-type': 1 }]);
  });

  it('is what a message says of itself, which is carried', async () => {
    const bridge = await open();
    await bridge.ready();
    await bridges.say(topic(), '{"data":5}', { 'ros-type': INT });
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 1);
    assert.equal(bridge.route()?.type, INT);
  });

  it('is that of others in ROS, whatever a message has said, and what is said wrongly is told and not carried', async () => {
    const bridge = await open();
    await bridge.ready();
    await bridges.say(topic(), '{"data":"forged"}', { 'ros-type': STRING });
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 1);
    const peer = await bridges.peer();
    await peer.listen('/chatter', INT);
    await bridge.ready({ subscriptions: 1 });
    assert.equal(bridge.route()?.type, INT);
    const contradiction = `route 1 (/chatter): a message has said that its type is ${STRING}, which is not its type in ROS`;
    await bridges.say(topic(), '{"data":"again"}', { 'ros-type': STRING });
    await bridges.say(topic(), '{"data":4}', { 'ros-type': INT });
    await peer.until(() => peer.heard.length > 0);
    assert.deepEqual(peer.heard, ['{"data":4}']);
    const wrong = `/chatter: a message is of the type ${STRING} by its ros-type, expected ${INT}`;
    await bridge.until(() => [contradiction, wrong].every((problem) => bridge.problems.includes(problem)));
    await bridge.until(() => bridge.route()?.counts?.dropped.invalid === 1);
  });

  it('is the one of several in ROS that a message names', async () => {
    const [one, other] = [await bridges.peer(), await bridges.peer()];
    await one.publisher('/chatter', STRING, RELIABLE, 0);
    await other.publisher('/chatter', INT, RELIABLE, 0);
    const bridge = await open();
    await bridge.until(() => bridge.route()?.problem !== undefined && bridge.route()?.subscribed === true);
    await bridges.say(topic(), '{"data":6}', { 'ros-type': INT });
    await typed(bridge, INT);
    await bridge.until(() => !bridge.route()?.problem?.includes('several types'));
  });

  it('is what the stored description says', async () => {
    await bridges.say(`${topic()}/@meta`, JSON.stringify({ type: INT }), undefined, true);
    const bridge = await open();
    await typed(bridge, INT);
    await bridges.say(`${topic()}/@meta`, '', undefined, true);
  });

  it('is what the type table says, by the whole name before the last part', async () => {
    const { domain } = bridges;
    const names = ['/chatter', '/robot/chatter', '/robot/talk'];
    const bridge = await open({
      routes: names.map((rosName) => route(domain, { rosName, type: '' })),
      typeTable: [
        { name: 'chatter', type: INT },
        { name: '/robot/chatter', type: STRING },
      ],
    });
    await bridge.until(() => bridge.status?.routes.length === 3);
    assert.deepEqual(
      bridge.status?.routes.map(({ type }) => type),
      [INT, STRING, ''],
    );
  });

  it('becomes that of others in ROS where only the type table told it, and what was counted stays', async () => {
    const bridge = await open({ typeTable: [{ name: 'chatter', type: STRING }] });
    await bridge.ready();
    await bridges.say(topic(), '{"data":"text"}');
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 1);
    const peer = await bridges.peer();
    await peer.listen('/chatter', INT);
    await bridge.ready({ subscriptions: 1 });
    assert.equal(bridge.route()?.type, INT);
    await bridges.say(topic(), '{"data":8}');
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, ['{"data":8}']);
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 2);
  });

  it('is not guessed where others have two, and found when one of them has gone', async () => {
    const [one, other] = [await bridges.peer(), await bridges.peer()];
    await one.publisher('/chatter', STRING, RELIABLE, 0);
    const { writer } = await other.publisher('/chatter', INT, RELIABLE, 0);
    const bridge = await open({
      routes: [automatic('mqtt-to-ros')],
      typeTable: [{ name: 'chatter', type: INT }],
    });
    await bridge.until(() => bridge.route()?.problem !== undefined);
    const problem =
      'route 1 (/chatter): it has several types in ROS, of which the route has to name one: std_msgs/msg/Int32, std_msgs/msg/String';
    assert.deepEqual([bridge.route()?.problem, bridge.problems], [problem, [problem]]);
    writer.close();
    await typed(bridge, STRING);
  });

  it('keeps a message for a time, then drops it, counts it and says so', async () => {
    const bridge = await open({ typePatience: 50 });
    await bridge.ready();
    const lost = bridge.handle.publish(topic(), { data: 1 });
    await assert.rejects(lost, {
      message:
        'route 1 (/chatter): its type is not known: nobody has it in ROS, and neither a message (ros-type), @meta nor the type table tells it; it has waited 0.05 s',
    });
    await bridges.say(topic(), '{"data":1}');
    await bridge.until(() => bridge.route()?.counts?.dropped['unknown-type'] === 1);
    await bridge.until(() => bridge.route()?.problem !== undefined);
    assert.deepEqual(bridge.problems, [bridge.route()?.problem]);
    const peer = await bridges.peer();
    await peer.listen('/chatter', INT);
    await bridge.until(() => bridge.route()?.problem === undefined);
  });

  it('lets a message of the flow wait as well', async () => {
    const bridge = await open();
    await bridge.ready();
    const published = bridge.handle.publish(topic(), { data: 9 });
    const peer = await bridges.peer();
    await peer.listen('/chatter', INT);
    await published;
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, ['{"data":9}']);
    const waiting = await open({ routes: [{ ...automatic(), rosName: '/other' }] });
    await waiting.ready();
    const closed = assert.rejects(waiting.handle.publish(`ros/${bridges.domain}/other`, {}), /closed/);
    await waiting.close();
    await closed;
  });

  it('is not taken from names that are none', async () => {
    const bridge = await open();
    await bridge.ready();
    await bridges.say(topic(), '{}', { 'ros-type': 'process.exit()' });
    await bridges.say(topic(), '{}', { 'ros-type': 'std_srvs/srv/Trigger' });
    await bridges.say(`${topic()}/@meta`, 'no JSON');
    await bridges.say(`${topic()}/@meta`, '{"type":"../x"}');
    const tooLong = JSON.stringify({ type: STRING, more: 'x'.repeat(64 * 1024) });
    await bridges.say(`${topic()}/@meta`, tooLong);
    await bridge.until(() => bridge.problems.length >= 6);
    const named = bridge.problems.filter((problem) => !problem.includes('its type is not known'));
    assert.deepEqual(named, [
      'route 1 (/chatter): user property ros-type: "process.exit()" is not an interface type like "std_msgs/msg/String"',
      'route 1 (/chatter): user property ros-type: "std_srvs/srv/Trigger" is a service or an action, not a message',
      'route 1 (/chatter): @meta: expected JSON such as {"type":"std_msgs/msg/String"}',
      'route 1 (/chatter): @meta: "../x" is not an interface type like "std_msgs/msg/String"',
      'route 1 (/chatter): @meta: expected JSON such as {"type":"std_msgs/msg/String"}',
    ]);
    assert.equal(bridge.route()?.type, '');
  });
});
