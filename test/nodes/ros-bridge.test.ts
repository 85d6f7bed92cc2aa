import assert from 'node:assert/strict';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { Connection } from '../../src/client/connection';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { ENVIRONMENT_DOMAIN } from '../../src/ros/ros-environment';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { ServiceCodec } from '../../src/ros/service-codec';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { freePort } from '../counterparts';
import { RosPeer } from '../ros/bridge-fixture';
import { freshDomain } from '../rtps/test-domain';
import {
  bridgeForm,
  brokerForm,
  deploy,
  embeddedForm,
  errorOf,
  type FlowNode,
  logged,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

const INT = 'std_msgs/msg/Int32';
const routeTo = (domain: number | string, change: object = {}) => ({
  domain,
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  direction: 'both',
  ...change,
});
/** A ROS program of the test's own. */
const rosUser = (domain: number) =>
  new RtpsBackend().openDomain({
    domain,
    range: 'localhost',
    interfaces: ['127.0.0.1'],
    peers: [],
    nodeName: 'test',
    bridgeId: 'peer',
  });
const statusOf = (start: string) => statusText('bridge-1', (text) => text.startsWith(start));
const receive = (topic: unknown, payload: unknown) =>
  helper.getNode('bridge-1').receive({ topic: topic as string, payload });

describe('ros-bridge', function () {
  this.timeout(60_000);
  const opened: Array<{ close?: () => Promise<void>; stop?: () => Promise<void> }> = [];
  const keep = <T extends (typeof opened)[number]>(made: T): T => {
    opened.push(made);
    return made;
  };
  let domain: number;
  beforeEach(() => {
    domain = freshDomain();
  });
  afterEach(async () => {
    await stop();
    for (const each of opened.splice(0)) await (each.close?.() ?? each.stop?.());
  });
  const flow = (fields: Partial<FlowNode>, ...more: FlowNode[]): FlowNode[] => [
    tab,
    bridgeForm(fields),
    sink(),
    report('catch', 'bridge-1', 'caught'),
    sink('caught'),
    report('complete', 'bridge-1', 'completed'),
    sink('completed'),
    ...more,
  ];

  it('carries messages between the flow and ROS without a broker, numbers as text from the form', async () => {
    await start(flow({ domains: [{ id: String(domain), alias: '' }], routes: [routeTo(String(domain))] }));
    assert.equal(await statusOf('no ROS'), `no ROS 2 found on this machine, domain ${domain}`);
    const peer = keep(await RosPeer.start(domain));
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await statusOf('1 domain · 0 ROS nodes · 1 route · ');
    const out = new Sink();
    const completed = new Sink('completed');
    publish({ data: 'from ROS' });
    const [message] = await out.until(1);
    assert.deepEqual(
      [message?.topic, message?.payload, message?.rosType],
      [`ros/${domain}/chatter`, { data: 'from ROS' }, 'std_msgs/msg/String'],
    );
    receive(`ros/${domain}/chatter`, { data: 'from the flow' });
    await completed.until(1);
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, ['{"data":"from the flow"}']);
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
      await start(flow(form));
      await statusOf('peer: expected an IPv4 address or address:port, got "robot.local"');
      await stop();
      env.ROS_STATIC_PEERS = '127.0.0.1';
      await start(flow(form));
      await statusOf(`no ROS 2 found on this machine, domain ${domain}`);
      const peer = keep(await RosPeer.start(domain));
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

  it('takes its domain from a variable', async () => {
    const name = 'MQTT_ROS_TEST_DOMAIN';
    process.env[name] = String(domain);
    keep({ close: async () => void delete process.env[name] });
    const id = `\${${name}}`;
    await start(flow({ domains: [{ id, alias: '' }], routes: [routeTo(id)] }));
    assert.equal(await statusOf('no ROS'), `no ROS 2 found on this machine, domain ${domain}`);
  });

  it('is in domain 0 of the form where the environment names none', async () => {
    const settings = { discoveryRange: 'off', domains: [{ id: ENVIRONMENT_DOMAIN, alias: 'here' }] };
    await start(flow({ ...settings, routes: [routeTo(ENVIRONMENT_DOMAIN)] }));
    await statusOf('does not look for ROS 2');
    const completed = new Sink('completed');
    receive('ros/here/chatter', { data: 'nobody listens' });
    await completed.until(1);
  });

  it('carries text that is JSON of its own, as DeepROS sends it, in a String of ROS', async function () {
    const { url } = keep(await Mosquitto.start(this));
    const topic = 'ros/autonomous_vehicle/sensor_fusion/sensor_data';
    await start(
      flow(
        {
          broker: 'broker-1',
          domains: [{ id: domain, alias: 'autonomous_vehicle' }],
          routes: [],
          patterns: [{ action: 'allow', pattern: '/sensor_fusion/*', direction: 'both', format: 'text' }],
          typeTable: [{ name: 'sensor_data', type: 'std_msgs/msg/String' }],
        },
        brokerForm({ url }),
      ),
    );
    const peer = keep(await RosPeer.start(domain));
    await peer.listen('/sensor_fusion/sensor_data', undefined, undefined, 0);
    await statusOf('1 domain · 0 ROS nodes · 0 routes · 0 by patterns · ');
    const client = keep(new Connection(settingsFor(url, 4)));
    client.open();
    await connected(client);
    const reading = '{"timestamp": 1755500000.25, "temperature": 21.5, "humidity": 40}';
    await client.publish(topic, reading, { qos: 1, retain: false });
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, [JSON.stringify({ data: reading })]);
    const inbox = await Inbox.on(client, topic);
    const { publish } = await peer.publisher('/sensor_fusion/sensor_data');
    publish({ data: reading });
    await inbox.until(({ texts }) => texts.length === 1);
    assert.deepEqual(inbox.texts, [`${topic}=${reading}`]);
    await statusOf('1 domain · 0 ROS nodes · 0 routes · 2 by patterns · ');
  });

  it('takes the type that a message says, unless it has come from another name of ROS', async () => {
    const routes = [routeTo(domain, { type: '' }), routeTo(domain, { rosName: '/other' })];
    await start(flow({ domains: [{ id: domain, alias: 'car' }], routes }));
    const peer = keep(await RosPeer.start(domain));
    await statusOf('1 domain');
    const completed = new Sink('completed');
    const caught = new Sink('caught');
    const say = (facts: object, place = 'chatter') => {
      const message: NodeMessage & object = { topic: `ros/car/${place}`, payload: { data: 1 }, ...facts };
      helper.getNode('bridge-1').receive(message);
    };
    say({ rosType: 7 });
    say({ rosType: 'Int32' });
    say({ rosType: INT });
    await completed.until(1);
    await peer.listen('/chatter', INT, undefined, 1);
    say({ rosName: '/battery', rosType: 'sensor_msgs/msg/BatteryState' });
    await completed.until(2);
    await peer.until(() => peer.heard.length === 1);
    say({ rosName: '/chatter', rosType: 'std_msgs/msg/String' });
    say({ rosType: INT }, 'other');
    await caught.until(4);
    assert.deepEqual(peer.heard, ['{"data":1}']);
    assert.deepEqual(caught.messages.map(errorOf), [
      'Error: msg.rosType: expected an interface type such as std_msgs/msg/String, got 7',
      'Error: /chatter: rosType: "Int32" is not an interface type like "std_msgs/msg/String"',
      `Error: /chatter: a message is of the type std_msgs/msg/String by its rosType, expected ${INT}`,
      `Error: /other: a message is of the type ${INT} by its rosType, expected std_msgs/msg/String`,
    ]);
  });

  it('adds, lists and removes routes as messages ask', async () => {
    await start(flow({ domains: [{ id: domain, alias: 'car' }], routes: [] }));
    await statusOf('no ROS');
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
    await caught.until(2);
    assert.deepEqual(caught.messages.map(errorOf).sort(), [
      'Error: msg.payload: expected a route such as {"rosName": "/chatter"}, got "chatter"',
      `Error: the bridge has no route for the topic /chatter of domain ${domain}`,
    ]);
  });

  it('takes interface types from the form, and refuses definitions that are wrong', async () => {
    const definitions = 'MSG: my_msgs/Spot\nfloat32 level';
    const routes = [routeTo(domain, { type: 'my_msgs/msg/Spot' })];
    await start(flow({ domains: [{ id: domain, alias: '' }], routes, definitions }));
    await statusOf('no ROS');
    const completed = new Sink('completed');
    receive(`ros/${domain}/chatter`, { level: 1 });
    await completed.until(1);
    await stop();
    await start(flow({ domains: [{ id: domain, alias: '' }], routes, definitions: 'float32 level' }));
    await statusOf('definitions:1: expected a line like "MSG: my_msgs/msg/Name" before it');
  });

  it('tells what happens on its second output', async () => {
    const wires = [['out-1'], ['events-1']];
    await start(
      flow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)], wires }, sink('events-1')),
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
    await start(flow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain, { depth: 'many' })] }));
    await statusOf('route 1 (/chatter): depth: expected a whole number from 1 to 10000, got NaN');
  });

  it('gives what it cannot publish to a catch node, with the reason', async () => {
    await start(flow({ domains: [{ id: domain, alias: 'car' }], routes: [routeTo(domain)] }));
    await statusOf('no ROS');
    const caught = new Sink('caught');
    const completed = new Sink('completed');
    receive('ros/car/chatter', { data: 1 });
    receive('ros/car/nobody', {});
    receive(7, {});
    await caught.until(3);
    assert.deepEqual(caught.messages.map(errorOf), [
      'Error: msg.topic: expected a topic such as ros/0/chatter, got 7',
      'Error: /chatter: payload data: expected a string, got 1',
      'Error: topic "ros/car/nobody": the bridge has no route for it',
    ]);
    receive('ros/car/chatter', { data: '1' });
    await completed.until(1);
    assert.equal(caught.messages.length, 3);
  });

  it('meets MQTT clients at the embedded broker, and again after a deploy of broker or bridge', async function () {
    // Three rounds of deploying and finding one another.
    this.timeout(60_000);
    const port = await freePort();
    const nodes = (change: Partial<FlowNode> = {}, name = '') =>
      flow(
        { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)], name },
        brokerForm({ target: 'embedded', embedded: 'embedded-1' }),
        embeddedForm({ listen: true, port, ...change }),
        sink('events-1'),
      );
    await start(nodes());
    const peer = keep(await RosPeer.start(domain));
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    for (const [round, deployed] of [
      nodes(),
      nodes({ name: 'renamed' }),
      nodes({ name: 'renamed' }, 'renamed'),
    ].entries()) {
      await deploy(deployed);
      await statusOf('1 domain · 0 ROS nodes · 1 route · ');
      const client = new Connection(settingsFor(`mqtt://127.0.0.1:${port}`));
      client.open();
      await connected(client);
      const presence = await Inbox.on(client, `ros/${domain}/@bridge/+`);
      await presence.until(({ texts }) => texts.at(-1)?.includes('online') === true);
      assert.match(presence.texts.at(-1) ?? '', /^ros\/\d+\/@bridge\/bridge-1-[0-9a-f]{8}=/);
      const inbox = await Inbox.on(client, `ros/${domain}/chatter`);
      const text = `{"data":"${round}"}`;
      // A new bridge and the peer have to find each other first, which nothing here shows.
      while (!peer.heard.includes(text)) {
        await client.publish(`ros/${domain}/chatter`, text, { qos: 1, retain: false });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const repeat = setInterval(() => publish({ data: 'back' }), 50);
      await inbox
        .until(({ texts }) => texts.includes(`ros/${domain}/chatter={"data":"back"}`))
        .finally(() => clearInterval(repeat));
      await client.close();
    }
  });

  it('says for which other bridge of the same broker it stands by', async () => {
    const fields = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(
      flow(
        fields,
        bridgeForm({ ...fields, id: 'bridge-2' }),
        brokerForm({ target: 'embedded', embedded: 'embedded-1' }),
        embeddedForm({}),
        sink('events-1'),
      ),
    );
    const peer = keep(await RosPeer.start(domain));
    await peer.listen('/chatter', undefined, undefined, 2);
    const first = await statusOf('1 domain · ');
    const second = await statusText('bridge-2', (text) => text.startsWith('standby'));
    assert.match(second, /^standby for bridge-1-[0-9a-f]{8} · 1 domain · /);
    assert.equal(first.includes('standby'), false);
  });

  it('calls a service, and sends the message on with the response, or why there is none to a catch node', async () => {
    const service = {
      kind: 'service',
      rosName: '/add',
      type: 'example_interfaces/srv/AddTwoInts',
      direction: 'mqtt-to-ros',
    };
    const routes = [
      routeTo(domain, { ...service, timeout: '20' }),
      routeTo(domain, { ...service, rosName: '/nobody', timeout: 0.05 }),
    ];
    const user = keep(await rosUser(domain));
    const codec = new ServiceCodec(InterfaceLibrary.bundled(), '/add', service.type);
    user.createServiceServer(codec.service, async (cdr) => {
      const { a, b } = JSON.parse(codec.decodeRequest(cdr));
      return codec.encodeResponse({ sum: a + b });
    });
    await start(flow({ domains: [{ id: domain, alias: '' }], routes }));
    await statusOf('1 domain · ');
    const [out, caught, completed] = [new Sink(), new Sink('caught'), new Sink('completed')];
    const kept = { topic: `ros/${domain}/add/@req`, payload: { a: 20, b: 22 }, kept: 'by the flow' };
    helper.getNode('bridge-1').receive(kept);
    const [answer] = await out.until(1);
    assert.deepEqual(answer, { ...kept, payload: { sum: 42 } });
    await completed.until(1);
    receive(`ros/${domain}/nobody/@req`, {});
    const [failed] = await caught.until(1);
    assert.equal(errorOf(failed), 'Error: service /nobody: no server was found in time');
  });

  it('sends on what a ROS node asks, and takes the answer back', async () => {
    const type = 'std_srvs/srv/SetBool';
    const service = { kind: 'service', rosName: '/lamp', type, direction: 'ros-to-mqtt' };
    await start(flow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain, service)] }));
    const user = keep(await rosUser(domain));
    const codec = new ServiceCodec(InterfaceLibrary.bundled(), '/lamp', type);
    const out = new Sink();
    const response = user
      .createServiceClient(codec.service)
      .call(codec.encodeRequest({ data: true }), 20_000);
    const [request] = (await out.until(1)) as [NodeMessage];
    assert.deepEqual([request.topic, request.payload], [`ros/${domain}/lamp/@req`, { data: true }]);
    helper.getNode('bridge-1').receive({ ...request, payload: { success: true, message: 'on' } });
    assert.equal(codec.decodeResponse(await response), '{"success":true,"message":"on"}');
  });

  it('is replaced without a word while it opens', async () => {
    const form = { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(flow(form));
    const first = helper.getNode('bridge-1');
    await deploy(flow({ ...form, name: 'second' }));
    assert.notEqual(helper.getNode('bridge-1'), first);
    assert.deepEqual(logged(first, 'error'), []);
  });

  it('says while it waits for an embedded broker that there is none', async () => {
    const broker = brokerForm({ target: 'embedded', embedded: 'nowhere' });
    await start(
      flow({ broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] }, broker),
    );
    assert.equal(
      await statusOf('reconnecting'),
      'reconnecting: embedded broker: The embedded broker "nowhere" is missing: it was deleted, or it or its flow is disabled',
    );
  });

  it('carries both ways with MQTT 3.1.1 only where that is allowed', async () => {
    const fields = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    const brokers = [
      brokerForm({ target: 'embedded', embedded: 'embedded-1', protocolVersion: '4' }),
      embeddedForm({}),
      sink('events-1'),
    ];
    await start(flow(fields, ...brokers));
    await statusOf(
      'route 1 (/chatter): direction: expected one direction, because the broker is used with MQTT 3.1.1',
    );
    await stop();
    await start(flow({ ...fields, bothWaysOverMqtt311: true }, ...brokers));
    const peer = keep(await RosPeer.start(domain));
    await peer.publisher('/chatter');
    await statusOf('1 domain · ');
  });

  it('asks for a password that is not typed at each attempt to connect', async function () {
    const { url } = keep(await Mosquitto.start(this, [], { robot: 'secret' }));
    const bridge = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    const reconnect = { url, reconnectFirst: 10, reconnectLongest: 1 };
    const name = { 'broker-1': { username: 'robot' } };
    process.env.MQTT_ROS_TEST = 'wrong';
    keep({ close: async () => void delete process.env.MQTT_ROS_TEST });
    const environment = { passwordSource: 'environment', passwordEnvironment: 'MQTT_ROS_TEST' };
    await start(flow(bridge, brokerForm({ ...reconnect, ...environment })), name);
    await statusOf('Not authorized');
    process.env.MQTT_ROS_TEST = 'secret';
    await statusOf('no ROS 2 found');
    await stop();
    await start(flow(bridge, brokerForm({ ...reconnect, passwordSource: 'message' })), name);
    assert.match(await statusOf('reconnecting'), /password/);
    const broker = helper.getNode('broker-1') as BrokerConfigNode;
    broker.setPassword('wrong');
    await statusOf('Not authorized');
    broker.setPassword('secret');
    await statusOf('no ROS 2 found');
  });

  it('shows the first problem and tells each to the log', async () => {
    const routes = [routeTo(domain), routeTo(domain, { rosName: '/imu', type: 'acme_msgs/msg/Imu' })];
    await start(flow({ domains: [{ id: domain, alias: '' }], routes }));
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
      await start(flow(form));
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
    await start(flow({ backend: 'rclnodejs', setupFile: '/nowhere/setup.bash' }));
    const problem = 'domain 0: setup file /nowhere/setup.bash: there is no such file';
    await statusText('bridge-1', (text) => text === problem);
  });

  it('sends nothing to the flow while its output is not wired, and does after it was', async () => {
    const fields = { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(flow({ ...fields, wires: [[]] }));
    const peer = keep(await RosPeer.start(domain));
    const { publish } = await peer.publisher('/chatter');
    await statusOf('1 domain · 0 ROS nodes · 1 route · ');
    const node = helper.getNode('bridge-1');
    publish({ data: 'nobody hears' });
    await statusOf('1 domain · 0 ROS nodes · 1 route · 1 msg/s · rtps');
    await deploy(flow(fields));
    assert.equal(helper.getNode('bridge-1'), node);
    const out = new Sink();
    publish({ data: 'heard' });
    assert.deepEqual((await out.until(1))[0]?.payload, { data: 'heard' });
  });
});
