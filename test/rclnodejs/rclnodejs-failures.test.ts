import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RclnodejsBackend } from '../../src/ros/rclnodejs-backend';
import { encodeString } from '../rtps/string-sample';
import type { Installation } from './ros-environment';
import { endpoint, SERVICE, StandInDomains, taken } from './stand-in-domains';

describe('The rclnodejs backend, where its process fails', function () {
  this.timeout(60_000);
  const domains = StandInDomains.forSuite();

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
      await assert.rejects(domains.open(domains.backend(installation)), {
        name: 'RclnodejsUnavailableError',
        message: reason,
      });
    });
  }

  for (const fault of ['abort-at-init', 'abort-at-node'] as const) {
    it(`says so when the library has its ${fault.replaceAll('-', ' ')}`, async () => {
      await assert.rejects(domains.open(domains.backend({ fault })), {
        message: 'the rclnodejs process ended with SIGABRT',
      });
    });
  }

  it('says so when there is no setup file', async () => {
    await assert.rejects(domains.open(new RclnodejsBackend('/nowhere/setup.bash')), {
      name: 'RclnodejsUnavailableError',
      message: 'setup file /nowhere/setup.bash: there is no such file',
    });
  });

  it('survives an exception in a callback', async () => {
    const opened = await domains.open();
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    // A message that comes right behind another one is taken with it, and taking it so does not fail.
    opened.command('publish /chatter before');
    await opened.until(() => heard.includes('before'));
    opened.command('publish /chatter throw');
    opened.command('publish /chatter afterwards');
    await opened.until(() => heard.includes('afterwards'));
    await opened.until(() => opened.warnings.length > 0);
    assert.deepEqual(opened.warnings, ['/chatter: taking failed']);
  });

  it('says when its process has died, starts it again and makes everything anew', async () => {
    const backend = domains.backend();
    const opened = await domains.open(backend);
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
    const latched = endpoint('/map', {
      qos: { reliability: 'reliable', durability: 'transient-local', depth: 1 },
    });
    const publisher = opened.domain.createPublisher(latched);
    publisher.publish(encodeString('old map'), []);
    publisher.publish(encodeString('map'), []);
    const client = opened.domain.createServiceClient({ ...SERVICE, rosName: '/nobody' });
    const call = client.call(Buffer.alloc(8), 60_000);
    opened.command('abort');
    await assert.rejects(call, { status: 'unavailable', message: /SIGABRT/ });
    await opened.until(() => opened.domain.problem !== undefined);
    assert.match(opened.domain.problem as string, /^the rclnodejs process ended with SIGABRT/);
    assert.throws(
      () => publisher.publish(encodeString('lost'), []),
      /^Error: it is being started again: the rclnodejs/,
    );
    // One that comes while there is no process is opened with the others.
    const late = await domains.open(backend, { nodeName: 'late', bridgeId: 'two' });
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
    const made = domains.environment();
    const opened = await domains.open(new RclnodejsBackend(made.setupFile));
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
    const made = domains.environment();
    const opened = await domains.open(new RclnodejsBackend(made.setupFile));
    const refusal = join(made.folder, 'ros/refuse');
    writeFileSync(refusal, '');
    opened.command('abort');
    await opened.until(() => opened.domain.problem === 'no place in the domain');
    rmSync(refusal);
    await opened.until(() => opened.domain.problem === undefined);
    const heard = opened.listen('/chatter');
    await opened.heard(heard, '/chatter');
  });

  it('says which kept samples a new process cannot take at once, and goes on', async () => {
    const opened = await domains.open();
    const problems: string[] = [];
    const qos = { reliability: 'reliable', durability: 'transient-local', depth: 1 } as const;
    const onProblem = (problem: string) => {
      problems.push(problem);
      opened.changed();
    };
    const large = encodeString('x'.repeat(4_000_000));
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
});
