import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

export type DdsVendor = 'cyclone' | 'fast';

export interface DdsPeerOptions {
  /** Default: `cyclone`. */
  readonly vendor?: DdsVendor;
  /** Options of the program without their dashes; see peer.c, service-peer.c, action-peer.c, parameter-peer.c and raw-peer.cpp. */
  readonly args: Readonly<Record<string, string | number>>;
  /**
   * The profile beside the peer's source: with multicast, without, also without looking for anybody; `namespace` only
   * within a network namespace.
   */
  readonly profile?: 'loopback' | 'loopback-unicast' | 'loopback-passive' | 'namespace';
  /** Without, Cyclone DDS announces no XTypes type information, as Fast DDS never does here. */
  readonly typeInformation?: false;
  /** Seconds without a sign of it after which its participant is given up. */
  readonly lease?: number;
  /** Percent of the datagrams that it loses when it sends. */
  readonly loss?: number;
  /** Of its sockets, as Cyclone DDS asks for it: Linux gives twice as much. */
  readonly receiveBufferBytes?: number;
  /** A network namespace to run in. */
  readonly namespace?: string;
}

const FOLDERS = { cyclone: 'test/peers/dds', fast: 'test/peers/fast' };

/** Talker and listener of a topic, server and client of a service or an action, and what carries bytes as it is told. */
export type DdsRole = 'pub' | 'sub' | 'serve' | 'call' | 'raw';

/** A running counterpart on Cyclone DDS or Fast DDS. Events: `message` (its fields), `exit`. */
export class DdsPeer extends EventEmitter {
  /** What a listener received and printed. */
  readonly messages: unknown[] = [];
  matched = 0;
  ready = false;
  /** Of the participant, where the program tells it. */
  guid: string | undefined;
  /** The DDS id of the policy in which it and another did not suit each other last. */
  incompatible = 0;
  /** Deadlines that were missed. */
  missed = 0;
  /** Of a listener: each number of matched writers that were alive. */
  readonly alive: number[] = [];
  readonly #process: ChildProcess;
  #exitCode: number | null | undefined;

  /** @param program the path that `counterpart` gives for that vendor */
  constructor(program: string, role: DdsRole, options: DdsPeerOptions) {
    super();
    this.setMaxListeners(0);
    const { vendor = 'cyclone', lease = 0, loss = 0, namespace } = options;
    const profile = resolve(FOLDERS[vendor], `${options.profile ?? 'loopback'}.xml`);
    const patience = { timeout: 30, ...(role === 'sub' && { idle: 20 }) };
    const args = { print: 1, ...patience, ...options.args, ...(vendor === 'fast' && { lease, loss }) };
    const command = [
      options.typeInformation === false ? `${program}-untyped` : program,
      role,
      ...Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ];
    if (namespace !== undefined) command.unshift('ip', 'netns', 'exec', namespace);
    this.#process = spawn(command[0] as string, command.slice(1), {
      env: {
        ...process.env,
        ...(vendor === 'fast'
          ? { FASTRTPS_DEFAULT_PROFILES_FILE: profile }
          : { CYCLONEDDS_URI: `${pathToFileURL(profile).href},${cycloneConfiguration(options)}` }),
      },
      stdio: [role === 'raw' ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.#lines('stdout', (message) => {
      this.messages.push(message);
      this.emit('message', message);
    });
    this.#lines('stderr', (news) => {
      const { alive, ...rest } = news as { alive?: number };
      if (alive !== undefined) this.alive.push(alive);
      Object.assign(this, rest);
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

  /** Gives a command to one that takes commands. */
  tell(command: string): void {
    this.#process.stdin?.write(`${command}\n`);
  }

  /** Stands still until it is to go on: nothing comes from it, as when its machine is gone. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
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

function cycloneConfiguration({ lease = 0, loss = 0, receiveBufferBytes }: DdsPeerOptions): string {
  const discovery = lease > 0 ? `<Discovery><LeaseDuration>${lease}s</LeaseDuration></Discovery>` : '';
  const lossiness = `<Test><XmitLossiness>${10 * loss}</XmitLossiness></Test>`;
  const buffer =
    receiveBufferBytes === undefined
      ? ''
      : `<SocketReceiveBufferSize min="${receiveBufferBytes} B" max="${receiveBufferBytes} B"/>`;
  return `<CycloneDDS><Domain Id="any">${discovery}<Internal>${buffer}${lossiness}</Internal></Domain></CycloneDDS>`;
}
