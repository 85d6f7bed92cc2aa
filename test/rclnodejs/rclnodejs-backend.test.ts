import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { findRclnodejs } from '../../src/rclnodejs/environment';
import { RclnodejsBackend } from '../../src/ros/rclnodejs-backend';
import type { RosDomain, RosDomainOptions, RosEndpointOptions, RosSample } from '../../src/ros/ros-backend';
import { RosBackends } from '../../src/ros/ros-backends';
import { RosThread } from '../../src/ros/ros-thread';
import { Caller, upTo, Worker } from '../ros/action-ends';
import { route, STRING, TestBridge, Watch } from '../ros/bridge-fixture';
import { freshDomain } from '../rtps/test-domain';
import { type Installation, RosEnvironment } from './ros-environment';

const OPTIONS: RosDomainOptions = {
  domain: 7,
  range: 'subnet',
  interfaces: [],
  peers: [],
  nodeName: 'ours',
  bridgeId: 'one',
};
const SERVICE = { type: 'example_interfaces/srv/AddTwoInts', requestHash: '', responseHash: '' };

function text(content: string): Buffer {
  const bytes = Buffer.from(`${content}\0`);
  const cdr = Buffer.alloc(8 + bytes.length);
  cdr[1] = 1;
  cdr.writeUInt32LE(bytes.length, 4);
  bytes.copy(cdr, 8);
  return cdr;
}

const contentOf = ({ payload }: RosSample) => payload.toString('utf8', 8, payload.length - 1);

const endpoint = (rosName: string, change: Partial<RosEndpointOptions> = {}): RosEndpointOptions => ({
  rosName,
  type: STRING,
  typeHash: '',
  qos: { reliability: 'reliable', durability: 'volatile', depth: 10 },
  onIncompatible: () => {},
  ...change,
});

/** A domain that is opened in the stand-in's process, what it says, and a way to tell the stand-in what to do. */
class Opened extends Watch {
  readonly warnings: string[] = [];
  readonly #command: (text: string) => void;

  constructor(readonly domain: RosDomain) {
    super();
    domain.onGraphChange(() => this.changed());
    domain.onWarning((warning) => {
      this.warnings.push(warning);
      this.changed();
    });
    const publisher = domain.createPublisher(endpoint('/stand_in'));
    this.#command = (content) => publisher.publish(text(content), []);
  }

  command(content: string): void {
    this.#command(content);
  }

  /** Contents of what is received from now on. */
  listen(rosName: string, change: Partial<RosEndpointOptions> = {}): string[] {
    const heard: string[] = [];
    this.domain.createSubscription(endpoint(rosName, change), (sample) => {
      heard.push(contentOf(sample));
      this.changed();
    });
    return heard;
  }

  /** Waits until a subscription that was just made receives what others publish. */
  async heard(heard: string[], rosName: string): Promise<void> {
    while (heard.length === 0) {
      this.command(`publish ${rosName} hello`);
      await Promise.race([this.until(() => heard.length > 0), new Promise((wake) => setTimeout(wake, 20))]);
    }
  }
}

