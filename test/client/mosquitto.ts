import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { counterpart, freePort } from '../counterparts';

/** A mosquitto of the test's own, on a free port of 127.0.0.1. */
export class Mosquitto {
  #process: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    readonly folder: string,
    readonly program: string,
  ) {}

  /** @param extra further lines of mosquitto.conf; @param users opens a password file with these */
  static async start(
    test: Mocha.Context,
    extra: string[] = [],
    users: Record<string, string> = {},
  ): Promise<Mosquitto> {
    return Mosquitto.of(counterpart(test, 'mosquitto'), extra, users);
  }

  /** The same without a test, by the path of the program. */
  static async of(
    program: string,
    extra: string[] = [],
    users: Record<string, string> = {},
  ): Promise<Mosquitto> {
    const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'));
    const broker = new Mosquitto(await freePort(), folder, program);
    const passwords = join(folder, 'passwords');
    const authentication = ['allow_anonymous true'];
    if (Object.keys(users).length > 0) {
      writeFileSync(passwords, '');
      for (const [name, password] of Object.entries(users)) {
        execFileSync('mosquitto_passwd', ['-b', passwords, name, password], { stdio: 'ignore' });
      }
      authentication.splice(0, 1, 'allow_anonymous false', `password_file ${passwords}`);
    }
    const user = process.getuid?.() === 0 ? ['user root'] : [];
    const lines = [...user, ...authentication, ...extra, `listener ${broker.port} 127.0.0.1`, 'log_type all'];
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    await broker.run();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  /** What it has logged in this run, as far as that has been read. */
  log: string[] = [];
  #wake: (() => void)[] = [];

  /** Resolves when it has logged so many such lines. */
  async logged(pattern: RegExp, count = 1): Promise<void> {
    while (this.log.filter((line) => pattern.test(line)).length < count) {
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  async run(): Promise<void> {
    const child = spawn(this.program, ['-c', join(this.folder, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    this.log = [];
    const lines = createInterface({ input: child.stderr });
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        this.log.push(line);
        for (const wake of this.#wake.splice(0)) wake();
        if (line.endsWith(' running')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`mosquitto ended:\n${this.log.join('\n')}`)));
    });
  }

  /** Ends it as a crash would. */
  kill(): Promise<void> {
    return this.#signal('SIGKILL');
  }

  /** Has it end in order, with what it keeps on disk. */
  end(): Promise<void> {
    return this.#signal('SIGTERM');
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Stops it from answering without closing anything; resume() lets it go on. */
  suspend(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
