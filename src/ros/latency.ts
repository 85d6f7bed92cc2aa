/** Buckets for each doubling: a bucket is 9 % wide. */
const PER_OCTAVE = 8;
/** From 1 us to 2^30 us, 18 minutes; what is beyond counts as the last. */
const BUCKETS = 30 * PER_OCTAVE;
/** A measurement is forgotten after one to two of these, in ms. */
const WINDOW = 60_000;

/** In milliseconds, of the messages of the last minute or two. */
export interface LatencySummary {
  p50: number;
  p99: number;
  messages: number;
}

/** A histogram of latencies in fixed memory, with an error of at most 9 %. */
export class Latency {
  #present = new Uint32Array(BUCKETS);
  #past = new Uint32Array(BUCKETS);
  #since: number | undefined;

  /**
   * @param milliseconds below 0 where clocks differ, which counts as none
   * @param now in ms of any steady clock
   */
  add(milliseconds: number, now: number): void {
    this.#age(now);
    const bucket = Math.floor(Math.log2(Math.max(milliseconds * 1000, 1)) * PER_OCTAVE);
    const index = Math.min(bucket, BUCKETS - 1);
    this.#present[index] = (this.#present[index] as number) + 1;
  }

  /** `undefined` where nothing was measured lately. */
  summary(now: number): LatencySummary | undefined {
    this.#age(now);
    let messages = 0;
    for (let index = 0; index < BUCKETS; index++) messages += this.#at(index);
    if (messages === 0) return undefined;
    return { p50: this.#quantile(0.5 * messages), p99: this.#quantile(0.99 * messages), messages };
  }

  #at(index: number): number {
    return (this.#present[index] as number) + (this.#past[index] as number);
  }

  /** The upper end of the bucket in which that many measurements are reached, in ms of two figures. */
  #quantile(count: number): number {
    let seen = 0;
    for (let index = 0; index < BUCKETS; index++) {
      seen += this.#at(index);
      if (seen >= count) return Number((2 ** ((index + 1) / PER_OCTAVE) / 1000).toPrecision(2));
    }
    return Number.POSITIVE_INFINITY;
  }

  #age(now: number): void {
    this.#since ??= now;
    const windows = Math.floor((now - this.#since) / WINDOW);
    if (windows === 0) return;
    this.#since += windows * WINDOW;
    const spare = this.#past.fill(0);
    this.#past = windows === 1 ? this.#present : spare;
    this.#present = windows === 1 ? spare : this.#present.fill(0);
  }
}
