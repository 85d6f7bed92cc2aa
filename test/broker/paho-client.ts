import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** Properties by Paho's names, such as `UserProperty`. */
export type PahoProperties = Record<string, string | number | [string, string][] | number[]>;

export interface PahoMessage {
  event: 'message';
  topic: string;
  payload: string;
  qos: number;
  retain: boolean;
  properties: PahoProperties;
}

type PahoEvent =
  | { event: 'connected'; reasonCode: number; sessionPresent: boolean; properties: PahoProperties }
  | { event: 'subscribed'; reasonCodes: number[] }
  | { event: 'published'; mid: number }
  | { event: 'disconnected' }
  | PahoMessage;

export interface PahoConnection {
  port: number;
  id: string;
  version: 4 | 5;
  clean: boolean;
  will?: { topic: string; payload: string; qos: number; retain: boolean };
  properties?: PahoProperties;
}

/** Eclipse Paho's Python client, in a process of its own. */
export class PahoClient {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: Interface;
  readonly #events: PahoEvent[] = [];
  #wake: (() => void) | undefined;

  constructor() {
    // The Python that Debian's package is for, whatever else there is.
    this.#process = spawn('/usr/bin/python3', ['test/peers/paho/client.py'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#lines.on('line', (line) => {
      this.#events.push(JSON.parse(line) as PahoEvent);
      this.#wake?.();
    });
  }

  async connect(connection: PahoConnection): Promise<Extract<PahoEvent, { event: 'connected' }>> {
    this.#do('connect', connection);
    return this.expect('connected');
  }

  async subscribe(
    filter: string,
    qos: number,
    options: { noLocal?: boolean; properties?: PahoProperties } = {},
  ): Promise<number[]> {
    this.#do('subscribe', { filter, qos, ...options });
    return (await this.expect('subscribed')).reasonCodes;
  }

  /** Resolves when Paho says that the message is published. */
  async publish(
    topic: string,
    payload: string,
    qos: number,
    options: { retain?: boolean; properties?: PahoProperties } = {},
  ): Promise<void> {
    this.#do('publish', { topic, payload, qos, ...options });
    await this.expect('published');
  }

  async disconnect(): Promise<void> {
    this.#do('disconnect', {});
    await this.expect('disconnected');
  }

  /** The next event of this kind; others stay. */
  async expect<T extends PahoEvent['event']>(event: T): Promise<Extract<PahoEvent, { event: T }>> {
    for (;;) {
      const index = this.#events.findIndex((candidate) => candidate.event === event);
      if (index >= 0) return this.#events.splice(index, 1)[0] as Extract<PahoEvent, { event: T }>;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends the process, and its connection with it as a crash does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }

  #do(command: string, values: object): void {
    this.#process.stdin.write(`${JSON.stringify({ do: command, ...values })}\n`);
  }
}
