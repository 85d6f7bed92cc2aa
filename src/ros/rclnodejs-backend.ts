import { Backoff } from '../client/backoff';
import type { ProcessReport } from '../rclnodejs/process-messages';
import { RclnodejsProcess } from '../rclnodejs/rclnodejs-process';
import { RclnodejsDomain } from './rclnodejs-domain';
import type { RosBackend, RosDomain, RosDomainOptions } from './ros-backend';

/** After this time a process that ends is started again at once, in ms. */
const STEADY_TIME = 60_000;

/**
 * Reaches ROS 2 through rclnodejs in a child process: one for each setup file, with a node for each user. When it ends
 * it is started again, and everything that was made in it is made anew.
 */
export class RclnodejsBackend implements RosBackend {
  readonly name = 'rclnodejs';
  readonly capabilities = { writerGuid: false, sequence: false, sourceTimestamp: true };
  readonly #setupFile: string;
  readonly #domains = new Map<number, RclnodejsDomain>();
  readonly #backoff = new Backoff();
  #process: RclnodejsProcess | undefined;
  #started: Promise<void> | undefined;
  #startedAt = 0;
  #users = 0;
  #restart: NodeJS.Timeout | undefined;
  /** Why there is no process, after there was one. */
  #fault: string | undefined;
  #nextNode = 0;

  /** @param setupFile sourced first, for example `/opt/ros/jazzy/setup.bash`; '' for the environment as it is */
  constructor(setupFile = '') {
    this.#setupFile = setupFile;
  }

  /** Loads rclnodejs, unless it is. Rejects with `RclnodejsUnavailableError` when that is impossible. */
  async openDomain(options: RosDomainOptions): Promise<RosDomain> {
    const number = this.#nextNode++;
    const domain: RclnodejsDomain = new RclnodejsDomain(number, options, {
      bridges: () => this.#bridgesBeside(domain),
      left: async () => {
        this.#domains.delete(number);
        await this.#release();
      },
    });
    this.#users++;
    try {
      if (this.#fault === undefined) {
        this.#started ??= this.#start();
        await this.#started;
      }
      this.#domains.set(number, domain);
      // It was lost since, and is on its way back: the domain opens with the others.
      if (this.#fault !== undefined || this.#process === undefined) domain.processEnded(this.#fault ?? '');
      else await domain.open(this.#process);
    } catch (error) {
      await domain.close();
      throw error;
    }
    return domain;
  }

  #bridgesBeside(domain: RclnodejsDomain): ReadonlySet<string> {
    const others = [...this.#domains.values()].filter(
      (other) => other !== domain && other.domain === domain.domain,
    );
    return new Set(others.map(({ bridgeId }) => bridgeId));
  }

  async #release(): Promise<void> {
    this.#users--;
    if (this.#users > 0) return;
    clearTimeout(this.#restart);
    this.#restart = undefined;
    this.#backoff.reset();
    this.#fault = undefined;
    const process = this.#process;
    this.#process = undefined;
    this.#started = undefined;
    await process?.stop();
  }

  #start(): Promise<void> {
    const started = new RclnodejsProcess({
      setupFile: this.#setupFile,
      onReport: (report) => this.#report(report),
      onPayload: (payload) => this.#domains.get(payload.node)?.payload(payload),
      onEnd: (reason) => started === this.#process && this.#ended(reason),
    });
    this.#process = started;
    this.#startedAt = performance.now();
    return started.start();
  }

  #report(report: ProcessReport): void {
    if ('node' in report) this.#domains.get(report.node)?.report(report);
  }

  #ended(reason: string): void {
    if (performance.now() - this.#startedAt > STEADY_TIME) this.#backoff.reset();
    this.#process = undefined;
    this.#started = undefined;
    this.#fault = reason;
    for (const domain of this.#domains.values()) domain.processEnded(reason);
    this.#restart = setTimeout(() => void this.#startAgain(), this.#backoff.next());
  }

  async #startAgain(): Promise<void> {
    this.#restart = undefined;
    const starting = this.#start();
    this.#started = starting;
    const process = this.#process;
    try {
      await starting;
    } catch (error) {
      if (process === this.#process) this.#ended((error as Error).message);
      return;
    }
    if (process === undefined || process !== this.#process) return;
    this.#fault = undefined;
    for (const domain of this.#domains.values()) domain.processStarted(process);
  }
}
