import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { counterpart, freePort } from '../counterparts';

const PACKAGE = '@mqtt-ros/node-red-mqtt-ros';

/** A Node-RED that the tests run against, and the Node.js it runs on. */
export interface NodeRedVersion {
  title: string;
  /** Skips the test where this version is not installed. */
  program(test: Mocha.Context): { node: string; script: string };
}

export const NODE_RED_VERSIONS: readonly NodeRedVersion[] = [
  {
    title: 'Node-RED 4',
    program: () => ({ node: process.execPath, script: require.resolve('node-red/red.js') }),
  },
  {
    title: 'Node-RED 5',
    program: (test) => ({ node: counterpart(test, 'node-24'), script: counterpart(test, 'node-red-5') }),
  },
];

/** A new user directory that does not ask the network for anything. */
export function createUserDir(): string {
  const userDir = mkdtempSync(join(tmpdir(), 'node-red-'));
  writeFileSync(
    join(userDir, 'settings.js'),
    `module.exports = {
  uiHost: '127.0.0.1', uiPort: Number(process.env.PORT), flowFile: 'flows.json', credentialSecret: false,
  telemetry: { enabled: false }, diagnostics: { enabled: false },
  editorTheme: {
    tours: false, projects: { enabled: false }, palette: { catalogues: [] }, multiplayer: { enabled: false },
  },
  externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpdate: false } },
};
`,
  );
  writeFileSync(join(userDir, 'package.json'), '{"name":"flows","private":true}\n');
  return userDir;
}

/** Puts this checkout into a user directory, as `npm install <folder>` does. */
export function linkPackage(userDir: string): void {
  mkdirSync(join(userDir, 'node_modules/@mqtt-ros'), { recursive: true });
  symlinkSync(process.cwd(), join(userDir, 'node_modules', PACKAGE), 'dir');
  writeFileSync(
    join(userDir, 'package.json'),
    JSON.stringify({ name: 'flows', private: true, dependencies: { [PACKAGE]: 'file:..' } }),
  );
}

/** A running Node-RED with a user directory of its own, on a free port of 127.0.0.1. */
export class NodeRedProcess {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  /** Resolves when the editor answers. */
  static async start(program: { node: string; script: string }, userDir: string): Promise<NodeRedProcess> {
    const port = await freePort();
    const child = spawn(
      program.node,
      [program.script, '--userDir', userDir, '--settings', join(userDir, 'settings.js')],
      { env: { ...process.env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (process.env.DBG) process.stdout.write(chunk);
      });
    }
    const nodeRed = new NodeRedProcess(`http://127.0.0.1:${port}`, child);
    const exited = once(child, 'exit');
    // The flows and the server start beside each other, and either may be first.
    while (!output.includes('Started flows') || !output.includes('Server now running')) {
      await Promise.race([once(child.stdout as NodeJS.EventEmitter, 'data'), exited]);
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`Node-RED ended at its start:\n${output}`);
    }
    return nodeRed;
  }

  /** Answers a JSON document of Node-RED's admin API, for example `/nodes`. */
  async get<T>(path: string): Promise<T> {
    const answer = await fetch(this.url + path, { headers: { Accept: 'application/json' } });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
    return (await answer.json()) as T;
  }

  /** Answers the status of a request to a flow with a JSON document. Rejects when Node-RED ends before it has answered. */
  async post(path: string, document: unknown): Promise<number> {
    const answer = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(document),
    });
    return answer.status;
  }

  stop(): Promise<void> {
    return this.#signal('SIGTERM');
  }

  /** Ends it as a crash would. */
  kill(): Promise<void> {
    return this.#signal('SIGKILL');
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}
