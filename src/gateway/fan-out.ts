/** How much of this thread's time may go into passing messages on to readers: one part in ten. */
const REST_PER_WORK = 9;
/**
 * How long others wait for it at a time, ms. On few processors those are not of this thread alone: the broker's waits, too,
 * where this one has the processor, and some messages of each slice come that much later.
 */
const SLICE = 0.25;

/** What has something to pass on. */
export interface FanOutJob {
  /** Passes on until there is nothing left, or until the time of `performance.now()`. Returns whether nothing is left. */
  run(until: number): boolean;
}

/**
 * Runs jobs of passing messages on so that they take a bounded part of this thread's time, however much there is: in
 * slices, with rests in between that are as long as the work was. What comes meanwhile goes together next time.
 */
export class FanOut {
  readonly #jobs = new Set<FanOutJob>();
  #restUntil = 0;
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** Has the job run soon, once. */
  add(job: FanOutJob): void {
    this.#jobs.add(job);
    this.#schedule();
  }

  remove(job: FanOutJob): void {
    this.#jobs.delete(job);
  }

  close(): void {
    this.#jobs.clear();
    clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#immediate !== undefined || this.#timer !== undefined) return;
    const rest = this.#restUntil - performance.now();
    if (rest <= 0) this.#immediate = setImmediate(() => this.#run());
    else this.#timer = setTimeout(() => this.#run(), rest);
  }

  #run(): void {
    this.#immediate = this.#timer = undefined;
    const begun = performance.now();
    const until = begun + SLICE;
    for (const job of [...this.#jobs]) {
      const isDone = job.run(until);
      // One that is not done has its next turn after the others.
      this.#jobs.delete(job);
      if (!isDone) this.#jobs.add(job);
      if (performance.now() >= until) break;
    }
    const now = performance.now();
    this.#restUntil = now + (now - begun) * REST_PER_WORK;
    if (this.#jobs.size > 0) this.#schedule();
  }
}
