import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { counterpart } from '../counterparts';
import { CommandSuite } from './broker-command';

const run = promisify(execFile);

const NAMESPACE = `mqtt-ros-broker-${process.pid}`;
/** Not of loopback, but nowhere else than in the namespace. */
const ADDRESS = '10.83.0.1';

/** The README's block in this language, of which there is one. */
function block(language: string): string {
  const [, text = ''] =
    new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(readFileSync('README.md', 'utf8')) ?? [];
  return text;
}

/** What the README's Dockerfile sets. */
function containerVariables(): Record<string, string> {
  const dockerfile = block('dockerfile');
  return Object.fromEntries(
    [...dockerfile.matchAll(/\b(BROKER_\w+)=(\S+)/g)].map(([, name, text]) => [name, text]),
  );
}

describe('mqtt-ros-broker on an address that other machines reach', function () {
  this.timeout(60_000);
  let made = false;
  const suite = new CommandSuite({ namespace: NAMESPACE });

  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

  before(function () {
    try {
      ip('netns', 'add', NAMESPACE);
      made = true;
    } catch (error) {
      // Without root, or in a container that may not make namespaces.
      if (process.env.CI === 'true') throw error;
      this.skip();
    }
    ip('-n', NAMESPACE, 'address', 'add', `${ADDRESS}/32`, 'dev', 'lo');
    ip('-n', NAMESPACE, 'link', 'set', 'lo', 'up');
  });

  after(() => {
    if (made) ip('netns', 'delete', NAMESPACE);
  });

  const runThere = (program: string, ...args: string[]) =>
    run('ip', ['netns', 'exec', NAMESPACE, program, ...args]);

  it('lets clients in without a password where --allow-anonymous says so', async function () {
    const publisher = counterpart(this, 'mosquitto_pub');
    const subscriber = counterpart(this, 'mosquitto_sub');
    const hosts = ['--mqtt-host', '0.0.0.0', '--ws-host', '0.0.0.0'];
    const { port } = await suite.start({ options: [...hosts, '--allow-anonymous'] });
    const address = ['-h', ADDRESS, '-p', String(port), '-t', 'from/afar'];
    await runThere(publisher, ...address, '-r', '-m', 'welcome');
    assert.equal((await runThere(subscriber, ...address, '-C', '1')).stdout, 'welcome\n');
  });

  it('runs with the configuration file of the README', async function () {
    const publisher = counterpart(this, 'mosquitto_pub');
    writeFileSync(join(suite.directory, 'broker.yaml'), block('yaml'));
    const environment = { BROKER_HTTP_TOKEN: 'shown' };
    const started = await suite.start({ options: ['--config', 'broker.yaml'], environment });
    const publish = (topic: string, name: string, password: string) => {
      const address = ['-h', ADDRESS, '-p', String(started.port), '-V', '5', '-q', '1', '-t', topic];
      return runThere(publisher, ...address, '-m', 'x', '-u', name, '-P', password);
    };
    await publish('anything', 'operator', 'change-me');
    await publish('robots/robot1/state', 'robot1', 'change-me-too');
    await assert.rejects(publish('anything', 'robot1', 'guess'));
    const { stderr } = await publish('anything', 'robot1', 'change-me-too');
    assert.match(stderr, /Not authorized/);
    const bridge = await started.logged('bridge', ({ mqtt }) => mqtt === 'connected');
    assert.equal(bridge.routes, 2);
  });

  it('asks for password and token with the settings of the container', async function () {
    const publisher = counterpart(this, 'mosquitto_pub');
    const curl = counterpart(this, 'curl');
    const { BROKER_STORE, ...container } = containerVariables();
    assert.equal(BROKER_STORE, '/var/lib/mqtt-ros');
    const given = { BROKER_USERNAME: 'ann', BROKER_PASSWORD: 'secret', BROKER_HTTP_TOKEN: 'shown' };
    const started = await suite.start({ environment: { ...container, ...given } });
    const publish = ['-h', ADDRESS, '-p', String(started.port), '-t', 'a', '-m', 'b'];
    await runThere(publisher, ...publish, '-u', 'ann', '-P', 'secret');
    await assert.rejects(runThere(publisher, ...publish));
    const { url } = await started.logged('listening', (line) => String(line.url).startsWith('http:'));
    const health = [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `${String(url).replace('0.0.0.0', ADDRESS)}/health`,
    ];
    assert.equal((await runThere(curl, ...health)).stdout, '401');
    assert.equal((await runThere(curl, '-H', 'Authorization: Bearer shown', ...health)).stdout, '200');
  });
});
