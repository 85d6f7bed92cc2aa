const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/** Delays between attempts to connect: doubling, at most 30 s, with jitter so that clients of a restarted broker do not come back at once. */
export class Backoff {
  #ceiling = FIRST_MS;

  /** The next delay in ms. */
  next(): number {
    const delay = this.#ceiling * (0.5 + Math.random() / 2);
    this.#ceiling = Math.min(this.#ceiling * 2, LONGEST_MS);
    return Math.round(delay);
  }

  reset(): void {
    this.#ceiling = FIRST_MS;
  }
}
