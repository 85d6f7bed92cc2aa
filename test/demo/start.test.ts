import { strict as assert } from 'node:assert';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../counterparts';

interface FlowNode {
  id: string;
  type: string;
  listen?: boolean;
  port?: number | string;
}

describe('starting the demo', function () {
  this.timeout(60_000);
  let userDir: string;
  let demo: ChildProcess | undefined;
  let output = '';
  let taken: Server | undefined;

  beforeEach(() => {
    userDir = mkdtempSync(join(tmpdir(), 'demo-'));
  });
  afterEach(async () => {
    if (demo?.exitCode === null) {
      demo.kill('SIGINT');
      await once(demo, 'exit');
    }
    taken?.close();
    rmSync(userDir, { recursive: true });
  });

  const flowFile = () => join(userDir, 'flows.json');
  const saved = (): FlowNode[] => JSON.parse(readFileSync(flowFile(), 'utf8'));

  /** The demo's flow as a user has changed it. */
  function saveFlow(change: (broker: FlowNode) => void, ...more: FlowNode[]): FlowNode {
    const flow: FlowNode[] = JSON.parse(readFileSync('demo/flows.json', 'utf8'));
    const broker = flow.find(({ type }) => type === 'embedded-broker') as FlowNode;
    change(broker);
    writeFileSync(flowFile(), JSON.stringify([...flow, ...more]));
    return broker;
  }

  async function start(): Promise<ChildProcess> {
    output = '';
    demo = spawn(process.execPath, ['dist/demo/start.js'], {
      env: { ...process.env, PORT: String(await freePort()), DEMO_USER_DIR: userDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
    return demo;
  }

  function printed(pattern: RegExp, by: ChildProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const streams = [by.stdout, by.stderr];
      const settle = (outcome: () => void) => {
        for (const stream of streams) stream?.off('data', look);
        by.off('close', ended);
        outcome();
      };
      const look = () => {
        if (pattern.test(output)) settle(resolve);
      };
      const ended = () => settle(() => reject(new Error(`ended:\n${output}`)));
      for (const stream of streams) stream?.on('data', look);
      by.once('close', ended);
      look();
    });
  }

  /** The demo's process whose command line matches. */
  function childOf(parent: ChildProcess, name: RegExp): number {
    const lines = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(parent.pid)], {
      encoding: 'utf8',
    });
    const line = lines.split('\n').find((each) => name.test(each));
    assert.ok(line !== undefined, lines);
    return Number.parseInt(line, 10);
  }

  it("keeps the ports that the user has given to brokers, and moves the demo's when it is taken", async () => {
    taken = createServer();
    await new Promise<void>((resolve) => taken?.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const other = { id: 'another', type: 'embedded-broker', listen: false, port: 2000 };
    const broker = saveFlow((node) => Object.assign(node, { port: String(port) }), other);
    const running = await start();
    await printed(/Stop {6}Ctrl-C/, running);
    const moved = Number(saved().find(({ id }) => id === broker.id)?.port);
    assert.ok(moved > port && moved < port + 20, `moved from ${port} to ${moved}`);
    assert.match(output, new RegExp(`mosquitto_sub -p ${moved} `));
    assert.equal(saved().find(({ id }) => id === 'another')?.port, 2000);
  });

  it('says what to open also when its broker listens no more', async () => {
    saveFlow((broker) => Object.assign(broker, { listen: false }));
    await printed(/Open {6}http/, await start());
    assert.doesNotMatch(output, /mosquitto_sub/);
  });

  it('names a flow file that it cannot read', async () => {
    writeFileSync(flowFile(), '[{');
    const [code] = await once(await start(), 'close');
    assert.equal(code, 1);
    assert.ok(output.includes(`${flowFile()} cannot be read`), output);
  });

  it('goes on without the robot, and says that it is gone', async () => {
    const running = await start();
    await printed(/Stop {6}Ctrl-C/, running);
    process.kill(childOf(running, /robot/), 'SIGKILL');
    await printed(/The simulated robot stopped with SIGKILL/, running);
    assert.equal(running.exitCode, null);
  });

  it('ends with a fault when Node-RED is gone', async () => {
    const running = await start();
    await printed(/Stop {6}Ctrl-C/, running);
    process.kill(childOf(running, /node-red/), 'SIGKILL');
    const [code] = await once(running, 'close');
    assert.equal(code, 1);
    assert.match(output, /Node-RED stopped with SIGKILL/);
  });
});
