import { setTimeout as sleep } from 'node:timers/promises';

/** Until compilers and caches are taken to be warm, ms: V8 compiles what a large message takes within 4,000 of them. */
const WARM_UP = 3000;
/**
 * What is measured, ms. V8 collects all garbage for the first time after some 10 s of large messages, and oftener from then
 * on: what that takes only a long run shows.
 */
const MEASURED = { short: 2500, long: 10_000 };
/** What has not come for so long is lost, ms. */
const PATIENCE = 250;

export interface LoopResult {
  readonly perSecond: number;
  /** Microseconds of processor time per message, of each that was measured. */
  readonly costs: number[];
  readonly lost: number;
}

/** Keeps so many messages under way: the next ones are sent when others have come. */
export class ClosedLoop {
  readonly #window: number;
  readonly #send: (count: number) => void;
  #underWay = 0;
  #came = 0;
  #lost = 0;
  #scheduled = false;
  #running = false;

  constructor(window: number, send: (count: number) => void) {
    this.#window = window;
    this.#send = send;
  }

  came(count: number): void {
    this.#came += count;
    this.#underWay = Math.max(0, this.#underWay - count);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#refill();
    });
  }

  /**
   * Runs the load, and says what was taken of it.
   * @param times each says how much processor time was used up to now, ms
   */
  async run(times: readonly (() => number)[], long: boolean): Promise<LoopResult> {
    const measured = MEASURED[long ? 'long' : 'short'];
    return this.#load(async () => {
      await sleep(WARM_UP);
      const [first, start, used] = [this.#came, performance.now(), times.map((time) => time())];
      this.#lost = 0;
      await sleep(measured);
      const count = this.#came - first;
      const elapsed = performance.now() - start;
      const costs = times.map((time, index) => (1000 * (time() - (used[index] as number))) / count);
      return { perSecond: (1000 * count) / elapsed, costs, lost: this.#lost };
    });
  }

  /** Runs the load until compilers and caches are warm, and lets what is under way come. */
  async warmUp(): Promise<void> {
    await this.#load(() => sleep(WARM_UP));
    await sleep(PATIENCE);
  }

  async #load<Result>(during: () => Promise<Result>): Promise<Result> {
    this.#running = true;
    this.#refill();
    let before = -1;
    const watch = setInterval(() => {
      if (this.#came === before) {
        this.#lost += this.#underWay;
        this.#underWay = 0;
        this.#refill();
      }
      before = this.#came;
    }, PATIENCE);
    try {
      return await during();
    } finally {
      clearInterval(watch);
      this.#running = false;
    }
  }

  #refill(): void {
    const room = this.#window - this.#underWay;
    if (!this.#running || room <= 0) return;
    this.#underWay += room;
    this.#send(room);
  }
}
