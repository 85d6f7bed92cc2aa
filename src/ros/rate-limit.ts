/** How often a route carries a message, and what becomes of the others. */
export interface RateLimitSettings {
  /** Messages per second. */
  perSecond: number;
  /**
   * `latest`: of what comes between two messages the newest is carried, the others are dropped. `queue`: all wait their
   * turn, up to a bound.
   */
  policy: RatePolicy;
}

export type RatePolicy = 'latest' | 'queue';

export const RATE_POLICIES: readonly RatePolicy[] = ['latest', 'queue'];
/** About one a day. A timer of Node waits 25 days at most, and beyond that not at all. */
const MIN_RATE = 0.000_01;
const MAX_RATE = 1_000_000;
/** What waits for its turn at most. */
const MAX_QUEUED = 1000;
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/** Says which field cannot be used, its value and what was expected, or `undefined`. */
export function rateLimitFault({ perSecond, policy }: RateLimitSettings): string | undefined {
  if (!(typeof perSecond === 'number' && perSecond >= MIN_RATE && perSecond <= MAX_RATE)) {
    return `rate: expected messages per second from ${MIN_RATE} to ${MAX_RATE}, got ${typeof perSecond === 'number' ? perSecond : JSON.stringify(perSecond)}`;
  }
  if (RATE_POLICIES.includes(policy)) return undefined;
  return `rate policy: expected one of ${RATE_POLICIES.join(', ')}, got ${JSON.stringify(policy)}`;
}

/**
 * Lets messages pass with at least the span of the rate between two: one at once after silence, the others by a timer.
 * At `latest` the wait of the newest begins anew with none, so that a source that is never silent is heard, too.
 */
export class RateLimit<T> {
  readonly #interval: number;
  readonly #keepsAll: boolean;
  readonly #pass: (message: T) => void;
  readonly #dropped: (message: T) => void;
  readonly #waiting: Array<{ message: T; bytes: number }> = [];
  #bytes = 0;
  #nextAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `pass` carries a message, `dropped` is told each that never will be. */
  constructor(settings: RateLimitSettings, pass: (message: T) => void, dropped: (message: T) => void) {
    this.#interval = 1000 / settings.perSecond;
    this.#keepsAll = settings.policy === 'queue';
    this.#pass = pass;
    this.#dropped = dropped;
  }

  /** @param bytes that the message holds in memory */
  take(message: T, bytes: number): void {
    const now = performance.now();
    if (this.#timer === undefined && now >= this.#nextAt) {
      this.#nextAt = now + this.#interval;
      this.#pass(message);
      return;
    }
    this.#waiting.push({ message, bytes });
    this.#bytes += bytes;
    while (this.#waiting.length > 1 && this.#isFull()) this.#dropOldest();
    this.#timer ??= setTimeout(() => this.#passNext(), this.#nextAt - now);
  }

  /** What waits is dropped; more may be taken. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0) this.#dropOldest();
  }

  #isFull(): boolean {
    return !this.#keepsAll || this.#waiting.length > MAX_QUEUED || this.#bytes > MAX_QUEUED_BYTES;
  }

  #dropOldest(): void {
    const oldest = this.#shift();
    if (oldest !== undefined) this.#dropped(oldest);
  }

  #shift(): T | undefined {
    const oldest = this.#waiting.shift();
    this.#bytes -= oldest?.bytes ?? 0;
    return oldest?.message;
  }

  /** Timers are late and of whole milliseconds: what would have had its turn meanwhile passes with it. */
  #passNext(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#waiting.length > 0 && this.#nextAt <= now) {
      this.#nextAt += this.#interval;
      this.#pass(this.#shift() as T);
    }
    if (this.#waiting.length > 0) {
      this.#timer = setTimeout(() => this.#passNext(), this.#nextAt - now);
    }
  }
}
