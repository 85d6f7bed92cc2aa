import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { FrameError, FrameStream, MAX_WAITING_BYTES } from './frame-stream';
import {
  messageFrame,
  type Payload,
  type ProcessReport,
  type ProcessRequest,
  payloadFrame,
  readFrame,
} from './process-messages';

/** How long things may take, in ms. */
export interface Patience {
  /** The setup file. */
  setup: number;
  /** Loading, which may generate the classes of all installed interface types. */
  load: number;
  /** Without a sign of life; what the library does may block the child for some time. */
  silence: number;
  /** Leaving the domains in order. */
  stop: number;
}

const PATIENCE: Patience = { setup: 60_000, load: 300_000, silence: 120_000, stop: 5000 };
/** As often as this the child is asked for a sign of life before it is taken for hanging. */
const PINGS = 10;
/** For what still comes of what a child has printed, in ms: other processes may hold its end of the pipes. */
const OUTPUT_TIMEOUT = 500;
/** Of what the child prints, the end, in characters. */
const MAX_OUTPUT = 4096;
/** Of one line of it that is told, in characters. */
const MAX_LINE = 300;
/** rcl ends the process with it when the RMW implementation is another than the one asked for. */
const RMW_MISMATCH = 102;

/** rclnodejs cannot be used; the message says why and what to do. */
export class RclnodejsUnavailableError extends Error {
  override readonly name = 'RclnodejsUnavailableError';
}

/** The child does not keep up with what is published. */
export class ProcessBusyError extends Error {
  override readonly name = 'ProcessBusyError';

  constructor(waiting: number) {
    super(`${waiting} bytes wait for the rclnodejs process already`);
  }
}

export interface RclnodejsProcessOptions {
  /** Sourced by bash before; '' for the environment as it is. */
  setupFile: string;
  patience?: Partial<Patience>;
  onReport(report: ProcessReport): void;
  onPayload(payload: Payload): void;
  /** It ended without being stopped; `reason` in words. */
  onEnd(reason: string): void;
}

/** One child process that has loaded rclnodejs. */
export class RclnodejsProcess {
  readonly #options: RclnodejsProcessOptions;
  readonly #patience: Patience;
  #child: ChildProcess | undefined;
  #stream: FrameStream | undefined;
  #state: 'setup' | 'loading' | 'ready' = 'setup';
  #output = '';
  /** Told by the child before it ends by itself, or why it is ended. */
  #fault: string | undefined;
  #pings = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #settle: ((error?: Error) => void) | undefined;

  constructor(options: RclnodejsProcessOptions) {
    this.#options = options;
    this.#patience = { ...PATIENCE, ...options.patience };
  }

