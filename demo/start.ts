import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join, relative, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const userDir = resolve(process.env.DEMO_USER_DIR ?? join(root, '.demo'));
const editorPort = Number(process.env.PORT ?? 1880);
const children: ChildProcess[] = [];

function portIsFree(port: number): Promise<boolean> {
  return new Promise((resolveFree) => {
    const server = createServer();
    server.once('error', () => resolveFree(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolveFree(true)));
  });
}

/** Resolves when something accepts connections on the port, or after ten seconds: the flow may have been changed. */
function listening(port: number): Promise<void> {
  return new Promise((resolveListening) => {
    const attempt = (left: number) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolveListening();
      });
      socket.on('error', () => (left === 0 ? resolveListening() : setTimeout(attempt, 100, left - 1)));
    };
    attempt(100);
  });
}

async function firstFreePort(from: number): Promise<number> {
  for (let port = from; port < from + 20; port++) if (await portIsFree(port)) return port;
  throw new Error(`no free TCP port between ${from} and ${from + 19}`);
}

interface FlowNode {
  id: string;
  type: string;
  /** Disabled. */
  d?: boolean;
  listen?: boolean;
  port?: unknown;
}

function readFlows(file: string): FlowNode[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/**
 * A user directory of its own, with this package linked into it; changes made in the editor are kept. Resolves with the
 * port of the demo's broker, which is the next free one where another program has taken it; none when the user has made
 * it listen no more.
 */
async function prepareUserDir(): Promise<number | undefined> {
  const link = join(userDir, 'node_modules/@mqtt-ros/node-red-mqtt-ros');
  mkdirSync(join(userDir, 'node_modules/@mqtt-ros'), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(root, link, process.platform === 'win32' ? 'junction' : 'dir');
  writeFileSync(
    join(userDir, 'package.json'),
    `${JSON.stringify({ name: 'demo', private: true, dependencies: { '@mqtt-ros/node-red-mqtt-ros': `file:${root}` } })}\n`,
  );
  const saved = join(userDir, 'flows.json');
  const original = readFlows(join(root, 'demo/flows.json'));
  const flows = existsSync(saved) ? readFlows(saved) : original;
  const { id } = original.find(({ type }) => type === 'embedded-broker') as FlowNode;
  const broker = flows.find((node) => node.id === id && node.listen === true && node.d !== true);
  const port = broker && Number(broker.port) > 0 ? await firstFreePort(Number(broker.port)) : undefined;
  if (broker !== undefined && port !== undefined) broker.port = port;
  writeFileSync(saved, `${JSON.stringify(flows, null, 4)}\n`);
  return port;
}

function start(name: string, script: string, args: string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  child.stdout?.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().trimEnd().split('\n')) process.stdout.write(`[${name}] ${line}\n`);
  });
  children.push(child);
  return child;
}

let stopping = false;

function stopAll(): void {
  stopping = true;
  for (const child of children) child.kill('SIGTERM');
}

async function main(): Promise<void> {
  if (!(await portIsFree(editorPort))) {
    throw new Error(
      `port ${editorPort} is in use; stop what uses it, or choose another: PORT=1881 npm start`,
    );
  }
  const brokerPort = await prepareUserDir();
  const nodeRed = start(
    'node-red',
    require.resolve('node-red/red.js'),
    ['--userDir', userDir, '--settings', join(root, 'demo/settings.cjs')],
    { PORT: String(editorPort) },
  );
  const robot = start('robot', join(__dirname, 'robot.js'), [], {});
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopAll);
  nodeRed.once('exit', (code, signal) => {
    if (!stopping) {
      console.error(`Node-RED stopped with ${signal ?? `exit code ${code}`}.`);
      process.exitCode = code || 1;
    }
    stopAll();
  });
  robot.once('exit', (code, signal) => {
    if (!stopping)
      console.error(
        `The simulated robot stopped with ${signal ?? `exit code ${code}`}; the rest goes on. Start it again: npm run robot`,
      );
  });
  nodeRed.stdout?.on('data', function announce(chunk: Buffer) {
    if (!chunk.includes('Started flows')) return;
    nodeRed.stdout?.off('data', announce);
    if (brokerPort === undefined) announceUse();
    else void listening(brokerPort).then(() => announceUse(brokerPort));
  });
}

function announceUse(brokerPort?: number): void {
  const clients = `
  Try       mosquitto_sub -p ${brokerPort} -t 'ros/0/#' -v
            mosquitto_pub -p ${brokerPort} -t ros/0/chatter -m '{"data":"hello"}'
            mosquitto_pub -p ${brokerPort} -t ros/0/robot1/cmd_vel -m '{"linear":{"x":0.5},"angular":{"z":0.3}}'
            (any MQTT client will do: 127.0.0.1:${brokerPort}, MQTT 3.1.1 or 5, no password)`;
  console.log(`
  Open      http://127.0.0.1:${editorPort}${brokerPort === undefined ? '' : clients}
  ROS 2     a ROS 2 on this machine sees /chatter and /robot1/pose in domain 0; for the network, open the
            "ROS 2" node, and on its tab Discovery choose "on this machine and its local networks" and
            clear the interfaces
  Stop      Ctrl-C. Your changes are kept in ${relative(process.cwd(), userDir)}; delete that folder to start afresh.
`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  stopAll();
  process.exitCode = 1;
});
