import assert from 'node:assert/strict';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { ENVIRONMENT_DOMAIN } from '../../src/ros/ros-environment';
import { Mosquitto } from '../client/mosquitto';
import { Bridges } from '../ros/bridges';
import { bridgeFlow, bridgeStatus, receive, routeTo } from './bridge-flow';
import { brokerForm, deploy, errorOf, logged, Sink, sink, start, statusText, stop } from './flow';

describe('ros-bridge', function () {
  this.timeout(60_000);
  afterEach(stop);
  const bridges = Bridges.forSuite();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });

  it('goes where the environment of ROS 2 says, with the domain of it', async () => {
    const { env } = process;
    const { ROS_DOMAIN_ID, ROS_AUTOMATIC_DISCOVERY_RANGE, ROS_STATIC_PEERS } = env;
    Object.assign(env, {
      ROS_DOMAIN_ID: String(domain),
      ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST',
      ROS_STATIC_PEERS: 'robot.local',
    });
    const id = ENVIRONMENT_DOMAIN;
    const form = { discoveryRange: 'environment', domains: [{ id, alias: '' }], routes: [routeTo(id)] };
    try {
      await start(bridgeFlow(form));
      await bridgeStatus('peer: expected an IPv4 address or address:port, got "robot.local"');
      await stop();
      env.ROS_STATIC_PEERS = '127.0.0.1';
      await start(bridgeFlow(form));
      await bridgeStatus(`no ROS 2 found on this machine, domain ${domain}`);
      const peer = await bridges.peer();
      await peer.listen('/chatter');
    } finally {
      for (const [name, value] of Object.entries({
        ROS_DOMAIN_ID,
        ROS_AUTOMATIC_DISCOVERY_RANGE,
        ROS_STATIC_PEERS,
      }))
        if (value === undefined) delete env[name];
        else env[name] = value;
    }
  });

  it('says that no interface has an address of the form', async () => {
    const form = { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(bridgeFlow({ ...form, interfaces: '127.0.0.1, 192.0.2.1' }));
    await bridgeStatus('no network interface of this machine has the address 192.0.2.1');
  });

  it('takes its domain from a variable', async () => {
    const name = 'MQTT_ROS_TEST_DOMAIN';
    process.env[name] = String(domain);
    bridges.keep(name, () => delete process.env[name]);
    const id = `\${${name}}`;
    await start(bridgeFlow({ domains: [{ id, alias: '' }], routes: [routeTo(id)] }));
    assert.equal(await bridgeStatus('no ROS'), `no ROS 2 found on this machine, domain ${domain}`);
  });

  it('is in domain 0 of the form where the environment names none', async () => {
    const settings = { discoveryRange: 'off', domains: [{ id: ENVIRONMENT_DOMAIN, alias: 'here' }] };
    await start(bridgeFlow({ ...settings, routes: [routeTo(ENVIRONMENT_DOMAIN)] }));
    await bridgeStatus('does not look for ROS 2');
    const completed = new Sink('completed');
    receive('ros/here/chatter', { data: 'nobody listens' });
    await completed.until(1);
  });

  it('adds, lists and removes routes as messages ask', async () => {
    await start(bridgeFlow({ domains: [{ id: domain, alias: 'car' }], routes: [] }));
    await bridgeStatus('no ROS');
    const out = new Sink();
    const caught = new Sink('caught');
    const act = (action: string, payload?: unknown) => {
      const message: NodeMessage & Record<string, unknown> = { action, payload, topic: 'ros/car/chatter' };
      helper.getNode('bridge-1').receive(message);
    };
    act('add-route', { rosName: '/chatter', type: 'std_msgs/msg/String', direction: 'mqtt-to-ros' });
    act('list-routes');
    act('remove-route', { rosName: '/chatter' });
    act('list-routes');
    await out.until(4);
    const [added, before, removed, after] = out.messages.map(({ payload }) => payload);
    assert.deepEqual(
      [added, removed].map((each) => (each as { rosName: string }).rosName),
      ['/chatter', '/chatter'],
    );
    const { rosName, domain: of, direction } = (before as Record<string, unknown>[])[0] ?? {};
    assert.deepEqual([rosName, of, direction], ['/chatter', domain, 'mqtt-to-ros']);
    assert.deepEqual(after, []);
    act('remove-route', { rosName: '/chatter' });
    act('add-route', 'chatter');
    const service = { kind: 'service', type: 'std_srvs/srv/Trigger', direction: 'mqtt-to-ros' };
    act('add-route', { rosName: '/go', ...service, rate: 5 });
    await caught.until(3);
    assert.deepEqual(caught.messages.map(errorOf).sort(), [
      'Error: msg.payload: expected a route such as {"rosName": "/chatter"}, got "chatter"',
      'Error: rate: expected none for a route of kind service, got {"perSecond":5,"policy":"latest"}',
      `Error: the bridge has no route for the topic /chatter of domain ${domain}`,
    ]);
  });

  it('adds, lists and removes patterns as messages ask', async () => {
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes: [] }));
    await bridgeStatus('no ROS');
    const out = new Sink();
    const caught = new Sink('caught');
    const act = (action: string, payload?: unknown) => {
      const message: NodeMessage & Record<string, unknown> = { action, payload };
      helper.getNode('bridge-1').receive(message);
    };
    act('add-pattern', { pattern: '/robot1/**', rate: '5', ratePolicy: 'latest' });
    act('add-pattern', { pattern: '/robot1/camera/*', action: 'deny', direction: 'ros-to-mqtt', domain });
    await out.until(2);
    act('list-patterns');
    act('remove-pattern', { pattern: '/robot1/**' });
    await out.until(4);
    act('list-patterns');
    await out.until(5);
    const [, , before, , after] = out.messages.map(({ payload }) => payload);
    const rate = { perSecond: 5, policy: 'latest' };
    const denied = { action: 'deny', pattern: '/robot1/camera/*', direction: 'ros-to-mqtt', domain };
    assert.deepEqual(before, [{ action: 'allow', pattern: '/robot1/**', direction: 'both', rate }, denied]);
    assert.deepEqual(after, [denied]);
    act('remove-pattern', { pattern: '/robot1/**' });
    act('add-pattern', 7);
    act('add-pattern', { pattern: '/a', kind: 'service' });
    await caught.until(3);
    assert.deepEqual(caught.messages.map(errorOf).sort(), [
      'Error: msg.payload: expected a pattern such as {"pattern": "/robot1/**"}, got 7',
      'Error: patterns, row 2: direction: expected one of mqtt-to-ros, ros-to-mqtt, got "both"',
      'Error: the bridge has no such pattern "/robot1/**"',
    ]);
  });

  it('takes interface types from the form, and refuses definitions that are wrong', async () => {
    const definitions = 'MSG: my_msgs/Spot\nfloat32 level';
    const routes = [routeTo(domain, { type: 'my_msgs/msg/Spot' })];
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes, definitions }));
    await bridgeStatus('no ROS');
    const completed = new Sink('completed');
    receive(`ros/${domain}/chatter`, { level: 1 });
    await completed.until(1);
    await stop();
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes, definitions: 'float32 level' }));
    await bridgeStatus('definitions:1: expected a line like "MSG: my_msgs/msg/Name" before it');
  });

  it('tells what happens on its second output', async () => {
    const wires = [['out-1'], ['events-1']];
    await start(
      bridgeFlow(
        { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)], wires },
        sink('events-1'),
      ),
    );
    const events = new Sink('events-1');
    await events.until(1);
    const [{ topic, payload } = {}] = events.messages;
    assert.deepEqual(
      [topic, payload],
      [
        'route-opened',
        { domain, rosName: '/chatter', rosType: 'std_msgs/msg/String', topic: `ros/${domain}/chatter` },
      ],
    );
  });

  it('refuses options of a route that cannot work, with the field', async () => {
    await start(
      bridgeFlow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain, { depth: 'many' })] }),
    );
    await bridgeStatus('route 1 (/chatter): depth: expected a whole number from 1 to 10000, got NaN');
  });

  it('is replaced without a word while it opens', async () => {
    const form = { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(bridgeFlow(form));
    const first = helper.getNode('bridge-1');
    await deploy(bridgeFlow({ ...form, name: 'second' }));
    assert.notEqual(helper.getNode('bridge-1'), first);
    assert.deepEqual(logged(first, 'error'), []);
  });

  it('says while it waits for an embedded broker that there is none', async () => {
    const broker = brokerForm({ target: 'embedded', embedded: 'nowhere' });
    await start(
      bridgeFlow(
        { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] },
        broker,
      ),
    );
    assert.equal(
      await bridgeStatus('reconnecting'),
      'reconnecting: embedded broker: The embedded broker "nowhere" is missing: it was deleted, or it or its flow is disabled',
    );
  });

  it('asks for a password that is not typed at each attempt to connect', async function () {
    const { url } = bridges.keep(await Mosquitto.start(this, [], { robot: 'secret' }));
    const bridge = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    const reconnect = { url, reconnectFirst: 10, reconnectLongest: 1 };
    const name = { 'broker-1': { username: 'robot' } };
    process.env.MQTT_ROS_TEST = 'wrong';
    bridges.keep('MQTT_ROS_TEST', (name) => delete process.env[name]);
    const environment = { passwordSource: 'environment', passwordEnvironment: 'MQTT_ROS_TEST' };
    await start(bridgeFlow(bridge, brokerForm({ ...reconnect, ...environment })), name);
    await bridgeStatus('Not authorized');
    process.env.MQTT_ROS_TEST = 'secret';
    await bridgeStatus('no ROS 2 found');
    await stop();
    await start(bridgeFlow(bridge, brokerForm({ ...reconnect, passwordSource: 'message' })), name);
    assert.match(await bridgeStatus('reconnecting'), /password/);
    const broker = helper.getNode('broker-1') as BrokerConfigNode;
    broker.setPassword('wrong');
    await bridgeStatus('Not authorized');
    broker.setPassword('secret');
    await bridgeStatus('no ROS 2 found');
  });

  it('shows the first problem and tells each to the log', async () => {
    const routes = [routeTo(domain), routeTo(domain, { rosName: '/imu', type: 'acme_msgs/msg/Imu' })];
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes }));
    const problem =
      'route 2 (/imu): no definition of type acme_msgs/msg/Imu; a robot that has it will be asked (ROS 2 Iron or later)';
    await statusText('bridge-1', (text) => text === `${problem.slice(0, 99)}…`);
    assert.deepEqual(logged(helper.getNode('bridge-1'), 'error'), [problem]);
  });

  for (const [field, form, message] of [
    [
      'domain of a route',
      { routes: [routeTo('x')] },
      'routes, row 1: domain: expected a whole number from 0 to 232, got “x”',
    ],
    [
      'domain',
      { domains: [{ id: 'car', alias: '' }] },
      'domains, row 1: expected a whole number from 0 to 232, got “car”',
    ],
    [
      'domain of a pattern',
      { patterns: [{ action: 'allow', pattern: '/**', direction: 'both', domain: 'x' }] },
      'patterns, row 1: domain: expected a whole number from 0 to 232, got “x”',
    ],
    [
      'pattern',
      { patterns: [{ action: 'allow', pattern: 'chatter', direction: 'both', domain: '' }] },
      'patterns, row 1: pattern "chatter" does not start with /',
    ],
    [
      'bound of patterns',
      { maxPatternRoutes: 'many' },
      'routes by patterns: expected an integer from 1 to 10000, got null',
    ],
    [
      'type of a name',
      { typeTable: [{ name: 'sensor_data', type: 'String' }] },
      'type table, row 1: "String" is not an interface type like "std_msgs/msg/String"',
    ],
    ['list of routes', { routes: [null] }, 'routes: expected a list of rows, got [null]'],
    ['list of domains', { domains: 'all' }, 'domains: expected a list of rows, got "all"'],
    ['alias', { domains: [{ id: 0, alias: 7 }] }, 'domains, row 1: alias: expected text, got 7'],
    ['ROS name', { routes: [routeTo(0, { rosName: 7 })] }, 'routes, row 1: ROS name: expected text, got 7'],
    ['list of peers', { peers: [] }, 'peers: expected text, got []'],
    ['own address', { advertisedAddress: 'me' }, 'advertised address: expected an IPv4 address, got "me"'],
    [
      'largest message',
      { maxMessageSize: '0' },
      'Largest message: expected a whole number of MiB from 1 to 128, got “0”',
    ],
    [
      'setup file',
      { setupFile: 'setup.bash' },
      'setup file: expected an absolute path such as /opt/ros/jazzy/setup.bash, got "setup.bash"',
    ],
    [
      'namespace',
      { namespaces: [{ ros: 'robot1', mqtt: '' }] },
      'namespace "robot1": ROS name "robot1" does not start with /',
    ],
    ['broker', { broker: 'nowhere' }, 'The chosen broker is missing or disabled'],
    ['prefix', { prefix: '' }, 'topic prefix "" is not valid: topic name is empty'],
    [
      'interface',
      { interfaces: '127.0.0.1, lo' },
      'interface: expected an IPv4 address of this machine, got "lo"',
    ],
  ] as const) {
    it(`shows a bad ${field}, and refuses messages with it`, async () => {
      await start(bridgeFlow(form));
      await statusText('bridge-1', (text) => text === message);
      const caught = new Sink('caught');
      receive('ros/0/chatter', {});
      // The catch node may have heard of the fault itself before.
      const ofMessage = () => caught.messages.filter(({ topic }) => topic === 'ros/0/chatter');
      for (let count = 1; ofMessage().length === 0; count++) await caught.until(count);
      assert.deepEqual(
        ofMessage().map((caughtMessage) => errorOf(caughtMessage).replace(/^\w*Error: /, '')),
        [message],
      );
    });
  }

  it('says why rclnodejs cannot be used', async () => {
    await start(bridgeFlow({ backend: 'rclnodejs', setupFile: '/nowhere/setup.bash' }));
    const problem = 'domain 0: setup file /nowhere/setup.bash: there is no such file';
    await statusText('bridge-1', (text) => text === problem);
  });
});
