import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { endingAfterEach } from '../ending-after-each';

export const BROKER_COMMAND = resolve('dist/src/cli/mqtt-ros-broker.js');

/** As many connections and waiting messages as the embedded broker allows, for loads beyond the command's defaults. */
export const WIDE_LIMITS = {
  BROKER_MQTT_MAX_CONNECTIONS: '10000',
  BROKER_MAX_QUEUED_MESSAGES: '100000',
};

const MOST_LINES = 20_000;

export interface CommandStart {
  options?: readonly string[];
  /** Variables beside those of the tests. */
  environment?: Readonly<Record<string, string>>;
  /** In which it runs. */
  directory?: string;
  /** Where the command is, if not in the build. */
  command?: string;
  /** The network namespace in which it runs, if not in the machine's own. */
  namespace?: string;
}

export type LogLine = Readonly<Record<string, unknown>> & { level: string; time: string; msg: string };

/** A broker that was started as a command, with its log. */
export class BrokerCommand {
  readonly lines: LogLine[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #complaints = '';
  #wake: (() => void) | undefined;

  private constructor(start: CommandStart) {
    const { options = [], environment = {}, directory, command = BROKER_COMMAND, namespace } = start;
    const [program = '', ...args] = [
      ...(namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]),
      ...[process.execPath, command, '--mqtt-port', '0', '--ws-port', '0', '--http-port', '0', ...options],
    ];
    this.#child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
      cwd: directory,
    });
    this.#ended = ended(this.#child);
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on('line', (line) => {
      this.lines.push(JSON.parse(line) as LogLine);
      // Of a long load neither its beginning nor its end.
      if (this.lines.length > MOST_LINES) this.lines.splice(MOST_LINES / 4, MOST_LINES / 2);
      this.#wake?.();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaints += chunk;
      this.#wake?.();
    });
    void this.#ended.then(() => this.#wake?.());
  }

  /** Resolves when it says that it listens. */
  static async start(start: CommandStart = {}): Promise<BrokerCommand> {
    return BrokerCommand.begin(start).listening();
  }

  /** Does not wait for anything. */
  static begin(start: CommandStart): BrokerCommand {
    return new BrokerCommand(start);
  }

  /** Itself, when it says that it listens. */
  async listening(): Promise<this> {
    await this.logged('listening');
    return this;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Where it listens for MQTT over TCP or TLS. */
  get port(): number {
    return this.portOf('mqtt');
  }

  /** Where it listens with a scheme such as `wss`. */
  portOf(scheme: string): number {
    const url = this.lines
      .filter(({ msg }) => msg === 'listening')
      .map((line) => new URL(String(line.url)))
      .find(({ protocol }) => protocol.startsWith(scheme));
    if (url === undefined) throw new Error(`it does not listen for ${scheme}`);
    return Number(url.port);
  }

  /** What it has said on the standard error output. */
  get complaints(): string {
    return this.#complaints;
  }

  /** The first log line with this message that fits, past or to come. */
  async logged(message: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.#found(message, () => this.lines.find((line) => line.msg === message && fits(line)));
  }

  /** Resolves when the standard error output matches. */
  async complained(pattern: RegExp): Promise<string> {
    return this.#found(String(pattern), () => pattern.exec(this.#complaints)?.[0]);
  }

  /** Closes what it prints to. */
  stopReading(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves with the exit code, which is null when a signal ended the process. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.signal(signal);
    return this.#ended;
  }

  async #found<T>(what: string, find: () => T | undefined): Promise<T> {
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`the broker ended without "${what}": ${this.#complaints}`);
      }
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }
}

/** Brokers that end with the test, in a directory of its own. */
export class CommandSuite {
  readonly #keep = endingAfterEach();
  readonly #common: CommandStart;
  #directory = '';

  /** For the mocha suite in which it is made. @param common to all that it starts */
  constructor(common: CommandStart = {}) {
    this.#common = common;
    beforeEach(() => {
      const made = mkdtempSync(join(tmpdir(), 'command-'));
      this.#directory = this.#keep(made, () => rmSync(made, { recursive: true }));
    });
  }

  /** In which they run. */
  get directory(): string {
    return this.#directory;
  }

  /** Does not wait for anything. */
  begin(start: CommandStart = {}): BrokerCommand {
    const command = BrokerCommand.begin({ directory: this.#directory, ...this.#common, ...start });
    return this.#keep(command, () => command.stop('SIGKILL'));
  }

  /** Resolves when it says that it listens. */
  start(start: CommandStart = {}): Promise<BrokerCommand> {
    return this.begin(start).listening();
  }
}

/** When the output is read to its end, too. */
async function ended(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
