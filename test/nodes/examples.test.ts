import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { NodeInitializer, NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import { CertificateAuthority } from '../certificates';
import { counterpart, freePort } from '../counterparts';
import { RosPeer } from '../ros/bridge-fixture';
import { freshDomain } from '../rtps/test-domain';
import { listened } from './bridge-flow';
import { connectedStatus, errorOf, type FlowNode, Sink, sink, start, statusText, stop } from './flow';

interface Twist {
  linear: { x: number };
}

/** The nodes of Node-RED that the examples use, besides its catch node, which the helper loads itself. */
const CORE = ['common/20-inject', 'common/21-debug', 'common/90-comment', 'function/10-function'].map(
  (name) => require(`@node-red/nodes/core/${name}`) as NodeInitializer,
);

describe('the examples', function () {
  this.timeout(60_000);
  afterEach(stop);

  let flow: FlowNode[];
  const nodeOf = (name: string) => {
    const node = flow.find((candidate) => candidate.name === name);
    assert.ok(node, `no node ${name}`);
    return helper.getNode(node.id);
  };
  const press = (name: string) => nodeOf(name).receive({});
  const broker = () => helper.getNode(flow.find(({ type }) => type === 'embedded-broker')?.id as string);
  /** As a lost connection: the broker publishes the will. */
  const disconnect = (clientId: string) => broker().receive({ action: 'disconnect', clientId });
  const at = (name: string) => new Sink(nodeOf(name).id);

  /** Has all bridges of an example in one domain, which is 0 there, on loopback. */
  const inDomain = (domain: number) => (nodes: FlowNode[]) => {
    const text = JSON.stringify(nodes)
      .replaceAll('ros/0/', `ros/${domain}/`)
      .replaceAll('"domain":0', `"domain":${domain}`)
      .replaceAll('"id":0', `"id":${domain}`);
    nodes.splice(0, nodes.length, ...(JSON.parse(text) as FlowNode[]));
    for (const node of nodes) if (node.type === 'ros-bridge') node.interfaces = '127.0.0.1';
  };
  /** Bridges of one Node-RED find each other, although nobody else is there. */
  const found = (...names: string[]) =>
    Promise.all(
      names.map((name) => statusText(nodeOf(name).id, (text) => text.startsWith('1 domain · 0 ROS nodes'))),
    );

  async function open(title: string, change: (flow: FlowNode[]) => void = () => {}): Promise<void> {
    flow = JSON.parse(readFileSync(`examples/${title}.json`, 'utf8')) as FlowNode[];
    change(flow);
    const filters = new Set<string>();
    for (const { type, topicFilter, moreFilters = [] } of flow) {
      if (type === 'mqtt-sub')
        for (const filter of [topicFilter, moreFilters].flat()) filters.add(String(filter));
    }
    const brokers = flow.filter(({ type }) => type === 'embedded-broker');
    for (const broker of brokers) broker.wires = [['events-1']];
    const users = flow.filter(({ type }) => type === 'mqtt-sub' || type === 'mqtt-pub');
    await start([...flow, { ...sink('events-1'), z: flow.find(({ type }) => type === 'tab')?.id }], {}, CORE);
    const events = new Sink('events-1');
    await Promise.all(users.map(({ id }) => connectedStatus(id)));
    const missing = () => {
      const made = events.messages.flatMap(({ topic, payload }) =>
        topic === 'subscribed' ? (payload as { subscriptions: { filter: string }[] }).subscriptions : [],
      );
      const count = (filter: string) =>
        flow.filter(
          (node) =>
            node.type === 'mqtt-sub' && node.topicFilter === filter && node.delivery === 'acknowledged',
        ).length || 1;
      return [...filters].some(
        (wanted) => made.filter(({ filter }) => filter === wanted).length < count(wanted),
      );
    };
    while (missing()) await events.until(events.messages.length + 1);
  }

  it('Device - telemetry, commands, status and events', async () => {
    await open('Device - telemetry, commands, status and events');
    const [value, events, status] = [at('value'), at('events'), at('status changes')];
    const newest = () => status.payloads.at(-1);
    press('measure');
    const [measured] = (await value.until(1)) as [NodeMessage];
    assert.equal(typeof (measured.payload as { value: unknown }).value, 'number');
    press('start');
    assert.deepEqual((await events.until(1))[0]?.payload, { event: 'pump start' });
    disconnect('pump1');
    await status.until(() => newest() === 'offline');
    await status.until(() => newest() === 'online');
  });

  it('Request and response', async () => {
    await open('Request and response', (nodes) => {
      for (const node of nodes) if (node.name === 'lost') node.timeout = '0.1';
    });
    const [reply, timeout] = [at('reply'), at('timeout')];
    press('21');
    assert.equal((await reply.until(1))[0]?.payload, 42);
    press('nobody answers this');
    await timeout.until(1);
    assert.equal(reply.messages.length, 1);
  });

  it('Shared work queue', async () => {
    await open('Shared work queue');
    const done = at('done');
    press('ten jobs');
    const jobs = (await done.until(10)).map(({ payload }) => payload as { job: number; worker: number });
    assert.deepEqual(
      jobs.map(({ job }) => job).sort((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    assert.deepEqual(new Set(jobs.map(({ worker }) => worker)), new Set([1, 2]));
  });

  it('Order service', async () => {
    await open('Order service');
    const confirmation = at('confirmation');
    press('order 4711');
    const [msg] = await confirmation.until(1);
    assert.deepEqual(msg?.params, ['4711']);
    assert.deepEqual(msg?.payload, { id: 4711, item: 'pump', count: 2, state: 'confirmed' });
  });

  describe('Message expiry', () => {
    const openWith = (seconds: string) =>
      open('Message expiry', (nodes) => {
        for (const node of nodes) if (node.name === 'short offer') node.messageExpiryInterval = seconds;
      });

    it('has an offer for who looks in time', async () => {
      await openWith('60');
      const offers = at('an offer');
      press('offer');
      const [live] = await offers.until(1);
      assert.equal(live?.retain, false);
      press('look');
      const [, kept] = await offers.until(2);
      assert.equal(kept?.retain, true);
      assert.ok((kept?.messageExpiryInterval as number) <= 60);
    });

    it('has none for who looks later', async () => {
      await openWith('1');
      const [offers, events] = [at('an offer'), new Sink('events-1')];
      press('offer');
      await offers.until(1);
      const gone = () =>
        events.messages.some(
          ({ action, payload }) => action === 'retained' && isDeepStrictEqual(payload, []),
        );
      while (!gone()) {
        const { length } = events.messages;
        broker().receive({ action: 'retained', topic: 'shop/offer' });
        await events.until(length + 1);
      }
      press('look');
      await events.until(({ topics }) => topics.includes('subscribed'));
      press('offer');
      const retained = (await offers.until(2)).map(({ retain }) => retain);
      assert.deepEqual(retained, [false, false]);
    });
  });

  it('Binary payloads', async () => {
    await open('Binary payloads');
    const [bytes, text] = [at('Buffer'), at('base64')];
    press('four bytes');
    assert.deepEqual((await bytes.until(1))[0]?.payload, Buffer.from('deadbeef', 'hex'));
    assert.equal((await text.until(1))[0]?.payload, '3q2+7w==');
  });

  it('Chat with presence', async () => {
    await open('Chat with presence');
    const [ann, bob, list] = [at('ann sees'), at('bob sees'), at('list')];
    const present = (who: Record<string, string>) =>
      // An object of a function node has another prototype.
      list.until(({ payloads }) => isDeepStrictEqual({ ...(payloads.at(-1) as object) }, who));
    press('bob leaves');
    await present({ ann: 'online', bob: 'offline' });
    press('bob is here');
    await present({ ann: 'online', bob: 'online' });
    disconnect('chat-ann');
    await present({ ann: 'offline', bob: 'online' });
    await present({ ann: 'online', bob: 'online' });
    press('ann says hello');
    assert.equal((await bob.until(1))[0]?.payload, 'hello from ann');
    press('bob says hello');
    assert.deepEqual(
      (await ann.until(1)).map(({ payload }) => payload),
      ['hello from bob'],
    );
  });

  it('Threshold alert', async () => {
    await open('Threshold alert');
    const alert = at('an alert');
    for (const name of ['kitchen 21 °C', 'cellar 35 °C', 'cellar 90 %']) press(name);
    const alerts = await alert.until(2);
    const told = ({ topic, payload }: NodeMessage) => [topic, (payload as { value: number }).value];
    assert.deepEqual(alerts.map(told).sort(), [
      ['alerts/cellar/humidity', 90],
      ['alerts/cellar/temperature', 35],
    ]);
  });

  it('TLS with client certificates', async function () {
    const authority = new CertificateAuthority(counterpart(this, 'openssl'));
    try {
      for (const name of ['broker', 'client']) authority.issue(name);
      const port = await freePort();
      await open('TLS with client certificates', (nodes) => {
        const text = JSON.stringify(nodes)
          .replaceAll('certificates/', `${authority.path('')}/`)
          .replaceAll('8883', String(port));
        nodes.splice(0, nodes.length, ...(JSON.parse(text) as FlowNode[]));
      });
      const heard = at('a message');
      press('say hello');
      assert.equal((await heard.until(1))[0]?.payload, 'hello over TLS');
    } finally {
      authority.remove();
    }
  });

  it('ROS 2 service call', async () => {
    await open('ROS 2 service call', inDomain(freshDomain()));
    await found('call', 'serve');
    const [sum, refused] = [at('sum'), at('why there is no response')];
    press('20 + 22');
    assert.deepEqual((await sum.until(1))[0]?.payload, { sum: 42 });
    press('a wrong request');
    assert.match(errorOf((await refused.until(1))[0]), /request a: expected an integer .*, got "twenty"/);
  });

  it('ROS 2 without a broker', async () => {
    await open('ROS 2 without a broker', inDomain(freshDomain()));
    await found('ROS 2', 'robot');
    const [heard, refused] = [at('what ROS 2 says'), at('why it is refused')];
    press('say hello');
    await heard.until(1);
    assert.deepEqual(heard.payloads, [{ data: 'hello from the robot' }]);
    const drives = () => statusText(nodeOf('simulated robot').id, (text) => /^(drives|stands)/.test(text));
    press('drive forward');
    assert.equal(await drives(), 'drives at 0.2 m/s');
    press('a wrong message');
    assert.match(errorOf((await refused.until(1))[0]), /linear\.x: expected a number, got "fast"/);
  });

  it('ROS 2 fleet of three robots', async () => {
    const domains = [freshDomain(), freshDomain(), freshDomain()];
    const robots = await Promise.all(domains.map((domain) => RosPeer.start(domain)));
    try {
      await open('ROS 2 fleet of three robots', (nodes) => {
        for (const node of nodes) {
          if (node.type !== 'ros-bridge') continue;
          const fresh = (domain: number) => domains[domain - 1];
          node.domains = (node.domains as { id: number }[]).map((row) => ({ ...row, id: fresh(row.id) }));
          const routes = node.routes as { domain?: number }[];
          node.routes = routes.map(({ domain, ...row }) =>
            domain === undefined ? row : { ...row, domain: fresh(domain) },
          );
          node.interfaces = '127.0.0.1';
        }
        for (const node of nodes)
          if (node.name === 'simulated robots')
            node.initialize = String(node.initialize).replace('PERIOD * 1000', '100');
      });
      await Promise.all(robots.map((robot) => robot.listen('/cmd_vel', 'geometry_msgs/msg/Twist')));
      const { publish } = await (robots[2] as RosPeer).publisher('/odom', 'nav_msgs/msg/Odometry');
      await statusText(nodeOf('three domains').id, (text) => text.startsWith('3 domains'));
      // Of the simulated robot and ours.
      await listened('/cmd_vel', nodeOf('three domains').id, 2);
      const positions = at('positions');
      const shown = (robot: string, passes: (position: { x: number; y: number }) => boolean) =>
        positions.messages.some(
          ({ topic, payload }) => topic === robot && passes(payload as { x: number; y: number }),
        );
      const speeds = () =>
        robots.map(({ heard }) => heard.map((text) => (JSON.parse(text) as Twist).linear.x));
      press('robot2 forward');
      await robots[1]?.until(() => robots[1]?.heard.length === 1);
      await positions.until(() => shown('robot2', ({ x, y }) => x > 0 && y === 1));
      press('all stop');
      for (const robot of robots) await robot.until(() => speeds()[robots.indexOf(robot)]?.at(-1) === 0);
      assert.deepEqual(speeds(), [[0], [0.2, 0], [0]]);
      await robots[2]?.repeat(
        () => publish({ pose: { pose: { position: { x: 1.5, y: -2 } } } }),
        () => shown('robot3', ({ x, y }) => x === 1.5 && y === -2),
      );
    } finally {
      for (const robot of robots) await robot.stop();
    }
  });

  it('ROS 2 action with feedback', async () => {
    const domain = freshDomain();
    await open('ROS 2 action with feedback', (nodes) => {
      inDomain(domain)(nodes);
      for (const node of nodes)
        if (node.type === 'function')
          node.func = String(node.func).replace('}, 500)', "}, context.get('step') ?? 5)");
    });
    await found('call', 'serve');
    const [goal, refused] = [at('the goal'), at('why not')];
    /** What was said at a topic of the action. */
    const said = async (part: string, count: number) => {
      const topic = `ros/${domain}/fibonacci/@action/${part}`;
      const messages = () => goal.messages.filter((message) => message.topic === topic);
      while (messages().length < count) await goal.until(goal.messages.length + 1);
      return messages().map(({ payload }) => payload as Record<string, unknown>);
    };
    press('ten numbers');
    const [accepted] = await said('goal', 1);
    assert.equal(accepted?.status, 'accepted');
    const { goal_id } = accepted as { goal_id: string };
    const sequence = [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55];
    assert.deepEqual(await said('result', 1), [{ goal_id, status: 'succeeded', result: { sequence } }]);
    const feedback = await said('feedback', 9);
    assert.deepEqual(feedback.at(-1), { goal_id, feedback: { sequence } });
    press('no numbers');
    assert.match(errorOf((await refused.until(1))[0]), /the server has rejected the goal/);
    // This one must not end by itself before it is canceled.
    nodeOf('Fibonacci').context().set('step', 3_600_000);
    press('ten numbers');
    await said('goal', 2);
    press('cancel all');
    assert.equal((await said('cancel', 1))[0]?.error, 'none');
    assert.equal((await said('result', 2))[1]?.status, 'canceled');
  });
});
