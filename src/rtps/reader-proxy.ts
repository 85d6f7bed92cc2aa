import type { Destination } from './outbox';
import type { AckNackSubmessage } from './submessage';
import { SubmessageCount } from './submessage-count';

/** A matched remote reader. */
export interface ReaderTarget extends Destination {
  readonly entityId: number;
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

/** Of a reader that never says that it needs no further HEARTBEAT so many requests are taken for an answer. */
const MAX_REQUESTS = 8;

/** What a writer knows of one matched reader (RTPS 8.4.7.5). */
export class ReaderProxy {
  readonly target: ReaderTarget;
  /** Both sides are reliable: it acknowledges, and may ask again. */
  readonly reliable: boolean;
  /** What was written up to here, before the match, is gone or not for this reader. */
  readonly irrelevantUpTo: number;
  readonly ackNacks = new SubmessageCount();
  readonly nackFrags = new SubmessageCount();
  /** Whether it is known to know this writer; a best-effort reader never tells. */
  confirmed: boolean;
  acknowledged: number;
  /** Of `performance.now()`. */
  readonly matchedAt = performance.now();
  /** Of `performance.now()`: when it was last told that this reader is behind. */
  toldBehindAt = Number.NEGATIVE_INFINITY;
  #requests = 0;

  constructor(target: ReaderTarget, reliable: boolean, irrelevantUpTo: number) {
    this.target = target;
    this.reliable = reliable;
    this.irrelevantUpTo = irrelevantUpTo;
    this.confirmed = !reliable;
    this.acknowledged = irrelevantUpTo;
  }

  /**
   * Takes an ACKNACK of a reader that is not confirmed, and returns whether it confirms it: whether the reader has heard
   * where its samples begin. A "pre-emptive" ACKNACK does not tell, which a reader sends that has heard nothing: from
   * number 0 or 1, of nothing, and asking for a HEARTBEAT.
   */
  confirm({ base, numbers, final }: AckNackSubmessage): boolean {
    const hasHeard = base > this.irrelevantUpTo && (base > 1 || numbers.length > 0 || final);
    this.confirmed = hasHeard || ++this.#requests >= MAX_REQUESTS;
    return this.confirmed;
  }

  /** Where the data of this reader go; readers with the same key share them. */
  get groupKey(): string {
    return this.target.prefix + this.target.locator.key;
  }
}
