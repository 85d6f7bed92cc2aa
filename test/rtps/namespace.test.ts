import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { VENDOR_ID } from '../../src/rtps/guid';
import { Cast, freshDomain, freshTopic, numberedTexts } from './fixture';

const HOST = `rtps-a-${process.pid}`;
const OTHER_HOST = `rtps-b-${process.pid}`;
const CYCLONE = 0x0110;
const FAST = 0x010f;

/** One of the programs beside this file, in a namespace; `news` are the objects it says. */
class Program extends EventEmitter {
  readonly news: Array<Record<string, unknown>> = [];
  readonly #process: ChildProcess;

  constructor(namespace: string, name: string, ...args: string[]) {
    super();
    const command = ['netns', 'exec', namespace, process.execPath, require.resolve(`./${name}`), ...args];
    this.#process = spawn('ip', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.news.push(JSON.parse(line) as Record<string, unknown>);
      this.emit('news');
    });
  }

  all(field: string): unknown[] {
    return this.news.filter((news) => field in news).map((news) => news[field]);
  }

  /** Resolves once the condition holds; rejects when the program ends before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#process.exitCode !== null) throw new Error(`it ended with ${this.#process.exitCode}`);
      await Promise.race([once(this, 'news'), once(this.#process, 'close')]);
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.stdin?.end();
    await once(this.#process, 'close');
  }
}

/** Two hosts of one network: two namespaces that a pair of interfaces joins. The machine's own network has no part. */
describe('the range of discovery on a network of two hosts', function () {
  this.timeout(60_000);
  const cast = new Cast();
  const programs: Program[] = [];
  const made: string[] = [];

  const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });

  const isRunning = (namespace: string) =>
    String(execFileSync('ip', ['-n', namespace, 'link', 'show', 'veth0'])).includes(' state UP ');

  before(function () {
    try {
      for (const namespace of [HOST, OTHER_HOST]) {
        ip('netns', 'add', namespace);
        made.push(namespace);
      }
    } catch (error) {
      // Without root, or in a container that may not make namespaces.
      if (process.env.CI === 'true') throw error;
      this.skip();
    }
    for (const namespace of [HOST, OTHER_HOST]) {
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    ip('-n', HOST, 'link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', OTHER_HOST);
    for (const [namespace, address] of [
      [HOST, '10.83.0.1/24'],
      [OTHER_HOST, '10.83.0.2/24'],
    ] as const) {
      ip('-n', namespace, 'address', 'add', address, 'dev', 'veth0');
      ip('-n', namespace, 'link', 'set', 'veth0', 'up');
    }
  });

  // The kernel may list a link as running only a second after it carries datagrams, and Fast DDS looks only once.
  beforeEach(async () => {
    for (const namespace of [HOST, OTHER_HOST]) while (!isRunning(namespace)) await setTimeout(20);
  });

  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.stop()));
    await cast.leave();
  });

  after(() => {
    for (const namespace of made) ip('netns', 'delete', namespace);
  });

  async function program(namespace: string, name: string, ...args: string[]): Promise<Program> {
    const started = new Program(namespace, name, ...args);
    programs.push(started);
    await started.until(() => started.all('started').length > 0);
    return started;
  }

  it('localhost finds a peer on an interface of this host, and nothing of ours leaves it', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const listener = await program(OTHER_HOST, 'namespace-listener', String(domain), '10.83.0.2');
    const options = JSON.stringify({ domain, topic, range: 'localhost' });
    const participant = await program(HOST, 'namespace-participant', options);
    cast.peer(this, 'pub', { profile: 'namespace', namespace: HOST, args: { domain, topic, count: 5 } });
    await participant.until(() => participant.all('sample').length === 5);
    assert.deepEqual(participant.all('sample'), numberedTexts(5));
    assert.deepEqual(participant.all('participant'), [CYCLONE]);
    // What Cyclone DDS multicasts does arrive: the listener would have heard us.
    await listener.until(() => listener.all('vendor').includes(CYCLONE));
    await participant.stop();
    await listener.stop();
    assert.ok(!listener.all('vendor').includes(VENDOR_ID));
  });

  it('localhost takes no notice of a peer on another host, subnet finds it', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const [local, wide] = await Promise.all(
      (['localhost', 'subnet'] as const).map((range) =>
        program(HOST, 'namespace-participant', JSON.stringify({ domain, topic, range })),
      ),
    );
    cast.peer(this, 'pub', {
      profile: 'namespace',
      namespace: OTHER_HOST,
      args: { domain, topic, count: 5 },
    });
    await wide?.until(() => wide.all('sample').length === 5);
    assert.deepEqual(wide?.all('sample'), numberedTexts(5));
    await local?.stop();
    assert.deepEqual(local?.all('sample'), []);
    assert.deepEqual(local?.all('participant'), [VENDOR_ID]);
    assert.ok(Number(local?.all('outOfRange')[0]) > 0);
  });

  it('tells nobody on another host its loopback addresses while the link is up and its interface is not', async () => {
    const options = { domain: freshDomain(), topic: freshTopic(), range: 'subnet' };
    // What it carries passes, and the system does not list it: so is a link for a moment when it comes.
    ip('-n', HOST, 'link', 'set', 'veth0', 'state', 'dormant');
    try {
      const participant = await program(HOST, 'namespace-participant', JSON.stringify(options));
      const other = await program(
        OTHER_HOST,
        'namespace-participant',
        JSON.stringify({ ...options, peers: ['10.83.0.1'] }),
      );
      await participant.until(() =>
        ['refused', 'participant'].some((news) => participant.all(news).length > 0),
      );
      ip('-n', HOST, 'link', 'set', 'veth0', 'state', 'up');
      await participant.until(() => participant.all('participant').length > 0);
      await other.until(() => other.all('participant').length > 0);
      assert.ok(participant.all('refused').length > 0);
      assert.deepEqual(other.all('lost'), []);
    } finally {
      ip('-n', HOST, 'link', 'set', 'veth0', 'state', 'up');
    }
  });

  for (const [vendor, vendorId] of [
    ['cyclone', CYCLONE],
    ['fast', FAST],
  ] as const)
    it(`a peer is lost when the link is cut, loses us, and both are back with the link (${vendor})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const options = JSON.stringify({ domain, topic, range: 'subnet', leaseDuration: 1000 });
      const participant = await program(HOST, 'namespace-participant', options);
      const talker = cast.peer(this, 'pub', {
        vendor,
        profile: 'namespace',
        namespace: OTHER_HOST,
        lease: 1,
        args: { domain, topic, count: 0, rate: 20, text: '' },
      });
      await participant.until(() => participant.all('sample').length >= 5);
      ip('-n', HOST, 'link', 'set', 'veth0', 'down');
      try {
        await participant.until(() => participant.all('lost').length > 0);
        await talker.until(({ matched }) => matched === 0);
      } finally {
        ip('-n', HOST, 'link', 'set', 'veth0', 'up');
      }
      await talker.until(({ matched }) => matched === 1);
      const before = participant.all('sample').length;
      await participant.until(() => participant.all('sample').length >= before + 5);
      assert.deepEqual(participant.all('participant'), [vendorId, vendorId]);
      // It is a member of the group on that interface again.
      assert.ok(!participant.all('warning').some((warning) => String(warning).includes('multicast')));
    });
});
