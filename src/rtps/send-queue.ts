import { bytesOf, type HistoryLimits } from './history-cache';
import type { Locator } from './locator';
import { type Change, dataBytes, FRAGMENT_OVERHEAD_BYTES } from './message-writer';
import type { Destination, Outbox } from './outbox';
import type { PacedFlow, PacedSource } from './paced-flow';
import type { Statistics } from './statistics';
import { MESSAGE_HEADER_BYTES, SET_SPAN } from './submessage';

/** Large changes under way that no reader has acknowledged: more would only overrun its receive buffer. */
const MAX_UNDER_WAY_BYTES = 2 * 1024 * 1024;
/** A reader that acknowledges nothing for so long is not waited for. */
const PATIENCE_MS = 50;

interface Delivery {
  readonly to: Destination;
  readonly readerId: number;
  readonly change: Change;
  /** A reader will acknowledge it. */
  readonly acknowledged: boolean;
  /** The fragments that were asked for; all, when not given. */
  readonly fragments?: readonly number[];
}

/**
 * What one writer has to send to one destination: at once what fits a datagram, and paced, in fragments, what does
 * not. A change never overtakes another of its writer, which a best-effort reader would drop.
 */
export class SendQueue implements PacedSource {
  readonly #writerId: number;
  readonly #outbox: Outbox;
  readonly #flow: PacedFlow;
  readonly #locator: Locator;
  readonly #limits: HistoryLimits;
  readonly #statistics: Statistics;
  readonly #onSent: (change: Change) => void;
  readonly #messageBytes: number;
  readonly #deliveries: Delivery[] = [];
  #deliveriesBytes = 0;
  readonly #repairs: Delivery[] = [];
  /** Fragments sent of the first delivery, and of the first repair. */
  #sent = 0;
  #repaired = 0;
  /** The large change whose arrival tells whether the flow may be faster. */
  #watched: number | undefined;
  #watchedIsDamaged = false;
  /** Large changes sent and not acknowledged, in their order. */
  readonly #underWay: Change[] = [];
  #underWayBytes = 0;
  #progressAt = 0;

  /** @param onSent called when a paced delivery is through */
  constructor(
    writerId: number,
    locator: Locator,
    outbox: Outbox,
    limits: HistoryLimits,
    statistics: Statistics,
    onSent: (change: Change) => void,
  ) {
    this.#writerId = writerId;
    this.#locator = locator;
    this.#messageBytes = outbox.messageBytes(locator);
    this.#outbox = outbox;
    this.#flow = outbox.acquireFlow(locator);
    this.#limits = limits;
    this.#statistics = statistics;
    this.#onSent = onSent;
  }

  get isEmpty(): boolean {
    return this.#deliveries.length === 0 && this.#repairs.length === 0;
  }

  /** Whether all large changes are sent, and acknowledged where a reader does that. */
  get isDone(): boolean {
    return this.isEmpty && this.#underWay.length === 0;
  }

  /** The lowest sequence number of those that wait to be sent for the first time. */
  get firstUnsent(): number {
    return this.#deliveries.reduce((first, { change }) => Math.min(first, change.sequence), Infinity);
  }

  /** Whether the change's payload is still needed here, or its length. */
  holds(change: Change): boolean {
    const isIt = (delivery: Delivery) => delivery.change === change;
    return this.#deliveries.some(isIt) || this.#repairs.some(isIt) || this.#underWay.includes(change);
  }

