import type { FragmentedSample } from './fragmented-sample';
import type { Destination, Outbox } from './outbox';
import { Reassembly } from './reassembly';
import type { ReceiveMemory } from './receive-memory';
import type { ReceivedChange, SampleInfo } from './received-change';
import type { Statistics } from './statistics';
import { type DataFragSubmessage, SET_SPAN } from './submessage';
import { SubmessageCount } from './submessage-count';
import { WaitingChanges } from './waiting-changes';

/** A matched remote writer. */
export interface WriterTarget extends Destination {
  readonly entityId: number;
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

export interface ReaderProtocol {
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

/** How far ahead samples may lie that are kept while one before them is missing. */
const WINDOW = 16_384;
/** Samples of a best-effort writer that are put together at the same time. */
const MAX_PARTIAL = 4;
/** Without a new fragment for so long, what has come of a sample is given up; a reliable writer is asked for it anew. */
const MAX_PARTIAL_AGE_MS = { reliable: 10_000, bestEffort: 1000 };
/** After this time a fragment that has not come, though no later one has either, is taken for lost. */
const QUIET_MS = 20;
/** Waiting this long lets what is only late arrive before it is asked for. */
const RESPONSE_DELAY_MS = 5;
/** What was asked for is not asked for again before; fragments sooner, where the writer answers sooner. */
const REPEAT_MS = 40;
const LEAST_REPEAT_MS = 10;
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
  readonly #memory: ReceiveMemory;
  readonly #reassembly: Reassembly;
  readonly #statistics: Statistics;
  readonly #deliver: (change: ReceivedChange) => void;
  readonly #heartbeats = new SubmessageCount();
  /** Received ahead of `#next`. */
  readonly #ahead: WaitingChanges;
  /** The next sequence number to deliver; 0 until it is known where this writer's samples begin for us. */
  #next = 0;
  /** The highest sequence number known to have been written. */
  #highest = 0;
  /** The highest that a HEARTBEAT said has been sent. */
  #announced = 0;
  #ackNackCount = 0;
  #nackFragCount = 0;
  readonly #acknowledge = () => {
    if (this.#answerDue && !this.#closed) this.#respond();
  };
  /** Whether an ACKNACK is due even if nothing is missing. */
  #answerDue = false;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = 0;
  #repeatDelay = REPEAT_MS;
  /** How long the writer takes to send fragments again. */
  #roundTrip = REPEAT_MS / 2;
  #requestedUpTo = 0;
  #requestedAt = 0;
  #closed = false;

  constructor(
    readerId: number,
    protocol: ReaderProtocol,
    target: WriterTarget,
    outbox: Outbox,
    memory: ReceiveMemory,
    statistics: Statistics,
    deliver: (change: ReceivedChange) => void,
  ) {
    this.readerId = readerId;
    this.target = target;
    this.#protocol = protocol;
    this.#reliable = protocol.reliable && target.reliable;
    this.#outbox = outbox;
    this.#memory = memory;
    this.#reassembly = new Reassembly(target.prefix, memory, statistics);
    this.#ahead = new WaitingChanges(target.prefix, memory);
    this.#statistics = statistics;
    this.#deliver = deliver;
  }

