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

/** A user directory of its own, with this package linked into it; changes made in the editor are kept. */
function prepareUserDir(brokerPort: number): void {
  const link = join(userDir, 'node_modules/@mqtt-ros/node-red-mqtt-ros');
  mkdirSync(join(userDir, 'node_modules/@mqtt-ros'), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(root, link, process.platform === 'win32' ? 'junction' : 'dir');
  writeFileSync(
    join(userDir, 'package.json'),
    `${JSON.stringify({ name: 'demo', private: true, dependencies: { '@mqtt-ros/node-red-mqtt-ros': `file:${root}` } })}\n`,
  );
  const saved = join(userDir, 'flows.json');
  const flows: Array<{ type: string; port?: unknown }> = JSON.parse(
    readFileSync(existsSync(saved) ? saved : join(root, 'demo/flows.json'), 'utf8'),
  );
  for (const node of flows) if (node.type === 'embedded-broker') node.port = String(brokerPort);
  writeFileSync(saved, `${JSON.stringify(flows, null, 4)}\n`);
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

function stopAll(): void {
  for (const child of children) child.kill('SIGTERM');
}

async function main(): Promise<void> {
  if (!(await portIsFree(editorPort))) {
    throw new Error(
      `port ${editorPort} is in use; stop what uses it, or choose another: PORT=1881 npm start`,
    );
  }
  const brokerPort = await firstFreePort(1883);
  prepareUserDir(brokerPort);
  const nodeRed = start(
    'node-red',
    require.resolve('node-red/red.js'),
    ['--userDir', userDir, '--settings', join(root, 'demo/settings.cjs')],
    { PORT: String(editorPort) },
  );
  const robot = start('robot', join(__dirname, 'robot.js'), [], {});
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopAll);
  nodeRed.once('exit', (code) => {
    process.exitCode = code ?? 0;
    stopAll();
  });
  robot.once('exit', (code) => {
    if (code !== 0 && code !== null)
      console.error(`The simulated robot stopped with exit code ${code}; the rest goes on.`);
  });
  nodeRed.stdout?.on('data', function announce(chunk: Buffer) {
    if (!chunk.includes('Started flows')) return;
    nodeRed.stdout?.off('data', announce);
    void listening(brokerPort).then(() => announceUse(brokerPort));
  });
}

function announceUse(brokerPort: number): void {
  console.log(`
  Open      http://127.0.0.1:${editorPort}
  Try       mosquitto_sub -p ${brokerPort} -t 'ros/0/#' -v
            mosquitto_pub -p ${brokerPort} -t ros/0/chatter -m '{"data":"hello"}'
            mosquitto_pub -p ${brokerPort} -t ros/0/robot1/cmd_vel -m '{"linear":{"x":0.5},"angular":{"z":0.3}}'
            (any MQTT client will do: 127.0.0.1:${brokerPort}, MQTT 3.1.1 or 5, no password)
  ROS 2     a ROS 2 on this machine sees /chatter and /robot1/pose in domain 0; for the network, open the
            "ROS 2" node, choose the discovery range "subnet" and clear its interfaces
  Stop      Ctrl-C. Your changes are kept in ${relative(process.cwd(), userDir)}; delete that folder to start afresh.
`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  stopAll();
  process.exitCode = 1;
});
