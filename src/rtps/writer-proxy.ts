import type { Destination, Outbox } from './outbox';
import type { Statistics } from './statistics';
import { SET_SPAN } from './submessage';
import { SubmessageCount } from './submessage-count';

/** A matched remote writer. */
export interface WriterTarget extends Destination {
  readonly entityId: number;
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

/** A sample as it came from the wire. */
export interface ReceivedChange {
  readonly sequence: number;
  /** Nanoseconds since the epoch. */
  readonly timestamp: bigint | undefined;
  /** A view into the datagram. */
  readonly payload: Buffer;
  /** The status (RTPS 9.6.4.9): 1 disposed, 2 unregistered, 0 alive. */
  readonly status: number;
  /** The 32 hexadecimal digits of the instance's key hash, where the sample has one. */
  readonly keyHash: string | undefined;
}

export interface ReaderProtocol {
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

/** Samples kept while one before them is missing, and how far ahead they may lie. */
const WINDOW = 16_384;
const WINDOW_BYTES = 16 * 1024 * 1024;
/** Waiting this long lets one ACKNACK answer several HEARTBEATs. */
const RESPONSE_DELAY_MS = 5;
/** What was asked for is not asked for again before. */
const REPEAT_MS = 40;
const LAST_REPEAT_MS = 1000;

/**
 * The protocol of one reader towards one matched writer (RTPS 8.4.12). Best effort: what is newer than the last.
 * Reliable: in order and once each; what is missing is asked for until it comes, the writer says that it will not,
 * or the writer is unmatched. It does not wait for a HEARTBEAT to ask again: under a flood of data some stacks send
 * none for seconds.
 */
export class WriterProxy {
  readonly target: WriterTarget;
  readonly readerId: number;
  readonly #protocol: ReaderProtocol;
  readonly #reliable: boolean;
  readonly #outbox: Outbox;
  readonly #statistics: Statistics;
  readonly #deliver: (change: ReceivedChange) => void;
  readonly #heartbeats = new SubmessageCount();
  /** Received ahead of `#next`; `undefined` stands for what will not come. */
  readonly #ahead = new Map<number, ReceivedChange | undefined>();
  #aheadBytes = 0;
  /** The next sequence number to deliver; 0 until it is known where this writer's samples begin for us. */
  #next = 0;
  /** The highest sequence number known to have been written. */
  #highest = 0;
  #ackNackCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #repeatDelay = REPEAT_MS;
  #requestedUpTo = 0;
  #requestedAt = 0;
  #closed = false;

  constructor(
    readerId: number,
    protocol: ReaderProtocol,
    target: WriterTarget,
    outbox: Outbox,
    statistics: Statistics,
    deliver: (change: ReceivedChange) => void,
  ) {
    this.readerId = readerId;
    this.target = target;
    this.#protocol = protocol;
    this.#reliable = protocol.reliable && target.reliable;
    this.#outbox = outbox;
    this.#statistics = statistics;
    this.#deliver = deliver;
  }

