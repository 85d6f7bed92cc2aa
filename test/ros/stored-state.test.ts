import assert from 'node:assert/strict';
import mqtt from 'mqtt';
import type { TopicRouteSettings } from '../../src/ros/bridge-settings';
import type { EndpointQos } from '../../src/rtps/qos';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const LATCHED: EndpointQos = { ...RELIABLE, durability: 'transient-local', depth: 1 };

describe('state that the broker has stored', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();

  /** A bridge with routes both ways, whose id is its client's. */
  const open = (id: string, names: string[]) =>
    bridges.open({
      id,
      mqtt: bridges.mqtt({ clientId: id, reconnect: { first: 20, longest: 50 } }),
      routes: names.map((rosName) => route(bridges.domain, { rosName })),
    });
  /** Has its bridge connect anew. */
  const interrupt = async (id: string) => {
    const connects = new RegExp(`New client connected from .* as ${id} `);
    const before = bridges.mosquitto.log.filter((line) => connects.test(line)).length;
    const other = await mqtt.connectAsync(bridges.url, {
      protocolVersion: 5,
      clientId: id,
      reconnectPeriod: 0,
    });
    other.end(true);
    await bridges.mosquitto.logged(connects, before + 2);
  };
  const clear = (...names: string[]) =>
    Promise.all(names.map((name) => bridges.say(`ros/${bridges.domain}${name}`, '', undefined, true)));

  it('goes back to ROS once, and only when its publisher has gone, though the bridge that brought it has ended', async () => {
    const names = ['/map', '/gone'];
    const a = await open('a', names);
    await a.ready();
    const b = await open('b', names);
    await b.ready({ publishers: 1, subscriptions: 1 });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/+`);
    const [staying, leaving, late] = [await bridges.peer(), await bridges.peer(), await bridges.peer()];
    const map = await staying.publisher('/map', STRING, LATCHED);
    const gone = await leaving.publisher('/gone', STRING, LATCHED);
    map.publish({ data: 'the map' });
    gone.publish({ data: 'the last' });
    await inbox.until(({ texts }) => texts.length >= 2);
    await late.listen('/map', STRING, LATCHED);
    await b.until(() => b.route(0)?.offered?.durability === 'transient-local');
    await a.close();
    await leaving.stop();
    await b.until(() => b.route(0)?.standby === undefined && b.route(1)?.publishers === 0);
    const counts = (index: number) => b.route(index)?.counts;
    const echoes = (index: number) => counts(index)?.dropped.echo ?? 0;
    // Whoever connects anew knows nothing of a bridge that has ended.
    const before = echoes(0);
    await interrupt('b');
    await b.until(() => echoes(0) > before);
    await late.listen('/gone', STRING, LATCHED);
    await b.until(() => counts(1)?.rosPublished === 1);
    await interrupt('b');
    await b.until(() => echoes(1) > 0);
    await late.until(() => late.heard.length >= 2);
    assert.deepEqual([counts(0)?.rosPublished, counts(1)?.rosPublished], [0, 1]);
    assert.deepEqual(late.heard, ['{"data":"the map"}', '{"data":"the last"}']);
    await clear(...names);
  });

  it('is known by its payload where it bears no stamp, as that of a bridge with MQTT 3.1.1', async () => {
    const { domain } = bridges;
    const here = (change: Partial<TopicRouteSettings>) => ({
      routes: [route(domain, { rosName: '/map', qos: { retain: true }, ...change })],
    });
    const mqtt = bridges.mqtt({ protocolVersion: 4 });
    const a = await bridges.open({ id: 'a', mqtt, ...here({ direction: 'ros-to-mqtt' }) });
    await a.ready();
    const b = await bridges.open({ id: 'b', mqtt: bridges.mqtt(), ...here({}) });
    await b.until(() => b.route()?.standby?.['ros-to-mqtt'] === 'a');
    const inbox = await Inbox.on(bridges.client, `ros/${domain}/map`);
    const map = await (await bridges.peer()).publisher('/map', STRING, LATCHED, 2);
    map.publish({ data: 'the map' });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.properties?.userProperties, undefined);
    await b.until(() => b.messages.length === 1);
    await a.close();
    await b.until(() => (b.route()?.counts?.dropped.echo ?? 0) + (b.route()?.counts?.rosPublished ?? 0) > 0);
    assert.equal(b.route()?.counts?.rosPublished, 0);
    assert.equal(inbox.messages.length, 1);
    await clear('/map');
  });

  it('is not replaced by what ROS has said before, when a bridge takes over or connects anew', async () => {
    const names = ['/map', '/marker'];
    const a = await open('c', names);
    await a.ready();
    const b = await open('d', names);
    await b.until(() => b.route()?.standby?.['mqtt-to-ros'] === 'c');
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/+`);
    const peer = await bridges.peer();
    const map = await peer.publisher('/map', STRING, LATCHED, 2);
    const marker = await peer.publisher('/marker', STRING, RELIABLE, 2);
    const said = (name: string) =>
      inbox.texts.filter((text) => text.startsWith(`ros/${bridges.domain}${name}`));
    map.publish({ data: 'of ROS' });
    await inbox.until(() => said('/map').length === 1);
    await bridges.say(`ros/${bridges.domain}/map`, '{"data":"of MQTT"}', undefined, true);
    await b.until(() => b.route()?.counts?.mqttReceived === 2);
    // It asks what the broker has before it says anything.
    const answered = (count: number) => bridges.mosquitto.logged(/Sending PINGRESP to d$/, count);
    await a.close();
    await answered(1);
    await interrupt('d');
    await answered(2);
    await b.until(() => b.route(1)?.subscribed === true && b.route(1)?.standby === undefined);
    marker.publish({ data: 'later' });
    await inbox.until(() => said('/marker').length === 1);
    assert.deepEqual(
      said('/map').map((text) => text.slice(text.indexOf('='))),
      ['={"data":"of ROS"}', '={"data":"of MQTT"}'],
    );
    await clear('/map');
  });

  it('is not what another bridge has brought to ROS from there, when one takes over from it', async () => {
    const routes = [
      route(bridges.domain, { rosName: '/map', qos: { retain: true } }),
      route(bridges.domain, { rosName: '/marker' }),
    ];
    const a = await bridges.open({ id: 'a', mqtt: bridges.mqtt(), routes });
    await a.ready();
    const b = await bridges.open({ id: 'b', mqtt: bridges.mqtt(), routes });
    await b.ready({ publishers: 1, subscriptions: 1 });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/+`);
    await bridges.say(`ros/${bridges.domain}/map`, '{"data":"of MQTT"}');
    await b.until(() => b.route()?.counts?.rosReceived === 1);
    await a.close();
    await b.until(() => b.route(1)?.standby === undefined && b.route(0)?.standby === undefined);
    const marker = await (await bridges.peer()).publisher('/marker');
    const said = (name: string) =>
      inbox.texts.filter((text) => text.startsWith(`ros/${bridges.domain}${name}=`)).length;
    marker.publish({ data: 'later' });
    await inbox.until(() => said('/marker') === 1);
    assert.equal(said('/map'), 1);
  });

  it('is kept for late subscriptions in ROS until ROS has said something else', async () => {
    const topic = `ros/${bridges.domain}/mode`;
    const routes = [route(bridges.domain, { rosName: '/mode', qos: { durability: 'transient-local' } })];
    const bridge = await bridges.open({ mqtt: bridges.mqtt(), routes });
    const [peer, late] = [await bridges.peer(), await bridges.peer()];
    const { publish } = await peer.publisher('/mode', STRING, LATCHED);
    await bridge.ready({ publishers: 1 });
    const inbox = await Inbox.on(bridges.client, topic);
    await bridges.say(topic, '{"data":"of MQTT"}', undefined, true);
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 1);
    publish({ data: 'of ROS' });
    await inbox.until(({ messages }) => messages.length === 2);
    await late.listen('/mode', STRING, LATCHED, 2);
    await bridges.say(topic, '{"data":"later"}');
    await late.until(() => late.heard.includes('{"data":"later"}'));
    await late.until(() => late.heard.includes('{"data":"of ROS"}'));
    assert.equal(late.heard.length, 2);
    await clear('/mode');
  });

  it('is kept for no late subscription in ROS when it is cleared, and is no message then', async () => {
    const topic = `ros/${bridges.domain}/map`;
    const routes = [route(bridges.domain, { rosName: '/map', direction: 'mqtt-to-ros' })];
    const bridge = await bridges.open({ mqtt: bridges.mqtt(), routes });
    const peer = await bridges.peer();
    await peer.listen('/map', STRING, LATCHED);
    await bridge.until(() => bridge.route()?.offered?.durability === 'transient-local');
    await bridges.say(topic, '{"data":"first"}', undefined, true);
    await peer.until(() => peer.heard.length === 1);
    await clear('/map');
    await bridge.until(() => bridge.route()?.counts?.mqttReceived === 2);
    const late = await bridges.peer();
    await late.listen('/map', STRING, LATCHED);
    await bridges.say(topic, '{"data":"second"}');
    await late.until(() => late.heard.includes('{"data":"second"}'));
    assert.deepEqual(late.heard, ['{"data":"second"}']);
    assert.deepEqual([bridge.problems, bridge.route()?.counts?.dropped], [[], { empty: 1 }]);
  });

  it('is kept for late subscriptions in ROS by the bridge that carries it alone', async () => {
    const topic = `ros/${bridges.domain}/map`;
    const routes = [route(bridges.domain, { rosName: '/map', direction: 'mqtt-to-ros' })];
    const qos = { durability: 'transient-local' } as const;
    const change = { routes: routes.map((each) => ({ ...each, qos })) };
    const f = await bridges.open({ id: 'f', mqtt: bridges.mqtt(), ...change });
    const peer = await bridges.peer();
    await peer.listen('/map', STRING, LATCHED);
    await f.ready({ subscriptions: 1 });
    await bridges.say(topic, '{"data":"first"}', undefined, true);
    await peer.until(() => peer.heard.length === 1);
    const e = await bridges.open({ id: 'e', mqtt: bridges.mqtt(), ...change });
    await f.until(() => f.route()?.standby?.['mqtt-to-ros'] === 'e');
    await e.until(() => e.route()?.counts?.rosPublished === 1);
    await bridges.say(topic, '{"data":"second"}', undefined, true);
    await e.until(() => e.route()?.counts?.rosPublished === 2);
    const late = await bridges.peer();
    await late.listen('/map', STRING, LATCHED, 2);
    await late.until(() => late.heard.length > 0);
    await bridges.say(topic, '{"data":"third"}', undefined, true);
    await late.until(() => late.heard.includes('{"data":"third"}'));
    assert.deepEqual(late.heard, ['{"data":"second"}', '{"data":"third"}']);
    await clear('/map');
  });

  it('reaches late subscriptions in ROS that ask for another QoS than those before', async () => {
    const names = ['/kept', '/map'];
    for (const name of names) {
      await bridges.say(`ros/${bridges.domain}${name}`, '{"data":"stored"}', undefined, true);
    }
    const mqttToRos = (rosName: string) => route(bridges.domain, { rosName, direction: 'mqtt-to-ros' });
    const bridge = await bridges.open({
      mqtt: bridges.mqtt(),
      routes: [{ ...mqttToRos('/kept'), qos: { retain: true } }, mqttToRos('/map')],
    });
    const [first, deeper, late] = [await bridges.peer(), await bridges.peer(), await bridges.peer()];
    const given = (...counts: number[]) =>
      bridge.until(() => counts.every((count, index) => bridge.route(index)?.counts?.rosPublished === count));
    await first.listen('/map', STRING, LATCHED);
    await given(1, 1);
    // Each makes a new publisher necessary, which has nothing.
    for (const name of names) await deeper.listen(name, STRING, { ...LATCHED, depth: 5 });
    await given(2, 2);
    await bridge.until(() => names.every((_, index) => bridge.route(index)?.offered?.depth === 5));
    // The ones before have gone.
    first.participant.on('endpoint-lost', () => first.changed());
    const writers = () => first.participant.endpoints.filter(({ kind }) => kind === 'writer');
    await first.until(() =>
      names.every((name) => writers().filter(({ topic }) => topic === `rt${name}`).length === 1),
    );
    for (const name of names) await late.listen(name, STRING, LATCHED);
    await late.until(() => late.heard.length >= 2);
    assert.deepEqual(late.heard, ['{"data":"stored"}', '{"data":"stored"}']);
    await clear(...names);
  });
});