  /** @param acknowledged whether a reader will acknowledge it */
  send(to: Destination, readerId: number, change: Change, acknowledged: boolean): void {
    if (this.#deliveries.length === 0 && !this.#isLarge(change)) {
      this.#outbox.data(to, readerId, this.#writerId, change);
      return;
    }
    this.#deliveries.push({ to, readerId, change, acknowledged });
    this.#deliveriesBytes += bytesOf(change);
    this.#flow.add(this);
    // One that has begun is brought to its end, or a writer that is faster than the network would never finish any.
    const begun = this.#sent > 0 ? 1 : 0;
    while (
      this.#deliveries.length > begun + 1 &&
      (this.#deliveries.length - begun > this.#limits.depth || this.#deliveriesBytes > this.#limits.bytes)
    ) {
      const [dropped] = this.#deliveries.splice(begun, 1) as [Delivery];
      this.#deliveriesBytes -= bytesOf(dropped.change);
      this.#statistics.samplesUnsent++;
    }
  }

  /** Sends a change again, unless it waits to be sent. */
  sendAgain(to: Destination, readerId: number, change: Change): void {
    if (this.#isWaiting(readerId, change.sequence)) return;
    this.#statistics.samplesResent++;
    if (this.#isLarge(change)) {
      this.#damaged(change.sequence, 1);
      this.#repair({ to, readerId, change, acknowledged: true });
    } else this.#outbox.data(to, readerId, this.#writerId, change);
  }

  /** Sends fragments of a change again, except for those that wait to be sent. */
  sendFragmentsAgain(to: Destination, readerId: number, change: Change, numbers: readonly number[]): void {
    const { sequence } = change;
    const total = this.#fragmentsOf(change);
    const [first] = this.#deliveries;
    const sent = first?.change.sequence === sequence ? this.#sent : total;
    if (sent === total && this.#isWaiting(readerId, sequence)) return;
    const waiting = new Set(
      this.#repairs
        .filter((repair) => repair.readerId === readerId && repair.change.sequence === sequence)
        .flatMap(({ fragments }) => fragments ?? []),
    );
    const fragments = numbers.filter((number) => number <= sent && !waiting.has(number));
    if (fragments.length === 0) return;
    this.#statistics.fragmentsResent += fragments.length;
    this.#damaged(sequence, fragments.length / Math.min(total, SET_SPAN));
    this.#repair({ to, readerId, change, acknowledged: true, fragments });
  }

  /** A reader has all up to this sequence number. */
  acknowledged(sequence: number): void {
    this.#landed(sequence);
    if (this.#watched === undefined || sequence < this.#watched) return;
    if (!this.#watchedIsDamaged) this.#flow.rate.grow();
    this.#watched = undefined;
  }

  get waitMs(): number {
    const isBlocked = this.#repairs.length === 0 && this.#underWayBytes >= MAX_UNDER_WAY_BYTES;
    return isBlocked ? Math.max(Math.ceil(this.#progressAt + PATIENCE_MS - performance.now()), 0) : 0;
  }

  sendNext(): number {
    const isRepair = this.#repairs.length > 0;
    const queue = isRepair ? this.#repairs : this.#deliveries;
    const { to, readerId, change, acknowledged, fragments } = queue[0] as Delivery;
    const sent = isRepair ? this.#repaired++ : this.#sent++;
    const total = fragments?.length ?? this.#fragmentsOf(change);
    let bytes: number;
    if (this.#isLarge(change)) {
      if (!isRepair && this.#watched === undefined) {
        this.#watched = change.sequence;
        this.#watchedIsDamaged = false;
      }
      const number = fragments?.[sent] ?? sent + 1;
      const fragmentBytes = this.#fragmentBytesOf(change);
      bytes = Math.min(fragmentBytes, change.payload.length - (number - 1) * fragmentBytes);
      this.#outbox.dataFrag(to, readerId, this.#writerId, change, number, fragmentBytes);
    } else {
      bytes = change.payload.length;
      this.#outbox.data(to, readerId, this.#writerId, change);
    }
    if (sent + 1 < total) return bytes;
    queue.shift();
    if (isRepair) this.#repaired = 0;
    else {
      this.#sent = 0;
      this.#deliveriesBytes -= bytesOf(change);
      if (acknowledged && total > 1) this.#launched(change);
    }
    this.#onSent(change);
    return bytes;
  }

  close(): void {
    this.#deliveries.length = this.#repairs.length = 0;
    this.#flow.remove(this);
    this.#outbox.releaseFlow(this.#locator);
  }

  #launched(change: Change): void {
    // None was acknowledged in time: what is under way from now on counts.
    if (this.#underWayBytes >= MAX_UNDER_WAY_BYTES) this.#landed(change.sequence);
    this.#underWay.push(change);
    this.#underWayBytes += change.payload.length;
    this.#progressAt = performance.now();
  }

  /** All up to this sequence number is under way no longer. */
  #landed(sequence: number): void {
    let [first] = this.#underWay;
    if (first === undefined || first.sequence > sequence) return;
    for (; first !== undefined && first.sequence <= sequence; [first] = this.#underWay) {
      this.#underWay.shift();
      this.#underWayBytes -= first.payload.length;
    }
    this.#progressAt = performance.now();
    this.#flow.resume(this);
  }

  #repair(repair: Delivery): void {
    this.#repairs.push(repair);
    this.#flow.add(this);
  }

  #damaged(sequence: number, part: number): void {
    if (this.#watched === undefined || sequence < this.#watched || this.#watchedIsDamaged) return;
    this.#watchedIsDamaged = true;
    this.#flow.rate.shrink(part);
  }

  #isWaiting(readerId: number, sequence: number): boolean {
    const isIt = (delivery: Delivery) =>
      delivery.change.sequence === sequence && delivery.fragments === undefined;
    return (
      this.#deliveries.some(isIt) ||
      this.#repairs.some((repair) => isIt(repair) && repair.readerId === readerId)
    );
  }

  #isLarge(change: Change): boolean {
    return MESSAGE_HEADER_BYTES + dataBytes(change) > this.#messageBytes;
  }

  /** Each fragment bears the inline QoS of its change. */
  #fragmentBytesOf({ inlineQos }: Change): number {
    return (this.#messageBytes - FRAGMENT_OVERHEAD_BYTES - (inlineQos?.length ?? 0)) & ~3;
  }

  #fragmentsOf(change: Change): number {
    return this.#isLarge(change) ? Math.ceil(change.payload.length / this.#fragmentBytesOf(change)) : 1;
  }
}
