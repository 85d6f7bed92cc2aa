import assert from 'node:assert/strict';
import { bridgeNodeName } from '../../src/ros/bridge-node';
import type { RosSample } from '../../src/ros/ros-backend';
import { RosBackends } from '../../src/ros/ros-backends';
import { RosThread } from '../../src/ros/ros-thread';
import { Caller, upTo, Worker } from '../ros/action-ends';
import { route, TestBridge } from '../ros/bridge-fixture';
import { decodeString, encodeString } from '../rtps/string-sample';
import { freshDomain } from '../rtps/test-domain';
import { endpoint, OPTIONS, OTHER, SERVICE, StandInDomains } from './stand-in-domains';

describe('The rclnodejs backend, with a stand-in for the library', function () {
  this.timeout(60_000);
  const domains = StandInDomains.forSuite();

  it('carries what others publish, and not its own samples', async () => {
    const opened = await domains.open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    opened.domain.createPublisher(endpoint('/chatter')).publish(encodeString('own'), []);
    opened.command('publish /chatter of others');
    await opened.until(() => heard.includes('of others'));
    assert.deepEqual(
      heard.filter((content) => content !== 'hello'),
      ['of others'],
    );
  });

  it('carries the samples of another bridge in the same process, with the way they came', async () => {
    const backend = domains.backend();
    const [one, other] = [await domains.open(backend), await domains.open(backend, OTHER)];
    assert.deepEqual([...one.domain.bridges()], ['two']);
    const samples: RosSample[] = [];
    other.domain.createSubscription(endpoint('/chatter'), (sample) => {
      samples.push(sample);
      other.changed();
    });
    const publisher = one.domain.createPublisher(endpoint('/chatter'));
    await other.repeat(
      () => publisher.publish(encodeString('by one'), ['far', 'one']),
      () => samples.length > 0,
    );
    assert.deepEqual(samples[0]?.via, ['far', 'one']);
  });

  it('keeps domains apart', async () => {
    const backend = domains.backend();
    const [one, other] = [await domains.open(backend), await domains.open(backend, { domain: 8 })];
    const heard = one.listen('/chatter');
    await one.heard(heard, '/chatter');
    const elsewhere = other.listen('/chatter');
    await other.heard(elsewhere, '/chatter');
    other.command('publish /chatter of domain 8');
    await other.until(() => elsewhere.includes('of domain 8'));
    assert.ok(!heard.includes('of domain 8'));
  });

  it('knows the graph, and tells what does not match', async () => {
    const opened = await domains.open();
    const policies: string[] = [];
    opened.domain.createSubscription(
      endpoint('/found', {
        onIncompatible: ({ policy, remote }) => {
          policies.push(`${remote.kind}: ${policy}`);
          opened.changed();
        },
      }),
      () => {},
    );
    await opened.until(() => policies.length > 0 && [...opened.domain.services()].length > 0);
    assert.deepEqual(policies, ['publisher: reliability']);
    assert.deepEqual(
      [...opened.domain.nodes()].map(({ name }) => name),
      ['/peer_SUBNET'],
    );
    assert.deepEqual(
      [...opened.domain.services()].map(({ kind, rosName, type }) => [kind, rosName, type]),
      [
        ['server', '/double', SERVICE.type],
        ['server', '/nameless', SERVICE.type],
      ],
    );
    assert.equal(opened.domain.participants, 1);
    assert.deepEqual(
      [...opened.domain.endpoints()].map(({ rosName, qos }) => ({ rosName, ...qos })),
      [
        {
          rosName: '/found',
          reliability: 'best-effort',
          durability: 'volatile',
          depth: 1,
          deadline: 500,
          liveliness: 'automatic',
        },
      ],
    );
  });

  it('knows bridges of other processes by their nodes, and what is theirs', async () => {
    const backend = domains.backend();
    const [opened, beside] = [await domains.open(backend), await domains.open(backend, OTHER)];
    const found = () =>
      [...opened.domain.endpoints('/found')].map(({ guid }) => opened.domain.bridgesOf(guid));
    await opened.until(() => found().length > 0);
    assert.deepEqual([[...opened.domain.bridges()], found()], [['two'], [[]]]);
    opened.command(`name ${bridgeNodeName('far-1')}`);
    await opened.until(() => opened.domain.bridges().size > 1 && found().length > 0);
    assert.deepEqual([[...opened.domain.bridges()], found()], [['far-1', 'two'], [['far-1']]]);
    // One of the same id elsewhere is not another one.
    opened.command(`name ${bridgeNodeName('one')}`);
    await opened.until(() => !opened.domain.bridges().has('far-1'));
    assert.deepEqual([[...opened.domain.bridges()], found()], [['two'], [[]]]);
    await beside.until(() => beside.domain.bridges().has('one'));
  });

  it('calls and serves services with CDR, and refuses what would kill the library', async () => {
    const backend = domains.backend();
    const [opened, other] = [await domains.open(backend), await domains.open(backend, OTHER)];
    const client = opened.domain.createServiceClient({ ...SERVICE, rosName: '/double' });
    opened.command('serve');
    const request = Buffer.from('0001000001020304', 'hex');
    assert.equal((await client.call(request, 5000)).toString('hex'), '000100000102030401020304');
    await assert.rejects(client.call(Buffer.alloc(3), 5000), /expected CDR of 4 to \d+ bytes, got 3/);
    opened.domain.createServiceServer({ ...SERVICE, rosName: '/ours' }, async (asked) =>
      Buffer.concat([asked, Buffer.of(9)]),
    );
    const theirs = other.domain.createServiceClient({ ...SERVICE, rosName: '/ours' });
    assert.equal((await theirs.call(request, 5000)).toString('hex'), '000100000102030409');
    const own = opened.domain.createServiceClient({ ...SERVICE, rosName: '/ours' });
    await assert.rejects(own.call(request, 50), { status: 'unavailable' });
    const nobody = opened.domain.createServiceClient({ ...SERVICE, rosName: '/nobody' });
    await assert.rejects(nobody.call(request, 50), { status: 'unavailable' });
    const publisher = opened.domain.createPublisher(endpoint('/chatter'));
    assert.throws(() => publisher.publish(Buffer.alloc(3), []), /expected CDR of 4 to \d+ bytes, got 3/);
    assert.deepEqual(opened.warnings, []);
  });

  it('withdraws a server, which answers what it was asked before, and nothing else', async () => {
    const backend = domains.backend();
    const [opened, other] = [await domains.open(backend), await domains.open(backend, OTHER)];
    const answers: Array<() => void> = [];
    const server = opened.domain.createServiceServer(
      { ...SERVICE, rosName: '/ours' },
      (asked) =>
        new Promise((resolve) => {
          answers.push(() => resolve(asked));
          opened.changed();
        }),
    );
    const theirs = other.domain.createServiceClient({ ...SERVICE, rosName: '/ours' });
    const request = Buffer.from('0001000001020304', 'hex');
    const call = theirs.call(request, 5000);
    await opened.until(() => answers.length > 0);
    server.withdraw();
    await assert.rejects(theirs.call(request, 50));
    for (const answer of answers) answer();
    assert.deepEqual([await call, answers.length], [request, 1]);
    let status: unknown;
    // It leaves when it has answered: a call that comes before is one that it does not take.
    do status = await theirs.call(request, 50).catch((error) => error.status);
    while (status === 'timeout');
    assert.equal(status, 'unavailable');
  });

  it('has goals of actions, and serves them', async () => {
    const backend = domains.backend();
    const [here, there] = [await domains.open(backend), await domains.open(backend, OTHER)];
    const [caller, worker] = [new Caller(here.domain), new Worker(there.domain)];
    const { goalId } = await caller.send(4);
    const goal = await worker.goal();
    goal.feedback({ sequence: [0] });
    await caller.until(() => caller.feedbacks.length > 0);
    assert.deepEqual(caller.feedbacks, [{ goalId, sequence: [0] }]);
    const result = caller.result(goalId);
    goal.end('succeeded', { sequence: upTo(4) });
    assert.deepEqual(await result, { state: 'succeeded', result: { sequence: upTo(4) } });
    const second = await caller.send(5);
    assert.deepEqual(await caller.cancel({ goalId: second.goalId }), { answer: 'none', goals: [second] });
    (await worker.goal(1)).end('canceled');
    assert.equal((await caller.result(second.goalId)).state, 'canceled');
    await caller.until(() => caller.goals.every(({ state }) => state !== 'canceling'));
    const third = await caller.send(3);
    await assert.rejects(caller.client.result(third.goalId, 20), { name: 'ServiceError', status: 'timeout' });
    const left = assert.rejects(caller.result(third.goalId), {
      status: 'unavailable',
      message: /the server has left before it replied$/,
    });
    // Requests go in their order: the one before is with the server when this is answered.
    await caller.result(goalId);
    worker.server.close();
    await left;
    caller.client.close();
    const again = new Caller(here.domain);
    const next = new Worker(there.domain);
    assert.ok((await again.send(1)).goalId);
    assert.deepEqual([...here.warnings, ...there.warnings, ...next.problems], []);
  });

  it('says which package lacks', async () => {
    const opened = await domains.open();
    const problems: string[] = [];
    const onProblem = (problem: string) => {
      problems.push(problem);
      opened.changed();
    };
    opened.domain.createSubscription(endpoint('/x', { type: 'acme_msgs/msg/X', onProblem }), () => {});
    opened.domain.createServiceServer(
      { ...SERVICE, rosName: '/x/_action/get_result', type: 'a', action: 'acme_msgs/action/X', onProblem },
      async (asked) => asked,
    );
    await opened.until(() => problems.length === 2);
    for (const [index, type] of ['msg', 'action'].entries()) {
      const reason = `the package acme_msgs of its type acme_msgs/${type}/X is not in the sourced ROS 2: install it (ros-jazzy-acme-msgs)`;
      assert.ok(problems[index]?.startsWith(reason), problems[index]);
    }
  });

  it('knows a kept sample again that comes once more', async () => {
    const opened = await domains.open();
    const qos = { reliability: 'reliable', durability: 'transient-local', depth: 2 } as const;
    const samples: RosSample[] = [];
    const subscribe = () =>
      opened.domain.createSubscription(endpoint('/map', { qos }), (sample) => {
        samples.push(sample);
        opened.changed();
      });
    opened.command('keep /map one');
    opened.command('keep /map one');
    subscribe();
    await opened.until(() => samples.length === 2);
    subscribe();
    await opened.until(() => samples.length === 4);
    const identities = samples.map(({ identity }) => identity);
    assert.deepEqual(identities.slice(2), identities.slice(0, 2));
    assert.equal(new Set(identities).size, 2);
    for (const { sourceTimestamp, sequence, writerGuid } of samples) {
      assert.ok(sourceTimestamp !== undefined && sourceTimestamp > 0n);
      assert.deepEqual([sequence, writerGuid], [undefined, undefined]);
    }
  });

  it('tells when samples were published while it is asked for that', async () => {
    const opened = await domains.open();
    const samples: RosSample[] = [];
    opened.domain.createSubscription(endpoint('/chatter'), (sample) => {
      samples.push(sample);
      opened.changed();
    });
    const say = async (text: string, isHeard: (sample: RosSample) => boolean) => {
      samples.length = 0;
      await opened.repeat(
        () => opened.command(`publish /chatter ${text}`),
        () => samples.some(isHeard),
      );
    };
    await say('before', ({ sourceTimestamp }) => sourceTimestamp === undefined);
    opened.domain.tellTimes?.(60_000);
    const asked = BigInt(Date.now()) * 1_000_000n;
    await say('while', ({ sourceTimestamp = 0n }) => sourceTimestamp >= asked);
    assert.equal(decodeString((samples.at(-1) as RosSample).payload), 'while');
    opened.domain.tellTimes?.(0);
    await say('after', ({ sourceTimestamp }) => sourceTimestamp === undefined);
    assert.deepEqual(opened.warnings, []);
  });

  it('tells of what the middleware has lost', async () => {
    const opened = await domains.open();
    const lost: number[] = [];
    const onLost = (count: number) => {
      lost.push(count);
      opened.changed();
    };
    const heard = opened.listen('/chatter', { onLost });
    await opened.heard(heard, '/chatter');
    opened.command('lose /chatter 3');
    await opened.until(() => lost.length > 0);
    assert.deepEqual(lost, [3]);
  });

  it('warns of the policies that a publisher cannot have', async () => {
    const opened = await domains.open();
    const qos = { reliability: 'reliable', durability: 'volatile', depth: 10, lifespan: 100 } as const;
    opened.domain.createPublisher(endpoint('/chatter', { qos }));
    opened.domain.createPublisher(
      endpoint('/chatter', { qos: { ...qos, lifespan: Number.POSITIVE_INFINITY } }),
    );
    assert.deepEqual(opened.warnings, ['/chatter: with rclnodejs a publisher has no lifespan']);
  });

  describe('chosen by "auto"', () => {
    it('is used where it can be', async () => {
      const warnings: string[] = [];
      const { setupFile } = domains.environment();
      const backend = new RosBackends().for({ backend: 'auto', setupFile }, (warning) =>
        warnings.push(warning),
      );
      domains.keep(await backend.openDomain(OPTIONS));
      assert.equal(backend.name, 'rclnodejs');
      assert.deepEqual(warnings, []);
    });

    it('gives way to rtps where it cannot, and says why', async () => {
      const warnings: string[] = [];
      const { setupFile } = domains.environment({ module: false });
      const backend = new RosBackends().for({ setupFile }, (warning) => warnings.push(warning));
      const loopback = { ...OPTIONS, range: 'localhost', interfaces: ['127.0.0.1'] } as const;
      const opening = [freshDomain(), freshDomain()].map((domain) =>
        backend.openDomain({ ...loopback, domain }),
      );
      for (const domain of await Promise.all(opening)) domains.keep(domain);
      assert.equal(backend.name, 'rtps');
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] as string, /^rtps is used, not rclnodejs: rclnodejs is not installed/);
    });
  });

  it('carries the messages of a bridge, which names it in its status', async () => {
    const { setupFile } = domains.environment();
    const settings = { backend: 'rclnodejs' as const, setupFile, interfaces: [] };
    const routes = [route(7), route(7, { rosName: '/stand_in', direction: 'mqtt-to-ros' })];
    const bridge = await TestBridge.open(new RosThread(), { ...settings, domains: [7], routes });
    try {
      await bridge.until(() => bridge.status?.domains[0]?.nodes === 1);
      assert.equal(bridge.status?.backend, 'rclnodejs');
      await bridge.repeat(
        () => bridge.handle.publish('ros/7/stand_in', { data: 'publish /chatter hello' }),
        () => bridge.messages.length > 0,
      );
      assert.deepEqual(bridge.messages[0]?.payload, { data: 'hello' });
    } finally {
      await bridge.handle.close();
    }
  });
});