describe('The rclnodejs backend, with a stand-in for the library', function () {
  this.timeout(60_000);
  const environments: RosEnvironment[] = [];
  const domains: RosDomain[] = [];

  before(function () {
    // A real one beside this package would be found first.
    if (findRclnodejs() !== undefined) this.skip();
  });

  afterEach(async () => {
    await Promise.all(domains.splice(0).map((domain) => domain.close()));
    for (const environment of environments.splice(0)) environment.close();
  });

  function environment(installation: Installation = {}): RosEnvironment {
    const made = new RosEnvironment(installation);
    environments.push(made);
    return made;
  }

  async function open(
    backend = new RclnodejsBackend(environment().setupFile),
    change: Partial<RosDomainOptions> = {},
  ): Promise<Opened> {
    const domain = await backend.openDomain({ ...OPTIONS, ...change });
    domains.push(domain);
    return new Opened(domain);
  }

  for (const [what, installation, reason] of [
    ['ROS 2 is not sourced', { sourced: false }, /^no ROS 2 is sourced: give its setup file/],
    [
      'rclnodejs is not installed',
      { module: false },
      /^rclnodejs is not installed; in a shell in which ROS 2 jazzy is sourced: cd \/\S+ && npm install rclnodejs@\^2\.2\.0$/,
    ],
    ['librcl.so is missing', { librcl: false }, /^librcl\.so is in no folder of LD_LIBRARY_PATH/],
    [
      'there is no addon for it',
      { addon: false },
      /has no addon for ROS 2 jazzy \(jazzy-\S*-node-rclnodejs\.node\)/,
    ],
    [
      'the library would build itself anew',
      { fault: 'rebuild' },
      /^the addon of rclnodejs cannot be loaded, and "npm run rebuild" is not run from here/,
    ],
    [
      'the RMW implementation is another',
      { fault: 'rmw' },
      /^the RMW implementation \S* ?is not the one of the sourced ROS 2 \(exit code 102\): Expected RMW/,
    ],
    ['the library aborts', { fault: 'abort' }, /^the rclnodejs process ended with SIGABRT$/],
    ['the library throws', { fault: 'throw' }, /^the stand-in does not load$/],
    [
      'the setup file fails',
      { lines: ['echo "no workspace" >&2', 'exit 3'] },
      /^setup file \/\S+\/it is setup\.bash: it ended with exit code 3: no workspace$/,
    ],
  ] as Array<[string, Installation, RegExp]>) {
    it(`says so when ${what}`, async () => {
      await assert.rejects(open(new RclnodejsBackend(environment(installation).setupFile)), {
        name: 'RclnodejsUnavailableError',
        message: reason,
      });
    });
  }

  for (const fault of ['abort-at-init', 'abort-at-node'] as const) {
    it(`says so when the library has its ${fault.replaceAll('-', ' ')}`, async () => {
      await assert.rejects(open(new RclnodejsBackend(environment({ fault }).setupFile)), {
        message: 'the rclnodejs process ended with SIGABRT',
      });
    });
  }

  it('says so when there is no setup file', async () => {
    await assert.rejects(open(new RclnodejsBackend('/nowhere/setup.bash')), {
      name: 'RclnodejsUnavailableError',
      message: 'setup file /nowhere/setup.bash: there is no such file',
    });
  });

  it('carries what others publish, and not its own samples', async () => {
    const opened = await open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    opened.domain.createPublisher(endpoint('/chatter')).publish(text('own'), []);
    opened.command('publish /chatter of others');
    await opened.until(() => heard.includes('of others'));
    assert.deepEqual(
      heard.filter((content) => content !== 'hello'),
      ['of others'],
    );
  });

  it('carries the samples of another bridge in the same process, with the way they came', async () => {
    const backend = new RclnodejsBackend(environment().setupFile);
    const [one, other] = [await open(backend), await open(backend, { nodeName: 'other', bridgeId: 'two' })];
    assert.deepEqual([...one.domain.bridges()], ['two']);
    const samples: RosSample[] = [];
    other.domain.createSubscription(endpoint('/chatter'), (sample) => {
      samples.push(sample);
      other.changed();
    });
    const publisher = one.domain.createPublisher(endpoint('/chatter'));
    while (samples.length === 0) {
      publisher.publish(text('by one'), ['far', 'one']);
      await Promise.race([
        other.until(() => samples.length > 0),
        new Promise((wake) => setTimeout(wake, 20)),
      ]);
    }
    assert.deepEqual(samples[0]?.via, ['far', 'one']);
  });

  it('keeps domains apart', async () => {
    const backend = new RclnodejsBackend(environment().setupFile);
    const [one, other] = [await open(backend), await open(backend, { domain: 8 })];
    const heard = one.listen('/chatter');
    await one.heard(heard, '/chatter');
    const elsewhere = other.listen('/chatter');
    await other.heard(elsewhere, '/chatter');
    other.command('publish /chatter of domain 8');
    await other.until(() => elsewhere.includes('of domain 8'));
    assert.ok(!heard.includes('of domain 8'));
  });

  it('knows the graph, and tells what does not match', async () => {
    const opened = await open();
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

  it('calls and serves services with CDR, and refuses what would kill the library', async () => {
    const backend = new RclnodejsBackend(environment().setupFile);
    const [opened, other] = [
      await open(backend),
      await open(backend, { nodeName: 'other', bridgeId: 'two' }),
    ];
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

  it('has goals of actions, and serves them', async () => {
    const backend = new RclnodejsBackend(environment().setupFile);
    const [here, there] = [await open(backend), await open(backend, { nodeName: 'other', bridgeId: 'two' })];
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
    const opened = await open();
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
    const opened = await open();
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

  it('tells of what the middleware has lost', async () => {
    const opened = await open();
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
    const opened = await open();
    const qos = { reliability: 'reliable', durability: 'volatile', depth: 10, lifespan: 100 } as const;
    opened.domain.createPublisher(endpoint('/chatter', { qos }));
    opened.domain.createPublisher(
      endpoint('/chatter', { qos: { ...qos, lifespan: Number.POSITIVE_INFINITY } }),
    );
    assert.deepEqual(opened.warnings, ['/chatter: with rclnodejs a publisher has no lifespan']);
  });

  it('survives an exception in a callback', async () => {
    const opened = await open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    opened.command('publish /chatter throw');
    opened.command('publish /chatter afterwards');
    await opened.until(() => heard.includes('afterwards'));
    await opened.until(() => opened.warnings.length > 0);
    assert.deepEqual(opened.warnings, ['what was received: taking failed']);
  });

  it('says which kept samples a new process cannot take at once, and goes on', async () => {
    const opened = await open();
    const problems: string[] = [];
    const qos = { reliability: 'reliable', durability: 'transient-local', depth: 1 } as const;
    const onProblem = (problem: string) => {
      problems.push(problem);
      opened.changed();
    };
    const large = text('x'.repeat(4_000_000));
    const taken = async (publish: () => void): Promise<void> => {
      try {
        publish();
      } catch (error) {
        assert.match((error as Error).message, /bytes wait for the rclnodejs process already$/);
        await setImmediate();
        await taken(publish);
      }
    };
    for (let index = 0; index < 8; index++) {
      const publisher = opened.domain.createPublisher(endpoint(`/map_${index}`, { qos, onProblem }));
      await taken(() => publisher.publish(large, []));
    }
    await taken(() => opened.command('abort'));
    await opened.until(() => problems.length > 0);
    assert.match(problems[0] ?? '', /bytes wait for the rclnodejs process already$/);
    const heard = opened.listen('/chatter');
    await taken(() => opened.command('publish /chatter afterwards'));
    await opened.heard(heard, '/chatter');
  });

  it('says when its process has died, starts it again and makes everything anew', async () => {
    const backend = new RclnodejsBackend(environment().setupFile);
    const opened = await open(backend);
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    const latched = endpoint('/map', {
      qos: { reliability: 'reliable', durability: 'transient-local', depth: 1 },
    });
    const publisher = opened.domain.createPublisher(latched);
    publisher.publish(text('old map'), []);
    publisher.publish(text('map'), []);
    const client = opened.domain.createServiceClient({ ...SERVICE, rosName: '/nobody' });
    const call = client.call(Buffer.alloc(8), 60_000);
    opened.command('abort');
    await assert.rejects(call, { status: 'unavailable', message: /SIGABRT/ });
    await opened.until(() => opened.domain.problem !== undefined);
    assert.match(opened.domain.problem as string, /^the rclnodejs process ended with SIGABRT/);
    assert.throws(
      () => publisher.publish(text('lost'), []),
      /^Error: it is being started again: the rclnodejs/,
    );
    // One that comes while there is no process is opened with the others.
    const late = await open(backend, { nodeName: 'late', bridgeId: 'two' });
    await opened.until(() => opened.domain.problem === undefined);
    await late.until(() => late.domain.problem === undefined);
    heard.length = 0;
    await opened.heard(heard, '/chatter');
    const map = late.listen('/map', { qos: latched.qos });
    await late.until(() => map.length > 0);
    assert.deepEqual(map, ['map']);
    assert.match(
      opened.warnings[0] as string,
      /^the rclnodejs process ended with SIGABRT.*; it is started again$/,
    );
  });

  it('tells once of a process that cannot be started again, and goes on trying', async () => {
    const made = environment();
    const opened = await open(new RclnodejsBackend(made.setupFile));
    const setup = readFileSync(made.setupFile);
    writeFileSync(made.setupFile, 'exit 4\n');
    opened.command('abort');
    const reason = `setup file ${made.setupFile}: it ended with exit code 4`;
    await opened.until(() => opened.domain.problem === reason);
    // The next attempt ends alike.
    let changes = 0;
    opened.domain.onGraphChange(() => changes++);
    await opened.until(() => changes > 0);
    writeFileSync(made.setupFile, setup);
    await opened.until(() => opened.domain.problem === undefined);
    assert.equal(opened.warnings.filter((warning) => warning.startsWith(reason)).length, 1);
  });

  it('goes on trying to join a domain that the next process cannot join at once', async () => {
    const made = environment();
    const opened = await open(new RclnodejsBackend(made.setupFile));
    const refusal = join(made.folder, 'ros/refuse');
    writeFileSync(refusal, '');
    opened.command('abort');
    await opened.until(() => opened.domain.problem === 'no place in the domain');
    rmSync(refusal);
    await opened.until(() => opened.domain.problem === undefined);
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
  });

  it('bounds what waits for a process that does not take it', async () => {
    const made = environment();
    const opened = await open(new RclnodejsBackend(made.setupFile));
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    const publisher = opened.domain.createPublisher(endpoint('/big'));
    const file = join(made.folder, 'go-on');
    opened.command(`wait-for-file ${file}`);
    const megabyte = Buffer.alloc(1024 * 1024);
    let published = 0;
    assert.throws(
      () => {
        for (; published < 1000; published++) publisher.publish(megabyte, []);
      },
      { name: 'ProcessBusyError', message: /^\d+ bytes wait for the rclnodejs process already$/ },
    );
    assert.ok(published >= 16 && published < 40, `${published} MB were taken`);
    writeFileSync(file, '');
    heard.length = 0;
    for (;;) {
      try {
        opened.command('publish /chatter again');
        break;
      } catch {
        await new Promise((wake) => setTimeout(wake, 20));
      }
    }
    await opened.until(() => heard.includes('again'));
  });

  it('bounds what waits for the bridge, and counts what it drops', async () => {
    const opened = await open();
    const sizes: number[] = [];
    let lost = 0;
    const onLost = (count: number) => {
      lost += count;
    };
    opened.domain.createSubscription(endpoint('/big', { onLost }), ({ payload }) => {
      sizes.push(payload.length);
      opened.changed();
    });
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    opened.command(`flood /big 100 ${1024 * 1024}`);
    await opened.until(() => opened.warnings.length > 0);
    assert.equal(
      opened.warnings[0],
      `${lost} messages were dropped: the bridge did not keep up with rclnodejs`,
    );
    await opened.until(() => sizes.length + lost === 100);
    assert.ok(sizes.length >= 16 && sizes.every((size) => size === 1024 * 1024), String(sizes.length));
  });

  it('drops what is larger than the bridge takes, counts it, and answers the call that it is the reply of', async () => {
    const opened = await open(undefined, { maxSampleBytes: 1000 });
    let lost = 0;
    const onLost = (count: number) => {
      lost += count;
      opened.changed();
    };
    const heard = opened.listen('/chatter', { onLost });
    await opened.heard(heard, '/chatter');
    opened.command(`publish /chatter ${'x'.repeat(900)}`);
    opened.command('flood /chatter 2 1001');
    const client = opened.domain.createServiceClient({ ...SERVICE, rosName: '/double' });
    opened.command('serve');
    await assert.rejects(client.call(Buffer.alloc(1000), 20_000), {
      status: 'unavailable',
      message: 'service /double: the reply: larger than 1000 bytes',
    });
    await opened.until(() => opened.warnings.length > 0);
    assert.equal(lost, 2);
    assert.deepEqual(opened.warnings, ['2 messages were dropped: larger than 1000 bytes']);
    assert.ok(heard.includes('x'.repeat(900)));
  });

  it('says that messages may have been lost when as many waited as are kept', async () => {
    const opened = await open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    heard.length = 0;
    opened.command('publish-many /chatter 1200');
    await opened.until(() => heard.includes('1199') && opened.warnings.length > 0);
    assert.deepEqual(opened.warnings, [
      '/chatter: 1000 messages waited for rclnodejs, and some may have been lost',
    ]);
    assert.deepEqual(heard.filter((text) => /^\d+$/.test(text)).map(Number), [...Array(1200).keys()]);
  });

  describe('chosen by "auto"', () => {
    it('is used where it can be', async () => {
      const warnings: string[] = [];
      const { setupFile } = environment();
      const backend = new RosBackends().for({ backend: 'auto', setupFile }, (warning) =>
        warnings.push(warning),
      );
      domains.push(await backend.openDomain(OPTIONS));
      assert.equal(backend.name, 'rclnodejs');
      assert.deepEqual(warnings, []);
    });

    it('gives way to rtps where it cannot, and says why', async () => {
      const warnings: string[] = [];
      const { setupFile } = environment({ module: false });
      const backend = new RosBackends().for({ setupFile }, (warning) => warnings.push(warning));
      const loopback = { ...OPTIONS, range: 'localhost', interfaces: ['127.0.0.1'] } as const;
      domains.push(
        ...(await Promise.all(
          [freshDomain(), freshDomain()].map((domain) => backend.openDomain({ ...loopback, domain })),
        )),
      );
      assert.equal(backend.name, 'rtps');
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] as string, /^rtps is used, not rclnodejs: rclnodejs is not installed/);
    });
  });

  it('carries the messages of a bridge, which names it in its status', async () => {
    const { setupFile } = environment();
    const settings = { backend: 'rclnodejs' as const, setupFile, interfaces: [] };
    const routes = [route(7), route(7, { rosName: '/stand_in', direction: 'mqtt-to-ros' })];
    const bridge = await TestBridge.open(new RosThread(), { ...settings, domains: [7], routes });
    try {
      await bridge.until(() => bridge.status?.domains[0]?.nodes === 1);
      assert.equal(bridge.status?.backend, 'rclnodejs');
      while (bridge.messages.length === 0) {
        await bridge.handle.publish('ros/7/stand_in', { data: 'publish /chatter hello' });
        await Promise.race([
          bridge.until(() => bridge.messages.length > 0),
          new Promise((wake) => setTimeout(wake, 50)),
        ]);
      }
      assert.deepEqual(bridge.messages[0]?.payload, { data: 'hello' });
    } finally {
      await bridge.handle.close();
    }
  });
});
