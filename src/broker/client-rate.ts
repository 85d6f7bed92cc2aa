import type { Limits } from './limits';
import { TokenBucket } from './token-bucket';

/** What one client may send over time. */
export class ClientRate {
  readonly #messages: TokenBucket | undefined;
  readonly #bytes: TokenBucket | undefined;

  constructor({ messageRate, byteRate }: Limits, now: number) {
    if (messageRate > 0) this.#messages = new TokenBucket(messageRate, now);
    if (byteRate > 0) this.#bytes = new TokenBucket(byteRate, now);
  }

  /**
   * Counts what has come.
   * @returns when more may come, ms: not after `now` when it may at once
   */
  spend(messages: number, bytes: number, now: number): number {
    return Math.max(this.#messages?.spend(messages, now) ?? 0, this.#bytes?.spend(bytes, now) ?? 0);
  }
}
