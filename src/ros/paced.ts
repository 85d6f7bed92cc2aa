/** Of the time, what an action may take. */
const SHARE = 0.1;
/** How long it waits at most, in ms. */
const MAX_WAIT = 500;

/**
 * Does at the end of a turn of the event loop, once, what is asked for in it, and takes about a tenth of the time for it:
 * what goes through all there is may take long, and be asked for in each turn.
 */
export class Paced {
  readonly #act: () => void;
  readonly #now: () => number;
  #turn: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  /** How long it took the last time, in ms. */
  #took = 0;
  /** When it may be done again. */
  #due = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** @param now of a steady clock, in ms */
  constructor(act: () => void, now: () => number = () => performance.now()) {
    this.#act = act;
    this.#now = now;
  }

  /** Has it done soon, once. */
  schedule(): void {
    if (this.#closed || this.#turn !== undefined || this.#later !== undefined) return;
    this.#turn = setImmediate(() => {
      const wait = this.#due - this.#now();
      if (wait <= 0) this.run();
      else {
        this.#turn = undefined;
        // Timers count in whole milliseconds.
        this.#later = setTimeout(() => this.run(), Math.ceil(wait));
      }
    });
  }

  /** Does it now, and not once more for what has asked for it. */
  run(): void {
    this.#cancel();
    const begun = this.#now();
    try {
      this.#act();
    } finally {
      const ended = this.#now();
      const took = ended - begun;
      // The first time, or while the machine stands still, it takes longer than it would again.
      this.#due = ended + Math.min(Math.min(took, this.#took) * (1 / SHARE - 1), MAX_WAIT);
      this.#took = took;
    }
  }

  /** What has been asked for is not done any more. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #cancel(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#later);
    this.#turn = undefined;
    this.#later = undefined;
  }
}
