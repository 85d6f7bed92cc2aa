/** So many a second over time, and a second's worth at once. */
export class TokenBucket {
  readonly #rate: number;
  #available: number;
  #at: number;

  /**
   * @param rate tokens per second
   * @param now ms
   */
  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#available = rate;
    this.#at = now;
  }

  /** Takes one token, if there is one. */
  take(now: number): boolean {
    this.#refill(now);
    if (this.#available < 1) return false;
    this.#available--;
    return true;
  }

  /**
   * Takes so many tokens, also ones that are not there yet.
   * @returns when all are there, ms: not after `now` when they were
   */
  spend(count: number, now: number): number {
    this.#refill(now);
    this.#available -= count;
    return now - (this.#available * 1000) / this.#rate;
  }

  /** Whether nothing was taken for a while: the bucket is as good as a new one. */
  isFull(now: number): boolean {
    this.#refill(now);
    return this.#available === this.#rate;
  }

  #refill(now: number): void {
    this.#available = Math.min(this.#rate, this.#available + ((now - this.#at) * this.#rate) / 1000);
    this.#at = now;
  }
}
