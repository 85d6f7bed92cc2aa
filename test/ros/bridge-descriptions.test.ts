import assert from 'node:assert/strict';
import type { OutgoingMessage, RouteConnection } from '../../src/ros/bridge-connection';
import { BridgeDescriptions } from '../../src/ros/bridge-descriptions';
import { RouteTopics } from '../../src/ros/bridge-topics';
import { describeGraph } from '../../src/ros/graph-description';
import type { RosEndpoint, RosServiceEndpoint } from '../../src/ros/ros-backend';
import type { RouteEntry } from '../../src/ros/route-entry';
import type { RouteTable } from '../../src/ros/route-table';
import type { Turn } from '../../src/ros/route-turn';
import type { Standby } from '../../src/ros/standby';
import { RosTopicMapping } from '../../src/topic/ros-topic';
import { Inbox } from '../client/observed';
import { BEST_EFFORT, RELIABLE, route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const HASH = 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18';

describe('what a bridge stores at the broker', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const stored = (name: string) => Inbox.on(bridges.client, `ros/${bridges.domain}/${name}`);
  const last = ({ messages }: Inbox) => JSON.parse(String(messages.at(-1)?.payload ?? 'null') || '""');

  it('describes each route from ROS, once and when it changes, and leaves that when it ends', async () => {
    const { domain } = bridges;
    const bridge = await bridges.open({
      mqtt: bridges.mqtt(),
      routes: [
        route(domain, { type: '' }),
        route(domain, { rosName: '/cmd', direction: 'mqtt-to-ros' }),
        route(domain, { rosName: '/number', type: 'std_msgs/msg/Int32', direction: 'ros-to-mqtt' }),
      ],
    });
    const all = await stored('+/@meta');
    await all.until(({ messages }) => messages.length === 1);
    assert.equal(all.messages[0]?.topic, `ros/${domain}/number/@meta`);
    const inbox = await stored('chatter/@meta');
    const peer = await bridges.peer();
    await peer.publisher('/chatter');
    await inbox.until(({ messages }) => messages.length === 1);
    const qos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
    const expected = { name: '/chatter', type: STRING, hash: HASH, format: 'json', qos };
    assert.deepEqual(last(inbox), expected);
    await peer.publisher('/chatter', STRING, BEST_EFFORT);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(last(inbox), { ...expected, qos: { ...qos, reliability: 'best-effort' } });
    await bridge.close();
    const after = await stored('chatter/@meta');
    await after.until(({ messages }) => messages.length === 1);
    assert.deepEqual([last(after), after.messages[0]?.retain], [last(inbox), true]);
    assert.deepEqual(
      all.texts.filter((text) => text.includes('/cmd/')),
      [],
    );
  });

  it('takes the description of a route away with the route', async () => {
    const patterns = [{ action: 'allow', pattern: '/**', direction: 'ros-to-mqtt' } as const];
    await bridges.open({ mqtt: bridges.mqtt(), routes: [], patterns, idleTimeout: 200 });
    const inbox = await stored('chatter/@meta');
    const peer = await bridges.peer();
    const { writer } = await peer.publisher('/chatter');
    await inbox.until(({ messages }) => messages.length === 1);
    writer.close();
    await inbox.until(({ messages }) => messages.length === 2);
    assert.equal(String(inbox.messages[1]?.payload), '');
  });

  it('is not taken away for routes that came and went without a connection, of which there may be any number', () => {
    const published: string[] = [];
    const connection = {
      connected: true,
      publish: ({ topic, payload }: OutgoingMessage, settled: () => void) => {
        published.push(`${topic}=${payload}`);
        settled();
      },
    };
    const entries = new Map<number, Partial<RouteEntry>>();
    const add = (key: number) =>
      entries.set(key, {
        key,
        settings: route(0, { rosName: `/r${key}` }),
        topics: new RouteTopics(`ros/0/r${key}`, () => true),
        description: { name: `/r${key}`, type: STRING, hash: HASH, format: 'json', qos: RELIABLE },
        turns: { 'ros-to-mqtt': { active: true } as Turn },
      });
    const descriptions = new BridgeDescriptions({
      ...{ meta: true, graph: false, bridgeId: 'b', mapping: new RosTopicMapping(), domains: new Map() },
      connection: connection as Partial<RouteConnection> as RouteConnection,
      table: {
        entries: () => entries.values(),
        get: (key: number) => entries.get(key),
      } as Partial<RouteTable> as RouteTable,
      standby: {
        othersHave: () => (connection.connected ? false : undefined),
      } as Partial<Standby> as Standby,
      report: assert.fail,
    });
    add(1);
    descriptions.tell();
    assert.equal(published.length, 1);
    connection.connected = false;
    entries.clear();
    add(2);
    descriptions.tell();
    entries.clear();
    descriptions.tell();
    connection.connected = true;
    descriptions.tell();
    assert.deepEqual(published.slice(1), ['ros/0/r1/@meta=']);
  });

  it('tells what there is in a domain, when it changes', async () => {
    await bridges.open({ mqtt: bridges.mqtt(), routes: [] });
    const inbox = await stored('@graph');
    await inbox.until(({ messages }) => messages.length > 0);
    assert.deepEqual(last(inbox), { nodes: [], topics: [], services: [], actions: [] });
    const peer = await bridges.peer();
    await peer.publisher('/chatter', STRING, RELIABLE, 0);
    await inbox.until((each) => last(each).topics.length === 1);
    const publishers = [{ reliability: 'reliable', durability: 'volatile', count: 1 }];
    assert.deepEqual(last(inbox).topics, [
      { name: '/chatter', types: [STRING], publishers, subscriptions: [] },
    ]);
    assert.equal(inbox.messages.at(-1)?.properties?.contentType, 'application/json');
  });

  it('is told by one of several bridges, and by the next when that ends or has the route no more', async () => {
    const { domain } = bridges;
    const routes = [route(domain, { type: STRING, direction: 'ros-to-mqtt' })];
    const a = await bridges.open({ id: 'a', routes, mqtt: bridges.mqtt() });
    await a.ready();
    const b = await bridges.open({ id: 'b', routes, mqtt: bridges.mqtt() });
    await b.until(() => b.route()?.standby?.['ros-to-mqtt'] === 'a');
    const meta = await stored('chatter/@meta');
    const graph = await stored('@graph');
    const speakers = ({ messages }: Inbox) =>
      messages.map(({ properties }) => properties?.userProperties?.['ros-via']);
    const peer = await bridges.peer();
    // Each change is told a second after the last, by when the other one would have told that, too.
    for (const rosName of ['/one', '/two', '/three']) {
      await peer.publisher(rosName, STRING, RELIABLE, 0);
      await graph.until((each) => JSON.stringify(last(each))?.includes(rosName));
    }
    assert.deepEqual(new Set([...speakers(graph), ...speakers(meta)]), new Set(['a']));
    const told = meta.messages.length;
    await a.handle.removeRoute({ domain, rosName: '/chatter' });
    await meta.until(({ messages }) => messages.length > told);
    assert.deepEqual([speakers(meta).at(-1), last(meta).name], ['b', '/chatter']);
    assert.deepEqual(new Set(speakers(graph)), new Set(['a']));
    await a.close();
    await graph.until((each) => speakers(each).at(-1) === 'b');
    await b.handle.removeRoute({ domain, rosName: '/chatter' });
    await meta.until(({ messages }) => messages.at(-1)?.payload.length === 0);
    assert.equal(meta.messages.filter(({ payload }) => payload.length === 0).length, 1);
  });

  it('is nothing where it is not wanted', async () => {
    const bridge = await bridges.open({
      mqtt: bridges.mqtt(),
      routes: [route(bridges.domain)],
      meta: false,
      graph: false,
    });
    const inbox = await stored('#');
    await bridge.ready();
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    const text = `ros/${bridges.domain}/chatter={"data":"last"}`;
    // More than a second, after which it would have been told.
    const repeat = setInterval(() => publish({ data: 'x' }), 200);
    await inbox.until(({ messages }) => messages.length > 12).finally(() => clearInterval(repeat));
    publish({ data: 'last' });
    await inbox.until(({ texts }) => texts.includes(text));
    assert.deepEqual(
      inbox.texts.filter((each) => each.includes('@meta') || each.includes('@graph')),
      [],
    );
  });
});

