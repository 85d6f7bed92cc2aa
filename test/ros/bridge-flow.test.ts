import assert from 'node:assert/strict';
import type { MessagePort, Worker } from 'node:worker_threads';
import { BrokerThread } from '../../src/broker/broker-thread';
import { RosThread } from '../../src/ros/ros-thread';
import { freshDomain } from '../rtps/test-domain';
import { BEST_EFFORT, RELIABLE, route, TestBridge, Watch } from './bridge-fixture';
import { Bridges } from './bridges';

describe('bridge between ROS and a flow', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });

  it('gives the flow what ROS publishes, with type, domain, stamp and sequence', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1 });
    const before = Math.floor(Date.now() / 1000);
    publish({ data: 'hello' });
    publish({ data: '안녕' });
    await bridge.until(() => bridge.messages.length === 2);
    const [first, second] = bridge.messages;
    const { stamp, ...rest } = first ?? {};
    assert.deepEqual(rest, {
      topic: `ros/${domain}/chatter`,
      payload: { data: 'hello' },
      domain,
      rosName: '/chatter',
      rosType: 'std_msgs/msg/String',
      sequence: 1,
    });
    assert.ok(stamp !== undefined && stamp.sec >= before && stamp.sec <= before + 60);
    assert.deepEqual([second?.payload, second?.sequence], [{ data: '안녕' }, 2]);
  });

  it('publishes objects, JSON text and JSON bytes of the flow on the ROS topic', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    await bridge.ready({ subscriptions: 1 });
    await bridge.handle.publish(`ros/${domain}/chatter`, { data: 'object' });
    await bridge.handle.publish(`ros/${domain}/chatter`, '{"data":"text"}');
    await bridge.handle.publish(`ros/${domain}/chatter`, Buffer.from('{"data":"bytes"}'));
    await peer.until(() => peer.heard.length === 3);
    assert.deepEqual(peer.heard, ['{"data":"object"}', '{"data":"text"}', '{"data":"bytes"}']);
    assert.equal(bridge.messages.length, 0);
  });

  it('tells how many messages it carries in a second', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    await bridge.until(() => bridge.status?.messagesPerSecond === 0);
    await bridge.repeat(
      () => bridge.handle.publish(`ros/${domain}/chatter`, { data: 'one' }),
      () => (bridge.status?.messagesPerSecond ?? 0) > 0,
    );
    await bridge.until(() => bridge.status?.messagesPerSecond === 0);
  });

  it('takes messages and routes of the flow while it opens', async () => {
    const bridge = bridges.keep(
      TestBridge.create(bridges.thread, { domains: [domain], routes: [route(domain)] }),
    );
    const opening = bridge.handle.open();
    const published = bridge.handle.publish(`ros/${domain}/chatter`, { data: 'early' });
    const added = bridge.handle.addRoute(route(domain, { rosName: '/early' }));
    assert.equal(bridge.handle.state.state, 'opening');
    await Promise.all([opening, published, added]);
    assert.deepEqual(
      (await bridge.handle.listRoutes()).map(({ rosName, counts }) => [rosName, counts?.rosPublished]),
      [
        ['/chatter', 1],
        ['/early', 0],
      ],
    );
  });

  it('tells what came while it opened that it was refused', async () => {
    const bridge = TestBridge.create(bridges.thread, { domains: [1], routes: [], prefix: '' });
    const opening = bridge.handle.open();
    const published = bridge.handle.publish('ros/1/chatter', {});
    const outcomes = await Promise.allSettled([opening, published]);
    const [refused, rejected] = outcomes.map(
      (outcome) => 'reason' in outcome && String(outcome.reason.message),
    );
    assert.match(String(refused), /prefix/);
    assert.equal(rejected, refused);
  });

  it('does not hear its own publisher', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    await bridge.handle.publish(`ros/${domain}/chatter`, { data: 'from the flow' });
    await peer.until(() => peer.heard.length === 1);
    publish({ data: 'from ROS' });
    await bridge.until(() => bridge.messages.length > 0);
    assert.deepEqual(
      bridge.messages.map(({ payload }) => payload),
      [{ data: 'from ROS' }],
    );
  });

  it('refuses what it cannot publish with the topic or the path and the reason, and goes on', async () => {
    const other = freshDomain();
    const routes = [
      route(domain, { rosName: '/cmd_vel', type: 'geometry_msgs/msg/Twist' }),
      route(domain, { direction: 'ros-to-mqtt' }),
    ];
    const bridge = await bridges.open({ routes });
    const refused = (topic: string, payload: unknown, message: string) =>
      assert.rejects(bridge.handle.publish(topic, payload), { message });
    await refused(
      `ros/${domain}/cmd_vel`,
      { angular: { z: 'fast' } },
      '/cmd_vel: payload angular.z: expected a number, got "fast"',
    );
    await refused(
      `ros/${domain}/cmd_vel`,
      undefined,
      '/cmd_vel: payload expected an object (geometry_msgs/msg/Twist), got undefined',
    );
    await refused(`ros/${domain}/chatter`, {}, '/chatter: direction ros-to-mqtt takes no messages for ROS');
    await refused(`ros/${domain}/nobody`, {}, `topic "ros/${domain}/nobody": the bridge has no route for it`);
    await refused(`ros/${other}/chatter`, {}, `topic "ros/${other}/chatter": the bridge has no route for it`);
    await refused(
      'plant/chatter',
      {},
      'topic "plant/chatter" is neither below the bridge\'s prefix "ros" nor that of a route',
    );
    await refused(
      'ros/233/chatter',
      {},
      'topic "ros/233/chatter": domain 233 is not an integer from 0 to 232',
    );
    await refused(
      `ros/${domain}/cmd_vel`,
      { angular: () => 0 },
      `topic "ros/${domain}/cmd_vel": the payload cannot be a message: () => 0 could not be cloned.`,
    );
    await bridge.handle.publish(`ros/${domain}/cmd_vel`, { angular: { z: 1 } });
    assert.deepEqual(bridge.problems, []);
  });

  it('bridges two domains at once, one under its alias', async () => {
    const other = freshDomain();
    const bridge = bridges.keep(
      await TestBridge.open(bridges.thread, {
        domains: [domain, other],
        aliases: { car: other },
        routes: [route(domain), route(other)],
      }),
    );
    for (const [index, [id, topic]] of [
      [domain, `ros/${domain}/chatter`] as const,
      [other, 'ros/car/chatter'] as const,
    ].entries()) {
      const peer = await bridges.peer(id);
      await peer.listen('/chatter');
      const { publish } = await peer.publisher('/chatter');
      await bridge.ready({ publishers: 1, subscriptions: 1 }, index);
      publish({ data: topic });
      await bridge.handle.publish(topic, { data: `to ${id}` });
      await peer.until(() => peer.heard.length === 1);
      assert.deepEqual(peer.heard, [`{"data":"to ${id}"}`]);
    }
    await bridge.until(() => bridge.messages.length === 2);
    assert.deepEqual(
      bridge.messages.map(({ topic, payload, domain }) => [topic, payload, domain]),
      [
        [`ros/${domain}/chatter`, { data: `ros/${domain}/chatter` }, domain],
        ['ros/car/chatter', { data: 'ros/car/chatter' }, other],
      ],
    );
    await assert.rejects(bridge.handle.publish(`ros/${other}/chatter`, {}), {
      message: `topic "ros/${other}/chatter": domain ${other} is spelled "car" here`,
    });
  });

  it('announces the hash of its type, and reports a publisher whose type of that name has another', async () => {
    const peer = await bridges.peer();
    const announced: string[] = [];
    peer.participant.on('endpoint', ({ kind, topic, userData }) => {
      if (topic === 'rt/chatter') announced.push(`${kind} ${userData}`);
      peer.changed();
    });
    const bridge = await bridges.open({ routes: [route(domain)] });
    await peer.until(() => announced.length === 2);
    const hash = 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18';
    assert.deepEqual(announced.sort(), [`reader typehash=${hash};`, `writer typehash=${hash};`]);

    const other = `RIHS01_${'0'.repeat(64)}`;
    for (const userData of [`typehash=${hash};`, 'typehash=none;', `a=b;typehash=${other};`]) {
      peer.participant.createWriter({
        topic: 'rt/chatter',
        type: 'std_msgs::msg::dds_::String_',
        qos: RELIABLE,
        userData: Buffer.from(userData),
      });
    }
    await bridge.ready({ publishers: 3 });
    await bridge.until(() => bridge.problems.length > 0);
    assert.deepEqual(bridge.problems, [
      `/chatter: a publisher has another definition of std_msgs/msg/String (${other}) than the route (${hash})`,
    ]);
  });

  it('reports a publisher of another type on the same name, found before or after the route', async () => {
    const problem = '/chatter: a publisher has the type std_msgs/msg/Int32, the route std_msgs/msg/String';
    const peer = await bridges.peer();
    await peer.publisher('/chatter', 'std_msgs/msg/Int32', RELIABLE, 0);
    for (let round = 0; round < 2; round++) {
      const bridge = await bridges.open({ routes: [route(domain)] });
      await bridge.until(() => bridge.problems.length > 0);
      assert.equal(bridge.problems[0], problem);
      await bridge.until(() => bridge.route()?.problem === problem);
    }
  });

  it('carries types that its settings define, which may be another version of a common one', async () => {
    const definitions = 'MSG: my_msgs/Spot\nfloat32 level\nsensor_msgs/Range range\n\tfloat32 range';
    const type = 'my_msgs/msg/Spot';
    const routes = [route(domain, { type })];
    const bridge = await bridges.open({ routes, definitions });
    const peer = await bridges.peer();
    const samples: string[] = [];
    const dds = { topic: 'rt/chatter', type: 'my_msgs::msg::dds_::Spot_', qos: RELIABLE };
    const reader = peer.participant.createReader(dds, ({ payload }) => {
      samples.push(payload.toString('hex'));
      peer.changed();
    });
    await peer.until(() => reader.matchedCount === 1);
    await bridge.ready({ subscriptions: 1 });
    await bridge.handle.publish(`ros/${domain}/chatter`, { level: 0.5, range: { range: 2 } });
    await peer.until(() => samples.length === 1);
    assert.deepEqual(samples, ['000100000000003f00000040']);
  });

  it('refuses definitions that are wrong, with the line', async () => {
    const routes = [route(domain)];
    await assert.rejects(
      TestBridge.open(bridges.thread, {
        domains: [domain],
        routes,
        definitions: 'MSG: my_msgs/Spot\nfloat32',
      }),
      { message: 'definitions:2: expected a type and a name like "float64 x", got "float32"' },
    );
  });

  it('refuses a route that cannot work, with the reason, and carries the others', async () => {
    const other = freshDomain();
    const routes = [
      route(domain, { rosName: 'no_slash' }),
      route(domain, { rosName: '/imu', type: 'acme_msgs/msg/Unknown' }),
      route(other),
      route(domain),
      route(domain),
    ];
    const bridge = await bridges.open({ routes });
    await bridge.until(() => bridge.problems.length === 4);
    assert.deepEqual(bridge.problems, [
      'route 1 (no_slash): ROS name "no_slash" does not start with /',
      'route 2 (/imu): no definition of type acme_msgs/msg/Unknown; a robot that has it will be asked (ROS 2 Iron or later)',
      `route 3 (/chatter): domain: expected ${domain}, got ${other}`,
      `route 5 (/chatter): ROS name: expected one route for each topic of domain ${domain}, got "/chatter"`,
    ]);
    await bridge.until(() => bridge.status !== undefined);
    assert.deepEqual(
      bridge.status?.routes.map(({ problem }) => problem),
      [...bridge.problems.slice(0, 3), undefined, bridge.problems[3]],
    );
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    await bridge.ready({ subscriptions: 1 }, 3);
    await bridge.handle.publish(`ros/${domain}/chatter`, { data: 'still' });
    await peer.until(() => peer.heard.length === 1);
    await assert.rejects(bridge.handle.publish(`ros/${domain}/imu`, {}), {
      message: bridge.problems[1] ?? '',
    });
  });

  it('refuses settings with which nothing could work', async () => {
    const refused = (change: object, message: string | RegExp) =>
      assert.rejects(TestBridge.open(bridges.thread, { domains: [domain], routes: [], ...change }), {
        name: 'BridgeSettingsError',
        message,
      });
    await refused({ prefix: 'ros/#' }, /^topic prefix "ros\/#" is not valid/);
    await refused({ domains: [233] }, 'domain: expected an integer from 0 to 232, got 233');
    await refused({ peers: ['x'] }, 'peer: expected an IPv4 address or address:port, got "x"');
  });

  it('takes the strongest QoS that matches every publisher, as they come and go', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    const sensor = await bridges.peer();
    const { publish, writer } = await sensor.publisher('/chatter', undefined, BEST_EFFORT);
    await bridge.ready({ publishers: 1 });
    publish({ data: 'best effort' });
    await bridge.until(() => bridge.messages.length === 1);
    const state = await bridges.peer();
    const reliable = await state.publisher('/chatter', undefined, RELIABLE);
    await bridge.ready({ publishers: 2 });
    reliable.publish({ data: 'reliable' });
    publish({ data: 'best effort again' });
    await bridge.until(() => bridge.messages.length === 3);
    writer.close();
    await bridge.ready({ publishers: 1 });
    await state.until(() => reliable.writer.matchedCount === 1);
    reliable.publish({ data: 'reliable again' });
    await bridge.until(() => bridge.messages.length === 4);
    assert.deepEqual(
      new Set(bridge.messages.map(({ payload }) => (payload as { data: string }).data)),
      new Set(['best effort', 'reliable', 'best effort again', 'reliable again']),
    );
    assert.deepEqual(bridge.problems, []);
  });

  it('hears once what a latched publisher said before', async () => {
    const peer = await bridges.peer();
    const latched = { ...RELIABLE, durability: 'transient-local' } as const;
    const { publish } = await peer.publisher('/map', undefined, latched, 0);
    publish({ data: 'before' });
    const bridge = await bridges.open({ routes: [route(domain, { rosName: '/map' })] });
    await bridge.until(() => bridge.messages.length > 0);
    publish({ data: 'now' });
    await bridge.until(() => bridge.messages.length > 1);
    assert.deepEqual(
      bridge.messages.map(({ payload }) => payload),
      [{ data: 'before' }, { data: 'now' }],
    );
  });

  it('keeps samples in the worker while the flow does not want them', async () => {
    const settings = { domains: [domain], routes: [route(domain)] };
    const bridge = await bridges.open(settings, { flowOutput: false });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1 });
    publish({ data: 'unwanted' });
    await bridge.until(() => bridge.route()?.counts?.rosReceived === 1);
    bridge.handle.flowOutput = true;
    await bridge.handle.publish(`ros/${domain}/chatter`, {});
    publish({ data: 'wanted' });
    await bridge.until(() => bridge.messages.length > 0);
    assert.deepEqual(bridge.messages[0]?.payload, { data: 'wanted' });
  });

  it('is shared by several bridges, and one that closes leaves the other', async () => {
    const settings = { domains: [domain], routes: [route(domain)] };
    const one = await TestBridge.open(bridges.thread, settings);
    const other = await bridges.open(settings);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter', undefined, RELIABLE, 2);
    for (const bridge of [one, other]) await bridge.ready({ publishers: 2, subscriptions: 1 });
    // Both bridges are one participant to others.
    assert.equal(one.status?.domains[0]?.participants, 1);
    publish({ data: 'both' });
    await one.until(() => one.messages.length === 1);
    await other.until(() => other.messages.length === 1);
    await one.handle.publish(`ros/${domain}/chatter`, { data: 'from one to the other' });
    await other.until(() => other.messages.length === 2);
    assert.deepEqual(other.messages[1]?.payload, { data: 'from one to the other' });
    assert.equal(one.messages.length, 1);
    await one.close();
    assert.deepEqual(one.states.at(-1), 'closed');
    await assert.rejects(one.handle.publish(`ros/${domain}/chatter`, {}), {
      message: `topic "ros/${domain}/chatter": the bridge is closed`,
    });
    publish({ data: 'one' });
    await other.until(() => other.messages.length === 3);
  });

  it('can be closed and opened again', async () => {
    const bridge = await bridges.open({ routes: [route(domain)] });
    await Promise.all([bridge.close(), bridge.close()]);
    await bridge.handle.open();
    await bridge.ready();
    await bridge.handle.publish(`ros/${domain}/chatter`, {});
  });

  it('tells once that the embedded broker cannot be had, and has it when it can', async () => {
    const broker = new BrokerThread({ listeners: [] });
    let found = false;
    const attempts = new Watch();
    let asked = 0;
    const brokerPort = (port: MessagePort) => {
      asked++;
      attempts.changed();
      if (!found) throw new Error('not deployed');
      broker.acceptPort(port);
    };
    const mqtt = { target: 'embedded', protocolVersion: 5, clientId: 'b', keepAlive: 60 } as const;
    await broker.start();
    bridges.keep(broker);
    const bridge = await bridges.open({ routes: [route(domain)], mqtt }, { brokerPort });
    await attempts.until(() => asked === 2);
    assert.deepEqual(bridge.problems, ['embedded broker: not deployed']);
    found = true;
    await bridge.ready();
  });

  it('can be closed before it is open', async () => {
    const bridge = TestBridge.create(bridges.thread, { domains: [domain], routes: [route(domain)] });
    const opening = assert.rejects(bridge.handle.open(), {
      message: 'the bridge was closed before it was open',
    });
    await bridge.close();
    await opening;
    assert.deepEqual(bridge.states, ['opening', 'closed']);
  });

  it('is opened again after the worker has crashed', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    try {
      const own = new RosThread();
      const bridge = bridges.keep(await TestBridge.open(own, { domains: [domain], routes: [route(domain)] }));
      const peer = await bridges.peer();
      await peer.listen('/chatter');
      await bridge.ready({ subscriptions: 1 });
      const exited = new Promise((resolve) => workers[0]?.on('exit', resolve));
      // Not a request: an exception that nobody in the worker expects.
      workers[0]?.postMessage(null);
      const lost = bridge.handle.publish(`ros/${domain}/chatter`, { data: 'lost' });
      await assert.rejects(lost, /^Error: the ROS worker ended: /);
      await exited;
      await assert.rejects(bridge.handle.publish(`ros/${domain}/chatter`, {}), {
        message: `topic "ros/${domain}/chatter": the bridge is restarting`,
      });
      assert.match(bridge.problems[0] ?? '', /^the ROS worker ended: Cannot read properties of null/);
      await bridge.ready({ subscriptions: 1 });
      await bridge.handle.publish(`ros/${domain}/chatter`, { data: 'again' });
      await peer.until(() => peer.heard.length === 1);
      assert.deepEqual(peer.heard, ['{"data":"again"}']);
      assert.deepEqual(bridge.states, ['opening', 'open', 'restarting', 'opening', 'open']);
      await bridge.close();
      assert.equal(workers.length, 2);
    } finally {
      process.off('worker', note);
    }
  });
});
