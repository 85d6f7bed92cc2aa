import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { RosThread } from '../../src/ros/ros-thread';
import type { BridgeStatus, RouteStatus } from '../../src/ros/ros-worker-messages';
import { TestBridge, Watch } from './bridge-fixture';

/** A bridge in a process of its own, which can be killed. */
export class BridgeProcess extends Watch {
  status: BridgeStatus | undefined;
  readonly problems: string[] = [];
  readonly #child: ChildProcess;

  constructor(settings: Partial<BridgeSettings> & Pick<BridgeSettings, 'domains' | 'routes'>) {
    super();
    this.#child = fork(__filename, { stdio: 'inherit' });
    // An argument has not room enough for thousands of routes.
    this.#child.send(settings);
    this.#child.on('message', ({ status, problem }: { status?: BridgeStatus; problem?: string }) => {
      if (status !== undefined) this.status = status;
      if (problem !== undefined) this.problems.push(problem);
      this.changed();
    });
  }

  route(index = 0): RouteStatus | undefined {
    return this.status?.routes[index];
  }

  /** Has it stand still. Resolves when it does. */
  async stop(): Promise<void> {
    this.#child.kill('SIGSTOP');
    const isStopped = async () =>
      /^\d+ \(.*\) T/.test(await readFile(`/proc/${this.#child.pid}/stat`, 'utf8'));
    while (!(await isStopped()));
  }

  /** Has it go on. */
  continue(): void {
    this.#child.kill('SIGCONT');
  }

  /** With all that a bridge does at its end. */
  close(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** As a crash, or with all that a bridge does at its end. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    await exited;
  }
}

async function run(settings: ConstructorParameters<typeof BridgeProcess>[0]): Promise<void> {
  const bridge = TestBridge.create(new RosThread(), settings, { flowOutput: false });
  const tell = (message: object) => process.send?.(message);
  bridge.handle.on('status', (status) => tell({ status: status.state === 'open' ? status : undefined }));
  bridge.handle.on('problem', ({ message }) => tell({ problem: message }));
  process.on('SIGTERM', () => void bridge.close().then(() => process.disconnect()));
  process.on('disconnect', () => process.exit());
  await bridge.handle.open();
}

if (require.main === module) process.once('message', run);
