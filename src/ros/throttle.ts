import { Deadband, type DeadbandSettings } from './deadband';
import { RateLimit, type RateLimitSettings } from './rate-limit';
import type { DropReason } from './route-counts';

export interface ThrottleSettings {
  rate?: RateLimitSettings;
  deadband?: DeadbandSettings;
}

export interface ThrottleListener<T> {
  /** Carries the message, at once or later. It must not throw. */
  pass(message: T): void;
  dropped(reason: DropReason): void;
}

/** Keeps back what a route is not to carry: first what says nothing new, and of the rest what comes too often. */
export class Throttle<T> {
  readonly #settings: ThrottleSettings;
  #deadband: Deadband | undefined;
  readonly #rate: RateLimit<T> | undefined;
  readonly #listener: ThrottleListener<T>;

  /** `undefined` where nothing is to be kept back. */
  static for<T>(settings: ThrottleSettings, listener: ThrottleListener<T>): Throttle<T> | undefined {
    if (settings.rate === undefined && settings.deadband === undefined) return undefined;
    return new Throttle(settings, listener);
  }

  private constructor(settings: ThrottleSettings, listener: ThrottleListener<T>) {
    const { rate, deadband } = settings;
    this.#settings = settings;
    this.#deadband = deadband && new Deadband(deadband);
    this.#rate =
      rate &&
      new RateLimit(
        rate,
        (message) => listener.pass(message),
        () => listener.dropped('rate'),
      );
    this.#listener = listener;
  }

  /**
   * @param bytes that the message holds in memory
   * @param decode gives it in the JSON form of its type; what it throws is thrown
   */
  take(message: T, bytes: number, decode: () => unknown): void {
    if (this.#deadband !== undefined && !this.#deadband.passes(decode(), performance.now())) {
      this.#listener.dropped('deadband');
    } else if (this.#rate !== undefined) this.#rate.take(message, bytes);
    else this.#listener.pass(message);
  }

  /** What was said before is the state no more: what waits is dropped, and what comes next says something new. */
  forget(): void {
    const { deadband } = this.#settings;
    this.#deadband = deadband && new Deadband(deadband);
    this.#rate?.close();
  }

  /** What waits is dropped. */
  close(): void {
    this.#rate?.close();
  }
}