describe('the description of a graph', () => {
  const endpoint = (change: Partial<RosEndpoint>): RosEndpoint => ({
    guid: '',
    kind: 'publisher',
    rosName: '/chatter',
    type: STRING,
    qos: RELIABLE,
    ...change,
  });
  const service = (kind: 'server' | 'client', rosName: string, type: string): RosServiceEndpoint => ({
    guid: '',
    kind,
    rosName,
    type,
  });
  const domain = (endpoints: RosEndpoint[], services: RosServiceEndpoint[] = [], names: string[] = []) => ({
    endpoints: () => endpoints,
    services: () => services,
    nodes: () => names.map((name) => ({ name, endpoints: [] })),
  });

  it('joins what is alike, makes actions of their parts, and reads the same in whatever order it was found', () => {
    const endpoints = [
      endpoint({}),
      endpoint({ kind: 'subscription', qos: BEST_EFFORT }),
      endpoint({ type: 'std_msgs/msg/Int32', qos: BEST_EFFORT }),
      endpoint({}),
      endpoint({ rosName: '/fibonacci/_action/feedback' }),
      endpoint({ rosName: '/a' }),
    ];
    const services = [
      service('server', '/fibonacci/_action/send_goal', 'example_interfaces/action/Fibonacci_SendGoal'),
      service('client', '/fibonacci/_action/send_goal', 'example_interfaces/action/Fibonacci_SendGoal'),
      service('server', '/fibonacci/_action/get_result', 'example_interfaces/action/Fibonacci_GetResult'),
      service('server', '/add', 'example_interfaces/srv/AddTwoInts'),
    ];
    const names = ['/talker', '/robot/camera'];
    const text = describeGraph(domain(endpoints, services, names));
    const qos = (reliability: string, count: number) => ({ reliability, durability: 'volatile', count });
    assert.deepEqual(JSON.parse(text), {
      nodes: ['/robot/camera', '/talker'],
      topics: [
        { name: '/a', types: [STRING], publishers: [qos('reliable', 1)], subscriptions: [] },
        {
          name: '/chatter',
          types: ['std_msgs/msg/Int32', STRING],
          publishers: [qos('best-effort', 1), qos('reliable', 2)],
          subscriptions: [qos('best-effort', 1)],
        },
      ],
      services: [{ name: '/add', type: 'example_interfaces/srv/AddTwoInts', servers: 1, clients: 0 }],
      actions: [{ name: '/fibonacci', type: 'example_interfaces/action/Fibonacci', servers: 1, clients: 1 }],
    });
    assert.equal(describeGraph(domain(endpoints.reverse(), services.reverse(), names.reverse())), text);
  });

  it('leaves out what is beyond its size, and counts it', () => {
    const many = Array.from({ length: 1000 }, (_each, index) => endpoint({ rosName: `/topic${index}` }));
    const text = describeGraph(domain(many, [], ['/talker']), 10_000);
    assert.ok(text.length < 10_200, `${text.length}`);
    const { topics, nodes, left } = JSON.parse(text);
    assert.equal(topics.length + nodes.length + left, 1001);
    assert.ok(topics.length > 50);
  });
});
