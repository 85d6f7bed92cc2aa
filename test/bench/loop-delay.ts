import { monitorEventLoopDelay } from 'node:perf_hooks';

/** How often it is looked, ms; what it takes counts as a delay to those who measure. */
const RESOLUTION = 1;

/** Measures how late the event loop of this thread is. */
export class LoopDelay {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION });

  constructor() {
    this.#delay.enable();
  }

  /** The delay at p99 since this was asked last, ms. */
  take(): number {
    const p99 = this.#delay.percentile(99) / 1e6 - RESOLUTION;
    this.#delay.reset();
    return p99;
  }
}
