import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex, Readable } from 'node:stream';
import { FrameStream, MAX_WAITING_BYTES } from './frame-stream';
import {
  messageFrame,
  type Payload,
  type ProcessReport,
  type ProcessRequest,
  payloadFrame,
  readFrame,
} from './process-messages';

/** A setup file that has not ended by then never will, in ms. */
const SETUP_TIMEOUT = 60_000;
/** Loading may generate the classes of all installed interface types, in ms. */
const LOAD_TIMEOUT = 300_000;
/** For leaving the domains in order, in ms. */
const STOP_TIMEOUT = 5000;
/** Of what the child prints, the end, in characters. */
const MAX_OUTPUT = 4096;
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
  onReport(report: ProcessReport): void;
  onPayload(payload: Payload): void;
  /** It ended without being stopped; `reason` in words. */
  onEnd(reason: string): void;
}

/** One child process that has loaded rclnodejs. */
export class RclnodejsProcess {
  readonly #options: RclnodejsProcessOptions;
  #child: ChildProcess | undefined;
  #stream: FrameStream | undefined;
  #state: 'setup' | 'loading' | 'ready' = 'setup';
  #output = '';
  /** Told by the child before it ends by itself. */
  #unavailable: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #settle: ((error?: Error) => void) | undefined;

  constructor(options: RclnodejsProcessOptions) {
    this.#options = options;
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
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    this.#child = child;
    const socket = child.stdio[3] as Duplex;
    this.#stream = new FrameStream(socket, (frame) => this.#receive(frame));
    // What broke it shows in how the child ends.
    socket.on('error', () => {});
    for (const output of [child.stdout, child.stderr] as Readable[]) {
      output.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-MAX_OUTPUT);
      });
    }
    return new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
      this.#expect(SETUP_TIMEOUT, `setup file ${setupFile}: it has not ended in ${SETUP_TIMEOUT / 1000} s`);
      child.on('error', (error) => this.#ended(error.message));
      child.on('close', (code, signal) => this.#ended(this.#reason(code, signal)));
    });
  }

  /** Ends the child: it leaves its domains first. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    (child.stdio[3] as Duplex).end();
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
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
    if (this.#stopped) return;
    if ('payload' in read) {
      this.#options.onPayload(read.payload);
      return;
    }
    switch (read.message.type) {
      case 'started':
        this.#state = 'loading';
        this.#expect(LOAD_TIMEOUT, `rclnodejs has not loaded in ${LOAD_TIMEOUT / 1000} s`);
        break;
      case 'ready':
        this.#state = 'ready';
        clearTimeout(this.#timer);
        this.#settle?.();
        break;
      case 'unavailable':
        this.#unavailable = read.message.reason;
        break;
      default:
        this.#options.onReport(read.message);
    }
  }

  #expect(timeout: number, fault: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#unavailable = fault;
      this.#child?.kill('SIGKILL');
    }, timeout);
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
    if (this.#unavailable !== undefined) return this.#unavailable;
    const end = signal === null ? `exit code ${code}` : signal;
    const lines = this.#output.split('\n').filter((line) => line.trim() !== '');
    const said = lines.length === 0 ? '' : `: ${lines.at(-1)?.trim()}`;
    if (this.#state === 'setup') return `setup file ${this.#options.setupFile}: it ended with ${end}${said}`;
    if (code === RMW_MISMATCH) {
      const rmw = process.env.RMW_IMPLEMENTATION ?? '';
      return `the RMW implementation ${rmw} is not the one of the sourced ROS 2 (exit code ${code})${said}`;
    }
    return `the rclnodejs process ended with ${end}${said}`;
  }
}
