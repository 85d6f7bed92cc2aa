/** How long after the last failure all is forgiven, ms. */
const FORGET_AFTER = 5 * 60_000;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 4000;
/** Bound on what attackers can make us remember; the oldest is forgotten first. */
const MAX_ENTRIES = 10_000;

interface Entry {
  failures: number;
  lastFailure: number;
  /** When the next attempt may be checked. */
  next: number;
}

/**
 * Slows down who fails to log in, by key: after some failures each attempt waits twice as long as the one before, and
 * attempts at the same time wait for each other. Times in ms of a clock that does not jump.
 */
export class LoginThrottle {
  readonly #free: number;
  readonly #entries = new Map<string, Entry>();

  /** @param free failures that cost nothing yet */
  constructor(free: number) {
    this.#free = free;
  }

  /** How long an attempt must wait from now; `undefined` when so many wait already that it is refused. */
  wait(key: string, now: number): number | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    if (now - entry.lastFailure > FORGET_AFTER) {
      this.#entries.delete(key);
      return 0;
    }
    if (entry.failures < this.#free) return 0;
    const at = Math.max(now, entry.next);
    if (at - now > LONGEST_DELAY) return undefined;
    entry.next = at + this.#delayAfter(entry.failures);
    return at - now;
  }

  failed(key: string, now: number): void {
    const before = this.#entries.get(key);
    const failures = (before?.failures ?? 0) + 1;
    const next = Math.max(before?.next ?? 0, now + this.#delayAfter(failures));
    this.#entries.delete(key);
    this.#entries.set(key, { failures, lastFailure: now, next });
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value as string);
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }

  #delayAfter(failures: number): number {
    if (failures < this.#free) return 0;
    return Math.min(FIRST_DELAY * 2 ** Math.min(failures - this.#free, 16), LONGEST_DELAY);
  }
}
