import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const BROKER_COMMAND = 'dist/src/cli/mqtt-ros-broker.js';

/** A broker that was started as a command. */
export class BrokerCommand {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  private constructor(
    child: ChildProcess,
    readonly port: number,
  ) {
    this.#child = child;
    this.#exited = exitOf(child);
  }

  /** Resolves when it says that it listens. */
  static async start(...options: string[]): Promise<BrokerCommand> {
    const child = spawn(process.execPath, [BROKER_COMMAND, '--mqtt-port', '0', ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout });
    const ended = exitOf(child).then((code) => {
      throw new Error(`the broker ended with code ${code}`);
    });
    const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
    ended.catch(() => {});
    const port = /^mqtt-ros-broker listens on mqtt:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    if (port === undefined) throw new Error(`the broker says "${line}"`);
    return new BrokerCommand(child, Number(port));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Resolves with the exit code, which is null when the signal ended the process. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    return this.#exited;
  }
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}
