import type { Subscription } from './subscription';

/** Topic levels and messages looked at in one turn of the event loop, some 20 ms. */
const WORK_PER_TURN = 50_000;

/**
 * The new subscriptions that are to get what is retained for them: at once while that is quick, else in later turns of
 * the event loop, so that nobody who subscribes to much keeps the others waiting. Bounded by the subscriptions.
 */
export class RetainedReplay {
  readonly #replay: (subscription: Subscription) => number;
  readonly #pending = new Set<Subscription>();
  #work = 0;
  #scheduled = false;

  /** @param replay sends what is retained for the subscription and says how much work it was */
  constructor(replay: (subscription: Subscription) => number) {
    this.#replay = replay;
  }

  add(subscription: Subscription): void {
    this.#pending.add(subscription);
  }

  /** The subscription is no more. Says whether it was still to get what is retained. */
  remove(subscription: Subscription): boolean {
    return this.#pending.delete(subscription);
  }

  run(): void {
    for (const subscription of this.#pending) {
      if (this.#work >= WORK_PER_TURN) break;
      this.#pending.delete(subscription);
      this.#work += this.#replay(subscription);
    }
    if (this.#work === 0 || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#work = 0;
      this.run();
    });
  }
}
