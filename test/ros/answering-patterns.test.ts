import assert from 'node:assert/strict';
import { Requester } from '../../src/client/requester';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import type { PatternSettings } from '../../src/ros/name-patterns';
import { RosThread } from '../../src/ros/ros-thread';
import { Inbox } from '../client/observed';
import { counterpart } from '../counterparts';
import { DdsPeer } from '../peers/dds/dds-peer';
import { TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';
const SERVICES: PatternSettings = {
  kind: 'service',
  action: 'allow',
  pattern: '/tools/*',
  direction: 'ros-to-mqtt',
};
const ACTIONS: PatternSettings = { ...SERVICES, kind: 'action' };

describe('patterns that answer for ROS, or mirror parameters', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const topic = (name: string) => `ros/${bridges.domain}/${name}`;
  const open = (patterns: PatternSettings[], change: Partial<BridgeSettings> = {}) =>
    bridges.open({ routes: [], patterns, ...change });
  const withBroker = async (patterns: PatternSettings[], change: Partial<BridgeSettings> = {}) => {
    const bridge = await open(patterns, { mqtt: bridges.mqtt(), graph: false, meta: false, ...change });
    await bridge.until(() => bridge.status?.mqtt?.state === 'connected');
    return bridge;
  };
  const routes = (bridge: TestBridge, count: number) =>
    bridge.until(() => bridge.status?.patterns?.routes === count);
  /** Until somebody is found who serves in ROS the only thing that there is of a kind. */
  const served = async (bridge: TestBridge, kind: 'services' | 'actions') => {
    for (;;) {
      const [only] = (await bridge.handle.graph(bridges.domain))[kind];
      if (only !== undefined && only.servers > 0) return;
    }
  };
  const client = (test: Mocha.Context, vendor: 'cyclone' | 'fast') =>
    bridges.vendor(vendor).peer(test, 'call', {
      args: { service: '/tools/add', domain: bridges.domain, a: 1, b: 2, timeout: 30 },
    });

  for (const vendor of ['cyclone', 'fast'] as const) {
    it(`have an MQTT client answer the service of a client on ${vendor}, with patterns that call as well`, async function () {
      const called = { ...SERVICES, direction: 'mqtt-to-ros' } as const;
      const bridge = await withBroker([SERVICES, called], { idleTimeout: 500 });
      const requests = await Inbox.on(bridges.client, topic('tools/add/@req'));
      const asking = client(this, vendor);
      await requests.until(({ messages }) => messages.length > 0);
      const { payload, properties } = requests.messages[0] ?? {};
      assert.equal(String(payload), '{"a":2,"b":2}');
      const { responseTopic = '', correlationData } = properties ?? {};
      await bridges.client.publish(responseTopic, '{"sum":4}', {
        qos: 1,
        retain: false,
        properties: correlationData === undefined ? {} : { correlationData },
      });
      await asking.until(({ messages }) => messages.length > 0);
      assert.deepEqual(asking.messages, [{ sum: 4 }]);
      await routes(bridge, 0);
      assert.equal(requests.messages.length, 1);
      assert.deepEqual(bridge.problems, []);
    });
  }

  it('have the flow answer, as long as nobody serves the service in ROS', async function () {
    const bridge = await open([SERVICES], { idleTimeout: 500 });
    const asking = client(this, 'cyclone');
    await bridge.until(() => bridge.messages.length === 1);
    const [request] = bridge.messages;
    assert.deepEqual([request?.topic, request?.rosType], [topic('tools/add/@req'), ADD]);
    await bridge.handle.publish(request?.topic ?? '', { sum: 3 }, request);
    await asking.until(({ messages }) => messages.length > 0);
    // Others wait for their answers when there is somebody else.
    const others = [client(this, 'fast'), client(this, 'cyclone')];
    await bridge.until(() => bridge.messages.length === 3);
    const args = { service: '/tools/add', domain: bridges.domain, timeout: 30, count: 0 };
    bridges.vendor('fast').peer(this, 'serve', { args });
    await served(bridge, 'services');
    const late = client(this, 'fast');
    await late.until(({ messages }) => messages.length > 0);
    for (const asked of bridge.messages.slice(1))
      await bridge.handle.publish(asked.topic, { sum: 70 }, asked);
    for (const other of others) {
      await other.until(({ messages }) => messages.length > 0);
      assert.deepEqual(other.messages, [{ sum: 70 }]);
    }
    assert.deepEqual([late.messages, bridge.messages.length], [[{ sum: 4 }], 3]);
    await routes(bridge, 0);
  });

  it('have the flow work on the goal of a client, to its end when somebody else serves the action', async function () {
    const bridge = await open([ACTIONS], { idleTimeout: 500 });
    const cast = bridges.vendor('fast');
    const place = { action: '/tools/count', domain: bridges.domain };
    const call = () => cast.peer(this, 'call', { args: { ...place, order: 1, timeout: 30 } }, 'action');
    const asking = call();
    const said = (part: string) => bridge.messages.find((message) => message.topic.endsWith(part))?.payload;
    await bridge.until(() => said('/@action/goal') !== undefined);
    const { goal_id } = said('/@action/goal') as { goal_id: string };
    const say = (part: string, message: object) =>
      bridge.handle.publish(topic(`tools/count/@action/${part}`), { goal_id, ...message });
    await say('status', { status: 'accepted' });
    // It asks for the result then: of two servers that have this one, it would take the first answer.
    await asking.until(({ messages }) =>
      messages.some((message) => (message as { accepted?: boolean }).accepted),
    );
    cast.peer(this, 'serve', { args: place }, 'action');
    await served(bridge, 'actions');
    const late = call();
    assert.equal(await late.exited(), 0);
    await say('result', { status: 'succeeded', result: { sequence: [0, 1] } });
    assert.equal(await asking.exited(), 0);
    assert.deepEqual(asking.messages.at(-1), { result: 4, sequence: [0, 1] });
    await routes(bridge, 0);
    assert.deepEqual(bridge.problems, []);
  });

  it('leave what bridges call, and what ROS 2 has in each node', async () => {
    const bridge = await open([
      { ...SERVICES, pattern: '/**' },
      { ...ACTIONS, pattern: '/**' },
    ]);
    const called = { domain: bridges.domain, direction: 'mqtt-to-ros', timeout: 50 } as const;
    // Its participant is another one.
    const other = bridges.keep(
      TestBridge.create(new RosThread(), {
        domains: [bridges.domain],
        routes: [
          { ...called, kind: 'service', rosName: '/tools/add', type: ADD },
          { ...called, kind: 'action', rosName: '/tools/count', type: 'example_interfaces/action/Fibonacci' },
          { ...called, direction: 'both', kind: 'parameters', rosName: '/camera', type: '' },
        ],
      }),
    );
    await other.handle.open();
    for (;;) {
      const { services, actions } = await bridge.handle.graph(bridges.domain);
      if (services.some(({ name }) => name === '/tools/add') && actions.length > 0) break;
    }
    assert.equal(bridge.status?.patterns?.routes, 0);
    assert.deepEqual(await bridge.handle.listRoutes(), []);
  });

  for (const [vendor, program] of [
    ['cyclone', 'dds-parameters'],
    ['fast', 'fast-dds-parameters'],
  ] as const) {
    it(`mirror the parameters of a node on ${vendor}, and set them where the pattern is both ways`, async function () {
      const parameters = { kind: 'parameters', action: 'allow' } as const;
      const bridge = await withBroker(
        [
          { ...parameters, pattern: '/*/camera', direction: 'both' },
          { ...parameters, pattern: '/*/lidar', direction: 'ros-to-mqtt' },
        ],
        { idleTimeout: 500 },
      );
      const inbox = await Inbox.on(bridges.client, topic('+/+/@param/value/rate'));
      const place = (node: string) => `${topic(node)}/@param`;
      const peers = ['/r/camera', '/r/lidar', '/r/arm'].map((node) => {
        const args = { domain: bridges.domain, node };
        return bridges.keep(new DdsPeer(counterpart(this, program), 'serve', { vendor, args }));
      });
      // A node may be read more than once.
      const known = ({ texts }: Inbox) => [...new Set(texts)].sort();
      await inbox.until((each) => known(each).length === 2);
      assert.deepEqual(known(inbox), [
        `${place('r/camera')}/value/rate=30`,
        `${place('r/lidar')}/value/rate=30`,
      ]);
      const requester = bridges.keep(new Requester(await bridges.connect(), 'reply'));
      const ask = async (node: string, request: object) => {
        const options = { qos: 1, retain: false } as const;
        const text = JSON.stringify(request);
        return String((await requester.request(`${place(node)}/set`, text, options, 20)).payload);
      };
      assert.equal(await ask('r/camera', { rate: 15 }), '{"rate":{"successful":true,"reason":""}}');
      assert.match(await ask('r/lidar', { rate: 15 }), /"bad-request".*the route does not allow it/);
      await inbox.until(({ texts }) => texts.includes(`${place('r/camera')}/value/rate=15`));
      await Promise.all(peers.map((peer) => peer.stop()));
      await inbox.until((each) => known(each).filter((text) => text.endsWith('=')).length === 2);
      await routes(bridge, 0);
    });
  }
});
