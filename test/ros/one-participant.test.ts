import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosDomain, RosQos } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { BEST_EFFORT, RELIABLE, route, STRING, Watch } from './bridge-fixture';
import { Bridges } from './bridges';

const codec = MessageCodec.for(InterfaceLibrary.bundled(), STRING);
const LATCHED: RosQos = { ...RELIABLE, durability: 'transient-local', depth: 2 };

describe('users of one participant', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  const watch = new Watch();
  let one: RosDomain;
  let other: RosDomain;
  /** What they were told of endpoints that do not suit, in an order of its own. */
  let faults: Set<string>;

  beforeEach(async () => {
    const backend = new RtpsBackend();
    const { domain } = bridges;
    const place = { domain, range: 'localhost', interfaces: ['127.0.0.1'], peers: [] } as const;
    const join = async (id: string) =>
      bridges.keep(await backend.openDomain({ ...place, nodeName: id, bridgeId: id }));
    [one, other] = [await join('one'), await join('other')];
    faults = new Set();
  });

  const endpoint = (rosName: string, qos: RosQos, type = STRING, typeHash = codec.typeHash) => ({
    ...{ rosName, type, typeHash, qos },
    onIncompatible: ({ remote, policy }: { remote: { kind: string; type: string }; policy: string }) => {
      faults.add(`${remote.kind} of ${remote.type}: ${policy}`);
      watch.changed();
    },
  });
  const listen = (user: RosDomain, ...options: Parameters<typeof endpoint>) => {
    const heard: string[] = [];
    const subscription = user.createSubscription(endpoint(...options), ({ payload, via }) => {
      heard.push(`${JSON.parse(codec.decodeToJson(payload)).data} ${via}`);
      watch.changed();
    });
    return { heard, subscription };
  };
  const publish = (...options: Parameters<typeof endpoint>) => {
    const publisher = one.createPublisher(endpoint(...options));
    const say = (data: string) => publisher.publish(codec.encode({ data }), ['one']);
    return { publisher, say };
  };

  it('hear what a transient-local publisher of another one keeps, once and in order, and no other', async () => {
    const { publisher, say } = publish('/map', LATCHED);
    for (const text of ['first', 'second', 'third']) say(text);
    const late = listen(other, '/map', LATCHED);
    const volatile = listen(other, '/map', RELIABLE);
    const own = listen(one, '/map', LATCHED);
    const elsewhere = listen(other, '/other', LATCHED);
    say('fourth');
    await watch.until(() => late.heard.length >= 3 && volatile.heard.length >= 1);
    assert.deepEqual(late.heard, ['second one', 'third one', 'fourth one']);
    assert.deepEqual([volatile.heard, own.heard, elsewhere.heard], [['fourth one'], [], []]);
    publisher.forget?.();
    const after = listen(other, '/map', LATCHED);
    say('fifth');
    await watch.until(() => after.heard.length > 0);
    assert.deepEqual(after.heard, ['fifth one']);
    assert.deepEqual([...faults], []);
  });

  it('match by their types and QoS, as over the network, and are told what does not suit', async () => {
    const asked = listen(other, '/scan', RELIABLE);
    const { publisher, say } = publish('/scan', BEST_EFFORT);
    const latched = listen(other, '/scan', { ...BEST_EFFORT, durability: 'transient-local' });
    const otherType = listen(other, '/scan', BEST_EFFORT, 'std_msgs/msg/Int8');
    const otherHash = listen(other, '/scan', BEST_EFFORT, STRING, 'RIHS01_0');
    const suiting = listen(other, '/scan', BEST_EFFORT);
    say('hello');
    await watch.until(() => suiting.heard.length > 0 && otherHash.heard.length > 0 && faults.size >= 8);
    assert.deepEqual([asked.heard, latched.heard, otherType.heard], [[], [], []]);
    assert.deepEqual(
      faults,
      new Set([
        `publisher of ${STRING}: reliability`,
        `subscription of ${STRING}: reliability`,
        `publisher of ${STRING}: durability`,
        `subscription of ${STRING}: durability`,
        `publisher of ${STRING}: type`,
        'subscription of std_msgs/msg/Int8: type',
        `publisher of ${STRING}: type hash`,
        `subscription of ${STRING}: type hash`,
      ]),
    );
    suiting.subscription.close();
    say('again');
    await watch.until(() => otherHash.heard.length > 1);
    publisher.close();
    assert.deepEqual([suiting.heard, [...other.endpoints()]], [['hello one'], []]);
  });

  it('find the publishers, subscriptions and services of each other, and no longer when they are closed', async () => {
    let changes = 0;
    other.onGraphChange(() => {
      changes++;
      watch.changed();
    });
    const { publisher } = publish('/scan', BEST_EFFORT);
    const type = 'example_interfaces/srv/AddTwoInts';
    const service = { rosName: '/add', type, requestHash: 'RIHS01_0', responseHash: 'RIHS01_0' };
    const server = one.createServiceServer(service, async () => Buffer.alloc(0));
    const client = one.createServiceClient(service);
    await watch.until(() => changes > 0);
    const found = () => [
      ...[...other.endpoints()].map(({ kind, rosName, type, qos }) =>
        [kind, rosName, type, qos.reliability].join(' '),
      ),
      ...[...other.services()].map(({ kind, rosName, type }) => [kind, rosName, type].join(' ')),
    ];
    const expected = [`publisher /scan ${STRING} best-effort`, `server /add ${type}`, `client /add ${type}`];
    assert.deepEqual(found(), expected);
    assert.deepEqual([[...one.endpoints()], [...one.services()]], [[], []]);
    const before = changes;
    for (const each of [publisher, server, client]) each.close();
    await watch.until(() => changes > before);
    assert.deepEqual(found(), []);
  });

  it('are told of what has the names that they ask for alone', async () => {
    const told: string[] = [];
    other.onGraphChange(() => told.push('/scan'), '/scan');
    other.onGraphChange(() => {
      told.push('all');
      watch.changed();
    });
    const service = {
      ...{ rosName: '/add', type: 'example_interfaces/srv/AddTwoInts' },
      ...{ requestHash: 'RIHS01_0', responseHash: 'RIHS01_0' },
    };
    const client = other.createServiceClient(service, () => told.push('servers'));
    const { publisher } = publish('/map', RELIABLE);
    one.createServiceServer({ ...service, rosName: '/other' }, async () => Buffer.alloc(0));
    await watch.until(() => told.includes('all'));
    assert.ok(!told.includes('/scan') && !told.includes('servers'), told.join(', '));
    const server = one.createServiceServer(service, async () => Buffer.alloc(0));
    assert.deepEqual([told.includes('servers'), client.servers], [true, 1]);
    const asked = publish('/scan', RELIABLE);
    await watch.until(() => told.includes('/scan'));
    assert.deepEqual(
      [
        [...other.endpoints('/scan')].length,
        [...other.endpoints('/none')],
        [...other.services('/add')].length,
      ],
      [1, [], 1],
    );
    for (const each of [publisher, asked.publisher, server]) each.close();
    assert.deepEqual(
      [client.servers, [...other.endpoints('/scan')], [...other.services('/add')]],
      [0, [], []],
    );
  });

  it('that are bridges follow the QoS of each other, and have the types from each other', async () => {
    const { domain } = bridges;
    const scan = { rosName: '/scan', qos: { reliability: 'best-effort' } } as const;
    const a = await bridges.open({ routes: [route(domain, { ...scan, direction: 'mqtt-to-ros' })] });
    const b = await bridges.open(
      { routes: [route(domain, { rosName: '/scan', type: '', direction: 'ros-to-mqtt' })] },
      { flowOutput: true },
    );
    await b.until(() => b.route()?.requested?.reliability === 'best-effort');
    assert.deepEqual([b.route()?.type, b.route()?.publishers], [STRING, 1]);
    await a.handle.publish(`ros/${domain}/scan`, { data: 'near' });
    await b.until(() => b.messages.length === 1);
    await a.close();
    await b.until(() => b.route()?.publishers === 0);
    assert.deepEqual(b.problems, []);
  });

  it('that are bridges say what of each other does not suit', async () => {
    const { domain } = bridges;
    const scan = (direction: 'mqtt-to-ros' | 'ros-to-mqtt', reliability: RosQos['reliability']) =>
      route(domain, { rosName: '/scan', direction, qos: { reliability } });
    const a = await bridges.open({ routes: [scan('mqtt-to-ros', 'best-effort')] });
    const b = await bridges.open({ routes: [scan('ros-to-mqtt', 'reliable')] });
    await a.until(() => a.problems.length > 0);
    await b.until(() => b.problems.length > 0);
    assert.match(a.problems[0] ?? '', /^\/scan: /);
    assert.match(b.problems[0] ?? '', /^\/scan: publisher is best effort/);
  });

  it('that are bridges say that the other does not keep its deadline', async () => {
    const { domain } = bridges;
    const qos = { deadline: 50 };
    const a = await bridges.open({ routes: [route(domain, { direction: 'mqtt-to-ros', qos })] });
    const b = await bridges.open({ routes: [route(domain, { direction: 'ros-to-mqtt' })] });
    await b.until(() => b.route()?.requested?.deadline === 50);
    assert.equal(b.route()?.counts?.deadlinesMissed, 0);
    await a.handle.publish(`ros/${domain}/chatter`, { data: 'once' });
    const words = '/chatter: no publisher has kept the deadline of 50 ms';
    await b.until(() => b.route()?.problem === words);
    assert.ok((b.route()?.counts?.deadlinesMissed ?? 0) > 0);
    await a.close();
    await b.until(() => b.route()?.publishers === 0);
  });
});