  /** Asks the writer to say what it has (a "pre-emptive" ACKNACK), until it does. */
  open(): void {
    if (this.#reliable && this.#next === 0) this.#sendAckNack();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ahead.clear();
  }

  data(change: ReceivedChange): void {
    if (this.#closed) return;
    if (!this.#reliable) this.#newest(change);
    else if (this.#next > 0 && change.sequence === this.#next) {
      this.#take(change);
      this.#takeAhead();
    } else this.#keepAhead(change.sequence, change);
  }

  /** A sample that will never be complete here: the ones behind it must not wait for it. */
  lose(sequence: number): void {
    if (sequence >= this.#next && !this.#ahead.has(sequence)) this.#statistics.samplesLost++;
    if (this.#reliable) this.#skip(sequence, sequence + 1);
    else if (sequence >= this.#next) this.#next = sequence + 1;
  }

  heartbeat(first: number, last: number, count: number, final: boolean): void {
    if (!this.#reliable || !this.#heartbeats.accept(count)) return;
    if (this.#next === 0) this.#begin(first, last);
    else if (first > this.#next) {
      const kept = [...this.#ahead.keys()].filter((sequence) => sequence < first).length;
      this.#statistics.samplesLost += first - this.#next - kept;
      this.#advance(first);
    }
    this.#highest = Math.max(this.#highest, last);
    if (!final || this.#next <= this.#highest) this.#respondIn(RESPONSE_DELAY_MS);
  }

  gap(start: number, base: number, numbers: readonly number[]): void {
    if (!this.#reliable) return;
    this.#skip(start, base);
    for (const sequence of numbers) this.#skip(sequence, sequence + 1);
  }

  #newest(change: ReceivedChange): void {
    if (change.sequence < this.#next) {
      this.#statistics.samplesDuplicate++;
      return;
    }
    if (this.#next > 0) this.#statistics.samplesLost += change.sequence - this.#next;
    this.#next = change.sequence;
    this.#take(change);
  }

  #take(change: ReceivedChange): void {
    this.#repeatDelay = REPEAT_MS;
    this.#next++;
    this.#deliver(change);
  }

  #takeAhead(): void {
    while (this.#ahead.has(this.#next) && !this.#closed) {
      const change = this.#release(this.#next);
      if (change === undefined) this.#next++;
      else this.#take(change);
    }
    if (this.#next <= this.#requestedUpTo) return;
    // What is still missing behind the last request is asked for without waiting.
    if (this.#requestedUpTo > 0 && this.#next <= this.#highest) this.#respondIn(0);
    this.#requestedUpTo = 0;
  }

  #keepAhead(sequence: number, change: ReceivedChange | undefined): void {
    if (sequence < this.#next || this.#ahead.has(sequence)) {
      if (change !== undefined) this.#statistics.samplesDuplicate++;
      return;
    }
    const bytes = change?.payload.length ?? 0;
    // Beyond the window it is dropped here and asked for again when its turn comes.
    const tooFar = this.#next === 0 ? this.#ahead.size >= WINDOW : sequence >= this.#next + WINDOW;
    if (!tooFar && this.#aheadBytes + bytes <= WINDOW_BYTES) {
      // A copy, so that a waiting sample does not pin its whole datagram.
      this.#ahead.set(sequence, change && { ...change, payload: Buffer.from(change.payload) });
      this.#aheadBytes += bytes;
      this.#repeatDelay = REPEAT_MS;
    }
    this.#highest = Math.max(this.#highest, sequence);
    if (this.#next > 0) this.#respondIn(RESPONSE_DELAY_MS);
  }

  #release(sequence: number): ReceivedChange | undefined {
    const change = this.#ahead.get(sequence);
    this.#ahead.delete(sequence);
    this.#aheadBytes -= change?.payload.length ?? 0;
    return change;
  }

  /** `start`..`end - 1` will not come. */
  #skip(start: number, end: number): void {
    if (this.#next > 0 && start <= this.#next) {
      if (end > this.#next) this.#advance(end);
      return;
    }
    const from = this.#next === 0 ? start : Math.max(start, this.#next);
    const to = Math.min(end, this.#next === 0 ? from + WINDOW : this.#next + WINDOW);
    for (let sequence = from; sequence < to; sequence++) this.#keepAhead(sequence, undefined);
  }

  /** What is missing before `next` will not come; what is there is delivered. */
  #advance(next: number): void {
    const kept = [...this.#ahead.keys()].filter((sequence) => sequence < next).sort((a, b) => a - b);
    for (const sequence of kept) {
      const change = this.#release(sequence);
      this.#next = sequence;
      if (change === undefined) this.#next++;
      else this.#take(change);
      if (this.#closed) return;
    }
    this.#next = next;
    this.#takeAhead();
  }

  /**
   * Decides where this writer's samples begin for us. A transient-local pair: with the oldest it has. A volatile
   * writer: also, because what it wrote between its match and ours is for us, and it answers with a GAP for what is
   * not. A volatile reader of a transient-local writer: with the oldest that came unasked, else behind the last.
   */
  #begin(first: number, last: number): void {
    const historical = this.#protocol.transientLocal || !this.target.transientLocal;
    const start = historical ? first : Math.max(first, Math.min(last + 1, ...this.#ahead.keys()));
    for (const sequence of this.#ahead.keys()) if (sequence < start) this.#release(sequence);
    this.#next = start;
    this.#repeatDelay = REPEAT_MS;
    this.#takeAhead();
  }

  #respondIn(delay: number): void {
    if (this.#closed) return;
    const due = performance.now() + delay;
    if (this.#timer !== undefined) {
      if (this.#timerDue <= due) return;
      clearTimeout(this.#timer);
    }
    this.#timerDue = due;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sendAckNack();
    }, delay);
  }

  #sendAckNack(): void {
    if (this.#next === 0) {
      this.#send(1, [], false);
      this.#respondLater();
      return;
    }
    const missing: number[] = [];
    const limit = Math.min(this.#highest, this.#next + SET_SPAN - 1);
    for (let sequence = this.#next; sequence <= limit; sequence++)
      if (!this.#ahead.has(sequence)) missing.push(sequence);
    if (missing.length === 0) {
      this.#send(this.#next, missing, true);
      return;
    }
    const now = performance.now();
    const repeat = this.#requestedUpTo === 0 || now - this.#requestedAt >= REPEAT_MS;
    const asked = repeat ? missing : missing.filter((sequence) => sequence > this.#requestedUpTo);
    if (asked.length === 0) {
      this.#respondIn(this.#requestedAt + REPEAT_MS - now);
      return;
    }
    this.#requestedUpTo = asked.at(-1) as number;
    if (repeat) this.#requestedAt = now;
    this.#send(this.#next, asked, false);
    this.#respondLater();
  }

  #respondLater(): void {
    this.#respondIn(this.#repeatDelay);
    this.#repeatDelay = Math.min(2 * this.#repeatDelay, LAST_REPEAT_MS);
  }

  #send(base: number, missing: readonly number[], final: boolean): void {
    this.#ackNackCount = (this.#ackNackCount + 1) >>> 0;
    const { target } = this;
    this.#outbox.ackNack(target, this.readerId, target.entityId, base, missing, this.#ackNackCount, final);
  }
}
