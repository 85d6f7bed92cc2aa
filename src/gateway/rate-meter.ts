/** Seconds over which a rate is taken. */
const SECONDS = 10;

/** How many a second, over the last ten whole seconds; takes no timer. */
export class RateMeter {
  readonly #counts = new Array<number>(SECONDS).fill(0);
  readonly #clock: () => number;
  readonly #startedAt: number;
  /** The second that is being counted, of the clock. */
  #second: number;
  #present = 0;

  /** @param clock ms */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
    this.#startedAt = clock();
    this.#second = Math.floor(this.#startedAt / 1000);
  }

  count(): void {
    this.#turn();
    this.#present++;
  }

  get perSecond(): number {
    this.#turn();
    const age = Math.floor((this.#clock() - this.#startedAt) / 1000);
    const sum = this.#counts.reduce((total, count) => total + count, 0);
    return sum / Math.min(SECONDS, Math.max(1, age));
  }

  #turn(): void {
    const now = Math.floor(this.#clock() / 1000);
    const passed = Math.min(now - this.#second, SECONDS);
    for (let each = 0; each < passed; each++) {
      this.#counts.shift();
      this.#counts.push(this.#present);
      this.#present = 0;
    }
    this.#second = now;
  }
}
