const FIRST_MS = 250;
const LONGEST_MS = 30_000;

/** Delays between attempts to connect: doubling up to a longest, with jitter so that clients of a restarted broker do not come back at once. */
export class Backoff {
  readonly #first: number;
  readonly #longest: number;
  #ceiling: number;

  /** @param first @param longest delays in ms */
  constructor({ first = FIRST_MS, longest = LONGEST_MS }: { first?: number; longest?: number } = {}) {
    this.#first = first;
    this.#longest = longest;
    this.#ceiling = first;
  }

  /** The next delay in ms. */
  next(): number {
    const delay = this.#ceiling * (0.5 + Math.random() / 2);
    this.#ceiling = Math.min(this.#ceiling * 2, this.#longest);
    return Math.round(delay);
  }

  reset(): void {
    this.#ceiling = this.#first;
  }
}