  /** Resolves when rclnodejs is loaded; rejects with `RclnodejsUnavailableError`. */
  start(): Promise<void> {
    const { setupFile } = this.#options;
    if (setupFile !== '' && !existsSync(setupFile)) {
      return Promise.reject(new RclnodejsUnavailableError(`setup file ${setupFile}: there is no such file`));
    }
    const node = [process.execPath, require.resolve('./child')] as const;
    const [command, ...args] =
      setupFile === '' ? node : ['bash', '-c', '. "$1"; shift; exec "$@"', 'bash', setupFile, ...node];
    // In a group of its own: Ctrl-C goes to all processes of a terminal's, and this one has domains to leave.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
    this.#child = child;
    const socket = child.stdio[3] as Duplex;
    this.#stream = new FrameStream(socket, (frame) => this.#receive(frame));
    socket.on('error', (error) => {
      // What else broke it shows in how the child ends.
      if (error instanceof FrameError) this.#kill(`the rclnodejs process sent ${error.message}`);
    });
    for (const output of [child.stdout, child.stderr] as Readable[]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
      });
    }
    return new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
      const { setup } = this.#patience;
      this.#expect(setup, `setup file ${setupFile}: it has not ended in ${setup / 1000} s`);
      child.on('error', (error) => this.#ended(error.message));
      child.on('exit', () => {
        const rest = setTimeout(() => {
          for (const pipe of child.stdio) pipe?.destroy();
        }, OUTPUT_TIMEOUT);
        child.once('close', () => clearTimeout(rest));
      });
      child.on('close', (code, signal) => this.#ended(this.#reason(code, signal)));
    });
  }

  /** Of the child. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the child: it leaves its domains first. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    (child.stdio[3] as Duplex).end();
    // A setup file knows nothing of its end.
    const kill = setTimeout(() => this.#kill(''), this.#state === 'setup' ? 0 : this.#patience.stop);
    await closed;
    clearTimeout(kill);
  }

  send(request: ProcessRequest): void {
    this.#stream?.send(...messageFrame(request));
  }

  /** Throws `ProcessBusyError` when too much waits for the child. */
  sendPayload(payload: Payload): void {
    const waiting = this.#stream?.waiting ?? 0;
    if (waiting > MAX_WAITING_BYTES) throw new ProcessBusyError(waiting);
    this.#stream?.send(...payloadFrame(payload));
  }

  #receive(frame: Buffer): void {
    const read = readFrame<ProcessReport>(frame);
    this.#pings = 0;
    if (this.#stopped) return;
    if ('payload' in read) {
      this.#options.onPayload(read.payload);
      return;
    }
    switch (read.message.type) {
      case 'started':
        this.#state = 'loading';
        this.#expect(this.#patience.load, `rclnodejs has not loaded in ${this.#patience.load / 1000} s`);
        break;
      case 'ready':
        this.#state = 'ready';
        clearTimeout(this.#timer);
        this.#timer = setInterval(() => this.#ping(), this.#patience.silence / PINGS);
        this.#settle?.();
        break;
      case 'pong':
        break;
      case 'unavailable':
        this.#fault = read.message.reason;
        break;
      default:
        this.#options.onReport(read.message);
    }
  }

  #expect(timeout: number, fault: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#kill(fault), timeout);
  }

  #ping(): void {
    // Counted, not timed: of a machine that slept, or a process that was blocked, the child is not to blame.
    if (++this.#pings > PINGS) {
      this.#kill(`the rclnodejs process has given no sign of life for ${this.#patience.silence / 1000} s`);
    } else {
      this.send({ type: 'ping' });
    }
  }

  #kill(fault: string): void {
    this.#fault ??= fault;
    const { pid } = this.#child ?? {};
    if (pid === undefined) return;
    try {
      // What a setup file started must not go on where that did not come to its end.
      process.kill(this.#state === 'setup' ? -pid : pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }

  #ended(reason: string): void {
    clearTimeout(this.#timer);
    if (this.#state === 'ready') {
      if (!this.#stopped) this.#options.onEnd(reason);
    } else {
      this.#settle?.(new RclnodejsUnavailableError(reason));
    }
    this.#settle = undefined;
  }

  #reason(code: number | null, signal: NodeJS.Signals | null): string {
    if (this.#fault !== undefined) return this.#fault;
    const end = signal === null ? `exit code ${code}` : signal;
    const told = tellingLine(this.#output);
    const said = told === undefined ? '' : `: ${told}`;
    if (this.#state === 'setup') return `setup file ${this.#options.setupFile}: it ended with ${end}${said}`;
    if (code === RMW_MISMATCH) {
      const rmw = process.env.RMW_IMPLEMENTATION ?? '';
      return `the RMW implementation ${rmw} is not the one of the sourced ROS 2 (exit code ${code})${said}`;
    }
    return `the rclnodejs process ended with ${end}${said}`;
  }
}

/** The line of what a program has printed that says most about its end. */
function tellingLine(output: string): string | undefined {
  const lines = stripVTControlCharacters(output)
    .split('\n')
    // Of the end of Node.js the lines around its message, stacks for the most part, say nothing.
    .filter((line) => /\S/.test(line) && !/^(\s+at |\s*\d+: |-----|Node\.js v)/.test(line));
  const line = lines.findLast((one) => /error|exception|what\(\)/i.test(one)) ?? lines.at(-1);
  return line?.trim().slice(0, MAX_LINE);
}
