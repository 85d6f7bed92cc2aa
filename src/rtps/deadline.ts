/** The longest that a timer of Node.js waits. */
export const MAX_TIMER_MS = 0x7fffffff;

/** Watches that something happens at least once a period (DDS 1.4, 2.2.3.7), from the first time on. */
export class Deadline {
  readonly #period: number;
  readonly #missed: () => void;
  #latest = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param missed called after each period in which it did not happen */
  constructor(period: number, missed: () => void) {
    this.#period = period;
    this.#missed = missed;
  }

  /** It happened. */
  met(): void {
    this.#latest = performance.now();
    if (this.#timer === undefined) this.#wait(this.#period);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  // One timer for all: setting one for each sample would cost more than the sample.
  #wait(delay: number): void {
    this.#timer = setTimeout(
      () => {
        const left = this.#latest + this.#period - performance.now();
        if (left > 0) {
          this.#wait(left);
          return;
        }
        this.#latest = performance.now();
        this.#wait(this.#period);
        this.#missed();
      },
      Math.min(Math.ceil(delay), MAX_TIMER_MS),
    );
  }
}