  /** Asks the writer to say what it has (a "pre-emptive" ACKNACK), until it does. */
  open(): void {
    if (this.#reliable && this.#next === 0) this.#respond();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#ahead.clear();
    this.#reassembly.clear();
  }

  data(change: ReceivedChange): void {
    if (this.#closed) return;
    if (!this.#reliable) this.#newest(change);
    else if (this.#next > 0 && change.sequence === this.#next) {
      this.#reassembly.drop(change.sequence);
      this.#take(change);
      this.#takeAhead();
      // Its HEARTBEAT came before it; a writer that waits for the acknowledgement is not kept waiting any longer.
      if (this.#answerDue && this.#next > this.#highest) this.#outbox.beforeFlush(this.#acknowledge);
    } else this.#keepAhead(change.sequence, change);
  }

  fragment(fragment: DataFragSubmessage, info: SampleInfo): void {
    const { sequence } = fragment;
    // Late, repeated, or sent again to another reader.
    if (this.#closed || sequence < this.#next || this.#ahead.has(sequence)) return;
    if (fragment.sampleBytes > this.#memory.maxSampleBytes) {
      this.#refuse(sequence);
      return;
    }
    if (this.#reliable) this.#highest = Math.max(this.#highest, sequence);
    const sample = this.#reassembly.get(sequence) ?? this.#beginSample(fragment, info);
    if (sample?.add(fragment) !== true) {
      this.#statistics.fragmentsDropped++;
      return;
    }
    if (sample.isComplete) {
      const { payload } = this.#reassembly.take(sequence);
      this.data({ ...sample.info, sequence, payload, ownsMemory: true });
    } else if (this.#reliable && this.#next > 0) {
      this.#measure(sample);
      this.#repeatDelay = this.#fragmentRepeat;
      this.#respondIn(sample.isAnswered ? 0 : RESPONSE_DELAY_MS);
    }
  }

  /** The writer has sent fragments 1 to `last` of the sample. */
  heartbeatFrag(sequence: number, last: number): void {
    if (!this.#reliable || this.#next === 0 || sequence < this.#next) return;
    this.#highest = Math.max(this.#highest, sequence);
    this.#reassembly.get(sequence)?.sentUpTo(last);
    this.#respondIn(RESPONSE_DELAY_MS);
  }

  /** Gives up samples of which nothing more comes. */
  expire(): void {
    this.#reassembly.expire(this.#reliable ? MAX_PARTIAL_AGE_MS.reliable : MAX_PARTIAL_AGE_MS.bestEffort);
  }

  /** @returns `false` when the writer has written less than came from it before: it is another one under its name */
  heartbeat(first: number, last: number, count: number, final: boolean): boolean {
    if (!this.#reliable || !this.#heartbeats.accept(count)) return true;
    const isSame = last >= this.#next - 1;
    if (this.#next === 0) this.#begin(first, last);
    if (first > this.#next) {
      const kept = this.#ahead.below(first).length;
      this.#statistics.samplesLost += first - this.#next - kept;
      this.#advance(first);
    }
    this.#highest = Math.max(this.#highest, last);
    this.#announced = Math.max(this.#announced, last);
    if (final && this.#next > this.#highest) return isSame;
    this.#answerDue = true;
    // A writer may wait for the acknowledgement; what is missing may still be on its way.
    if (this.#next > this.#highest) this.#outbox.beforeFlush(this.#acknowledge);
    else this.#respondIn(RESPONSE_DELAY_MS);
    return isSame;
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
    this.#passTo(change.sequence);
    this.#take(change);
  }

  /** Best effort: this is the newest, and what was before it and has not come is lost. */
  #passTo(sequence: number): void {
    if (this.#next > 0) this.#statistics.samplesLost += sequence - this.#next;
    this.#next = sequence;
    this.#reassembly.dropBelow(sequence + 1);
  }

  /** Makes place for a sample of which the first fragment has come; `undefined` when there is none. */
  #beginSample(fragment: DataFragSubmessage, info: SampleInfo): FragmentedSample | undefined {
    const { sequence } = fragment;
    if (this.#reliable) {
      if (this.#isTooFar(sequence)) return undefined;
    } else if (this.#reassembly.size >= MAX_PARTIAL) {
      this.#reassembly.drop(Math.min(...this.#reassembly.sequences()));
    }
    const begin = () => this.#reassembly.begin(fragment, info);
    const sample = begin();
    if (sample !== undefined) return sample;
    this.#dropFarther(sequence);
    return begin();
  }

  /** A sample that is larger than allowed: those behind it do not wait for it. */
  #refuse(sequence: number): void {
    this.#statistics.samplesTooLarge++;
    this.#statistics.samplesLost++;
    if (this.#reliable) {
      this.#skip(sequence, sequence + 1);
      return;
    }
    this.#passTo(sequence);
    this.#next++;
  }

  /** Frees what this writer's samples take that are farther from being delivered than this one. */
  #dropFarther(sequence: number): void {
    if (!this.#reliable) {
      this.#reassembly.dropBelow(sequence);
      return;
    }
    for (const other of this.#reassembly.sequences()) if (other > sequence) this.#reassembly.drop(other);
    this.#ahead.dropAbove(sequence);
  }

  /** Beyond this a sample is dropped here, and asked for again when its turn comes. */
  #isTooFar(sequence: number): boolean {
    return this.#next === 0 ? this.#ahead.size >= WINDOW : sequence >= this.#next + WINDOW;
  }

  #take(change: ReceivedChange): void {
    this.#repeatDelay = REPEAT_MS;
    this.#next++;
    this.#deliver(change);
  }

  #takeAhead(): void {
    while (this.#ahead.has(this.#next) && !this.#closed) {
      const change = this.#ahead.take(this.#next);
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
    this.#reassembly.drop(sequence);
    if (!this.#isTooFar(sequence) && this.#addAhead(sequence, change)) this.#repeatDelay = REPEAT_MS;
    this.#highest = Math.max(this.#highest, sequence);
    if (this.#next > 0) this.#respondIn(RESPONSE_DELAY_MS);
  }

  #addAhead(sequence: number, change: ReceivedChange | undefined): boolean {
    if (this.#ahead.add(sequence, change)) return true;
    this.#dropFarther(sequence);
    return this.#ahead.add(sequence, change);
  }

  /** `start`..`end - 1` will not come. */
  #skip(start: number, end: number): void {
    // A sample before these may have been the last that its user wanted.
    if (this.#closed) return;
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
    for (const sequence of this.#ahead.below(next)) {
      const change = this.#ahead.take(sequence);
      this.#next = sequence;
      if (change === undefined) this.#next++;
      else this.#take(change);
      if (this.#closed) return;
    }
    this.#next = next;
    this.#reassembly.dropBelow(next);
    this.#takeAhead();
  }

  /**
   * Decides where this writer's samples begin for us. A transient-local pair: with the oldest it has. A volatile
   * writer: also, because what it wrote between its match and ours is for us, and it answers with a GAP for what is
   * not. A volatile reader of a transient-local writer: with the oldest that came unasked, else behind the last.
   * What came before is for us all the same, also where the writer's history is short and has it no longer.
   */
  #begin(first: number, last: number): void {
    const historical = this.#protocol.transientLocal || !this.target.transientLocal;
    const unasked = () => Math.min(last + 1, this.#ahead.first, ...this.#reassembly.sequences());
    const start = historical ? first : Math.max(first, unasked());
    this.#next = Math.min(start, this.#ahead.firstChange);
    this.#ahead.dropBelow(this.#next);
    this.#reassembly.dropBelow(this.#next);
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
      this.#respond();
    }, delay);
  }

  #respond(): void {
    if (this.#next === 0) {
      this.#send(1, [], false);
      this.#respondLater();
      return;
    }
    const missing: number[] = [];
    const limit = Math.min(this.#highest, this.#next + SET_SPAN - 1);
    for (let sequence = this.#next; sequence <= limit; sequence++)
      if (!this.#ahead.has(sequence) && this.#reassembly.get(sequence) === undefined) missing.push(sequence);
    const now = performance.now();
    const repeat = this.#requestedUpTo === 0 || now - this.#requestedAt >= REPEAT_MS;
    const asked = repeat ? missing : missing.filter((sequence) => sequence > this.#requestedUpTo);
    if (asked.length > 0) {
      this.#requestedUpTo = asked.at(-1) as number;
      if (repeat) this.#requestedAt = now;
      this.#send(this.#next, asked, false);
    } else if (this.#answerDue) this.#send(this.#next, [], missing.length === 0);
    this.#answerDue = false;
    const fragmentsAsked = this.#requestFragments(now);
    if (asked.length > 0 || fragmentsAsked) this.#respondLater();
    else if (missing.length > 0) this.#respondIn(this.#requestedAt + REPEAT_MS - now);
    else if (this.#reassembly.size > 0) this.#respondIn(QUIET_MS);
  }

  #measure(sample: FragmentedSample): void {
    const roundTrip = sample.takeRoundTrip();
    if (roundTrip !== undefined) this.#roundTrip = Math.max(roundTrip, 0.8 * this.#roundTrip);
  }

  get #fragmentRepeat(): number {
    return Math.min(Math.max(2 * this.#roundTrip, LEAST_REPEAT_MS), REPEAT_MS);
  }

  /** Asks for the fragments that are lost, as many as the sockets can take at once. */
  #requestFragments(now: number): boolean {
    const { target } = this;
    let room = this.#outbox.requestBytes;
    let asked = false;
    for (const sequence of this.#reassembly.sequences()) {
      const sample = this.#reassembly.get(sequence) as FragmentedSample;
      const limit = Math.floor(room / sample.fragmentBytes);
      if (limit < 1 && asked) break;
      // All of it has been sent, or must have been.
      const sent =
        sequence <= this.#announced || sequence < this.#highest || now - sample.lastArrival >= QUIET_MS;
      const missing = sample.request(sent, Math.max(limit, 1), this.#fragmentRepeat);
      if (missing.length === 0) continue;
      room -= missing.length * sample.fragmentBytes;
      asked = true;
      this.#nackFragCount = (this.#nackFragCount + 1) >>> 0;
      this.#outbox.nackFrag(target, this.readerId, target.entityId, sequence, missing, this.#nackFragCount);
    }
    return asked;
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
