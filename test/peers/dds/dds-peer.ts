import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export interface DdsPeerOptions {
  /** Options of the program without their dashes; see peer.c. */
  readonly args: Readonly<Record<string, string | number>>;
  /** The Cyclone DDS profile beside the peer's source; `namespace` only within a network namespace. */
  readonly profile?: 'loopback' | 'loopback-unicast' | 'namespace';
  /** Without, it announces no XTypes type information. */
  readonly typeInformation?: false;
  /** Further Cyclone DDS configuration inside `<Domain>`. */
  readonly configuration?: string;
  /** A network namespace to run in. */
  readonly namespace?: string;
}

/** A running talker (`pub`) or listener (`sub`) on Cyclone DDS. Events: `message` (its fields), `exit`. */
export class DdsPeer extends EventEmitter {
  /** What a listener received and printed. */
  readonly messages: unknown[] = [];
  matched = 0;
  ready = false;
  readonly #process: ChildProcess;
  #exitCode: number | null | undefined;

  /** @param program the path that `counterpart(this, 'dds-peer')` gives */
  constructor(program: string, role: 'pub' | 'sub', options: DdsPeerOptions) {
    super();
    this.setMaxListeners(0);
    const profile = pathToFileURL(resolve('test/peers/dds', `${options.profile ?? 'loopback'}.xml`)).href;
    const extra = `<CycloneDDS><Domain Id="any">${options.configuration ?? ''}</Domain></CycloneDDS>`;
    const args = Object.entries(options.args).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const executable = options.typeInformation === false ? `${program}-untyped` : program;
    const command = [executable, role, '--print', '1', ...args];
    if (options.namespace !== undefined) command.unshift('ip', 'netns', 'exec', options.namespace);
    this.#process = spawn(command[0] as string, command.slice(1), {
      env: {
        ...process.env,
        CYCLONEDDS_URI: options.configuration === undefined ? profile : `${profile},${extra}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#lines('stdout', (message) => {
      this.messages.push(message);
      this.emit('message', message);
    });
    this.#lines('stderr', (news) => {
      Object.assign(this, news);
      this.emit('news', news);
    });
    this.#process.once('close', (code) => {
      this.#exitCode = code;
      this.emit('exit', code);
    });
  }

  /** Resolves once the condition holds; rejects when the program ends before. */
  async until(condition: (peer: this) => boolean): Promise<void> {
    while (!condition(this)) {
      if (this.#exitCode !== undefined) throw new Error(`the peer ended with ${this.#exitCode}`);
      await Promise.race([once(this, 'message'), once(this, 'news'), once(this, 'exit')]);
    }
  }

  /** The exit code, once it has ended and all its output was read. */
  async exited(): Promise<number | null> {
    if (this.#exitCode === undefined) await once(this, 'exit');
    return this.#exitCode ?? null;
  }

  /** Ends it, if it has not ended, and resolves when it has. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#exitCode !== undefined) return;
    this.#process.kill(signal);
    await this.exited();
  }

  #lines(stream: 'stdout' | 'stderr', take: (value: unknown) => void): void {
    const input = this.#process[stream];
    if (input === null) return;
    // Cyclone DDS's own log lines are no JSON.
    createInterface({ input }).on('line', (line) => {
      if (line.startsWith('{')) take(JSON.parse(line));
    });
  }
}
