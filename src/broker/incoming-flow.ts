import type { Duplex } from 'node:stream';
import type { ClientRate } from './client-rate';
import type { BrokerStatistics } from './statistics';

/** What a client may send before it is read no further while it has to wait. */
const HELD_BYTES = 64 * 1024;

/**
 * Whether a client is read: not while it has sent more than its rate allows, does not take its answers, or has sent much
 * while something must be finished before more of it is handled. What has come by then is kept here, in order.
 */
export class IncomingFlow {
  readonly #stream: Duplex;
  readonly #rate: ClientRate | undefined;
  readonly #statistics: BrokerStatistics;
  #throttled: { since: number; until: number } | undefined;
  #wasThrottled = false;
  #backlogged = false;
  #held: Buffer[] | undefined;
  #heldBytes = 0;

  /** @param rate absent where the limits leave it to the client */
  constructor(stream: Duplex, rate: ClientRate | undefined, statistics: BrokerStatistics) {
    this.#stream = stream;
    this.#rate = rate;
    this.#statistics = statistics;
  }

  /** Whether something must be finished before more is handled. */
  get holding(): boolean {
    return this.#held !== undefined;
  }

  /** Bytes that have come since `hold`. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether it has sent more than its rate allows. */
  get throttled(): boolean {
    return this.#throttled !== undefined;
  }

  /** Handles nothing more until `release`. */
  hold(): void {
    this.#held = [];
  }

  /** Keeps what comes during a hold. */
  keep(chunk: Buffer): void {
    this.#held?.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes > HELD_BYTES) this.#stream.pause();
  }

  /** Ends a hold and returns what has come during it, to be handled before `readOn`. */
  release(): Buffer[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    return held;
  }

  /**
   * Counts what has come and does not read on for as long as it is too much. A chunk is taken whole, so what it has too
   * much delays what follows.
   * @returns whether that is so for the first time
   */
  spend(messages: number, bytes: number, now: number): boolean {
    const until = this.#rate?.spend(messages, bytes, now) ?? now;
    if (until <= now) return false;
    this.#stream.pause();
    if (this.#throttled !== undefined) {
      this.#throttled.until = until;
      return false;
    }
    this.#throttled = { since: now, until };
    this.#statistics.throttled++;
    const first = !this.#wasThrottled;
    this.#wasThrottled = true;
    return first;
  }

  /** Reads on what was throttled long enough, and says whether it was. */
  recover(now: number): boolean {
    if (this.#throttled !== undefined && now < this.#throttled.until) return false;
    this.#endThrottle(now);
    this.readOn();
    return true;
  }

  /** It does not take its answers: is not read before `answersTaken`. */
  waitForAnswers(): void {
    this.#backlogged = true;
    this.#stream.pause();
  }

  answersTaken(): void {
    this.#backlogged = false;
    this.readOn();
  }

  /** Reads on unless there is something to wait for. */
  readOn(): void {
    if (this.#throttled !== undefined || this.#backlogged || this.#heldBytes > HELD_BYTES) return;
    this.#stream.resume();
  }

  /** The client has left: forgets what it has sent. */
  end(now: number): void {
    this.release();
    this.#endThrottle(now);
  }

  #endThrottle(now: number): void {
    if (this.#throttled === undefined) return;
    this.#statistics.throttled--;
    this.#statistics.throttledTime += now - this.#throttled.since;
    this.#throttled = undefined;
  }
}
