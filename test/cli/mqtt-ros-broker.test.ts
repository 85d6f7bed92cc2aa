import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { counterpart } from '../counterparts';
import { packageJson } from '../package/package-json';
import { BROKER_COMMAND, BrokerCommand } from './broker-command';

const execute = promisify(execFile);

/** Runs the command to its end, which must be near. */
function result(...options: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BROKER_COMMAND, ...options], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

describe('mqtt-ros-broker', function () {
  this.timeout(30_000);
  let broker: BrokerCommand | undefined;

  afterEach(async () => {
    await broker?.stop('SIGKILL');
    broker = undefined;
  });

  it('prints its options, each with what it has by default', () => {
    const { status, stdout } = result('--help');
    assert.equal(status, 0);
    for (const [option, standard] of [
      ['--mqtt-host', '127.0.0.1'],
      ['--mqtt-port', '1883'],
      ['--durability', 'write'],
    ]) {
      assert.match(stdout, new RegExp(`${option}[^-]*\\(${standard}\\)`));
    }
  });

  it('prints the version of the package', () => {
    assert.deepEqual(result('--version'), { status: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  });

  for (const [options, complaint] of [
    [['--mqtt-prot', '1'], /Unknown option '--mqtt-prot'/],
    [['1883'], /Unexpected argument '1883'/],
    [['--mqtt-port'], /'--mqtt-port <value>' argument missing/],
    [['--mqtt-port', '-1'], /'--mqtt-port'/],
    [['--mqtt-port', '65536'], /--mqtt-port is "65536", expected a whole number from 0 to 65535/],
    [['--mqtt-port', '1e3'], /--mqtt-port is "1e3"/],
    [['--mqtt-port='], /--mqtt-port is ""/],
    [['--mqtt-host='], /the host is empty/],
    [['--mqtt-host', '0.0.0.0', '--mqtt-port', '0'], /open to other machines without a password/],
    [['--storage='], /--storage is empty, expected a directory/],
    [['--storage', 'package.json'], /package\.json/],
    [
      ['--storage', 'x', '--durability', 'sometimes'],
      /--durability is "sometimes", expected write or strict/,
    ],
    [['--durability', 'strict'], /--durability is of no use without --storage <directory>/],
  ] as const) {
    it(`refuses ${options.join(' ')} in one line`, () => {
      const { status, stdout, stderr } = result(...options);
      assert.equal(status, 1);
      assert.equal(stdout, '');
      assert.match(stderr, /^mqtt-ros-broker: [^\n]+\n$/);
      assert.match(stderr, complaint);
    });
  }

  it('says in one line that the port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      const { status, stdout, stderr } = result('--mqtt-port', String(port));
      assert.deepEqual({ status, stdout }, { status: 1, stdout: '' });
      assert.match(
        stderr,
        new RegExp(`^mqtt-ros-broker: listener tcp://127.0.0.1:${port}: the port is in use [^\n]*\n$`),
      );
    } finally {
      server.close();
    }
  });

  it('carries a message from mosquitto_pub to mosquitto_sub', async function () {
    const subscriber = counterpart(this, 'mosquitto_sub');
    const publisher = counterpart(this, 'mosquitto_pub');
    broker = await BrokerCommand.start();
    const address = ['-h', '127.0.0.1', '-p', String(broker.port), '-V', '5', '-q', '2', '-t', 'a/b'];
    await execute(publisher, [...address, '-r', '-m', 'before']);
    const received = spawn(subscriber, [...address, '-C', '2'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let lines = '';
    for await (const chunk of received.stdout) {
      // The retained message says that the subscription stands.
      if (lines === '') await execute(publisher, [...address, '-m', 'after']);
      lines += String(chunk);
    }
    assert.equal(lines, 'before\nafter\n');
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`ends with code 0 at ${signal}, also while clients are connected, and keeps what it was to keep`, async function () {
      const subscriber = counterpart(this, 'mosquitto_sub');
      const publisher = counterpart(this, 'mosquitto_pub');
      const folder = mkdtempSync(join(tmpdir(), 'command-'));
      try {
        const storage = ['--storage', folder, '--durability', 'strict'];
        broker = await BrokerCommand.start(...storage);
        const address = () => ['-h', '127.0.0.1', '-p', String(broker?.port), '-q', '1', '-t', 'kept'];
        await execute(publisher, [...address(), '-r', '-m', 'outlives']);
        const client = spawn(subscriber, address(), { stdio: ['ignore', 'pipe', 'ignore'] });
        await once(client.stdout, 'data');
        assert.equal(await broker.stop(signal), 0);
        client.kill();
        broker = await BrokerCommand.start(...storage);
        const { stdout } = await execute(subscriber, [...address(), '-C', '1']);
        assert.equal(stdout, 'outlives\n');
      } finally {
        await broker?.stop('SIGKILL');
        rmSync(folder, { recursive: true });
      }
    });
  }
});
