import { freeMemory } from '../memory/free-memory';
import { guidOf } from './guid';
import { HeartbeatSchedule } from './heartbeat-schedule';
import { HistoryCache, type HistoryLimits } from './history-cache';
import type { Change } from './message-writer';
import type { Destination, Outbox } from './outbox';
import { type ReaderGroup, ReaderGroups } from './reader-groups';
import { ReaderProxy, type ReaderTarget } from './reader-proxy';
import { SendQueue } from './send-queue';
import type { Statistics } from './statistics';
import type { AckNackSubmessage, NackFragSubmessage } from './submessage';
import { millisecondsSince, now } from './time';

export interface WriterProtocol {
  readonly reliable: boolean;
  readonly transientLocal: boolean;
  readonly history: HistoryLimits;
  /** The sequence number before the first; default 0. */
  readonly startAfter?: number;
}

/** A reader that stays behind is not told of again before. */
const TELL_BEHIND_MS = 10_000;
/** How long readers are told that an instance is gone, in milliseconds: who was lost and is found again may have it still. */
const DISPOSAL_MS = 100_000;
/** How long a reader waits for others of its participant, in milliseconds. */
const AWAIT_OTHERS_MS = 3000;

/**
 * The protocol of a writer towards its matched readers (RTPS 8.4.9): sends, keeps what durability and unacknowledged
 * reliable readers need within the history's limits, sends again what is asked for and a GAP for what is gone or not
 * for that reader, and heartbeats while something is unacknowledged: with each flush, and by time, when a reader has
 * to answer. A writer without reliable readers and without transient-local durability keeps nothing.
 *
 * It waits for no reader: where the history is full, of a depth or of all that its bytes hold, the oldest change goes,
 * acknowledged or not. So a slow or dead reader takes nothing from the others and pins no more than that; it is
 * counted and told.
 *
 * A match is one side's knowledge: the reader may not know the writer yet, and would drop what it is sent. Cyclone DDS
 * even takes the first HEARTBEAT it hears as the place to begin, and what was before it as not for it. So a reliable
 * reader is sent HEARTBEATs that end where its match began until it first answers, and only then the samples since.
 */
export class StatefulWriter {
  readonly entityId: number;
  readonly #protocol: WriterProtocol;
  readonly #outbox: Outbox;
  readonly #statistics: Statistics;
  readonly #onBehind: (readerGuid: string) => void;
  readonly #history: HistoryCache;
  readonly #schedule: HeartbeatSchedule;
  readonly #disposals = new Set<number>();
  readonly #readers = new Map<string, ReaderProxy>();
  readonly #appendHeartbeats = () => this.#heartbeatGroups();
  readonly #groups: ReaderGroups;
  #hasReliableReaders = false;
  #last: number;
  /** What the history gave up for newer changes: all up to here. */
  #gone: number;
  #heartbeatCount = 0;
  #onDone: (() => void) | undefined;

  /** @param onBehind called when the history had to give up changes that a reliable reader has not acknowledged */
  constructor(
    entityId: number,
    protocol: WriterProtocol,
    outbox: Outbox,
    statistics: Statistics,
    onBehind: (readerGuid: string) => void = () => {},
  ) {
    this.entityId = entityId;
    this.#protocol = protocol;
    this.#outbox = outbox;
    this.#statistics = statistics;
    this.#onBehind = onBehind;
    this.#history = new HistoryCache(protocol.history);
    this.#schedule = new HeartbeatSchedule(protocol.history.depth, () => this.#askByTime());
    this.#groups = new ReaderGroups((to) => this.#openQueue(to));
    this.#last = this.#gone = protocol.startAfter ?? 0;
  }

  get matchedCount(): number {
    return this.#readers.size;
  }

  /** The lowest sequence number that can be asked for. */
  get first(): number {
    return this.#history.first ?? this.#last + 1;
  }

  /** How many of the newest changes some reliable reader has not acknowledged. */
  get unacknowledged(): number {
    return this.#last - this.#acknowledged;
  }

  /** Sends to all matched readers at the end of this turn of the event loop. Returns the sequence number. */
  write(payload: Buffer, inlineQos?: Buffer, ownsMemory = false): number {
    return this.#write({
      sequence: ++this.#last,
      timestamp: now(),
      payload,
      keyOnly: false,
      inlineQos,
      ownsMemory,
    });
  }

  /** Tells the readers that an instance is gone, and those that come soon. `inlineQos` has its status. */
  dispose(key: Buffer, inlineQos: Buffer): void {
    this.#disposals.add(this.#last + 1);
    this.#write({ sequence: ++this.#last, timestamp: now(), payload: key, keyOnly: true, inlineQos });
    this.#trim();
  }

  /** Forgets a change: readers that ask for it get a GAP. */
  remove(sequence: number): void {
    this.#history.remove(sequence);
  }

  /** Forgets what was written longer ago than that. Returns the milliseconds until the next change is that old. */
  expire(milliseconds: number): number | undefined {
    for (const change of this.#history) {
      const left = milliseconds - millisecondsSince(change.timestamp);
      if (left > 0) return left;
      this.remove(change.sequence);
    }
    return undefined;
  }

  /** Tells all readers that the writer is alive, by a HEARTBEAT that asks for no answer (RTPS 8.3.8.6.2). */
  assertLiveliness(): void {
    for (const group of this.#groups) this.#heartbeatGroup(group, true, true);
  }

  matchReader(target: ReaderTarget): void {
    const historical = this.#protocol.transientLocal && target.transientLocal;
    const reliable = this.#protocol.reliable && target.reliable;
    const irrelevantUpTo = historical ? this.first - 1 : this.#last;
    const proxy = new ReaderProxy(target, reliable, irrelevantUpTo);
    this.#readers.set(guidOf(target.prefix, target.entityId), proxy);
    this.#regroup();
    if (reliable) {
      this.#invite(proxy);
      this.#schedule.hasten();
    } else {
      this.#sendSinceMatch(proxy);
    }
  }

  unmatchReader(guid: string): void {
    if (!this.#readers.delete(guid)) return;
    this.#regroup();
    this.#trim();
    this.#checkDone();
  }

  ackNack(readerGuid: string, ackNack: AckNackSubmessage): void {
    const proxy = this.#readers.get(readerGuid);
    if (proxy?.reliable !== true) return;
    if (!proxy.ackNacks.accept(ackNack.count)) return;
    if (!proxy.confirmed) {
      if (this.#awaitsOthers(proxy)) return;
      if (!proxy.confirm(ackNack)) {
        const { irrelevantUpTo } = proxy;
        this.#resend(
          proxy,
          ackNack.numbers.filter((sequence) => sequence >= 1 && sequence <= irrelevantUpTo),
        );
        this.#invite(proxy);
        this.#schedule.hasten();
        return;
      }
      this.#regroup();
      this.#sendSinceMatch(proxy);
      this.#heartbeatReader(proxy);
      this.#checkDone();
      return;
    }
    if (ackNack.base - 1 > proxy.acknowledged) {
      proxy.acknowledged = Math.min(ackNack.base - 1, this.#last);
      this.#schedule.hasten();
      this.#queueOf(proxy)?.acknowledged(proxy.acknowledged);
      this.#trim();
      this.#checkDone();
    }
    // Fast DDS begins with base 0, and drops a whole datagram that answers with a GAP from 0.
    const asked = ackNack.numbers.filter((sequence) => sequence >= 1 && sequence <= this.#last);
    if (asked.length > 0) {
      this.#resend(proxy, asked);
      this.#heartbeatReader(proxy);
      this.#schedule.hasten();
    } else if (!ackNack.final) {
      this.#heartbeatReader(proxy);
    }
  }

  /** Sends fragments again, or says that their sample is gone. */
  nackFrag(readerGuid: string, { sequence, numbers, count }: NackFragSubmessage): void {
    const proxy = this.#readers.get(readerGuid);
    if (proxy?.reliable !== true || !proxy.nackFrags.accept(count)) return;
    this.#schedule.hasten();
    const change = this.#relevant(proxy, sequence);
    if (change === undefined) this.#resend(proxy, [sequence]);
    else this.#queueOf(proxy)?.sendFragmentsAgain(proxy.target, proxy.target.entityId, change, numbers);
  }

  /**
   * Calls back, at once or later, when all changes are sent, and acknowledged by the readers that do that, or after so
   * long, in milliseconds. The readers are asked at once.
   */
  whenDone(patience: number, callback: () => void): void {
    if (!this.#isBusy) {
      callback();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      this.#onDone = undefined;
      callback();
    };
    const timer = setTimeout(done, patience);
    this.#onDone = done;
    this.#askByTime();
    this.#schedule.hasten();
  }

  close(): void {
    this.#schedule.close();
    this.#readers.clear();
    this.#regroup();
  }

  #write(change: Change): number {
    if (this.#protocol.transientLocal || this.#hasReliableReaders) {
      const gone = this.#history.add(change);
      if (gone > this.#gone) this.#leaveBehind(gone);
    }
    for (const group of this.#groups) this.#send(group, group.readerId, change);
    if (this.#hasReliableReaders) {
      this.#schedule.written(change.payload.length);
      this.#outbox.beforeFlush(this.#appendHeartbeats);
    } else this.#free(change);
    return change.sequence;
  }

  /** Frees the payload of a change where nobody needs it any more. */
  #free(change: Change): void {
    if (change.ownsMemory !== true || this.#history.get(change.sequence) !== undefined) return;
    for (const { queue } of this.#groups) if (queue.holds(change)) return;
    freeMemory(change.payload);
  }

  #checkDone(): void {
    if (this.#onDone !== undefined && !this.#isBusy) this.#onDone();
  }

  get #isBusy(): boolean {
    return this.unacknowledged > 0 || [...this.#groups].some(({ queue }) => !queue.isEmpty);
  }

  /** Changes up to this sequence number are gone: who has not acknowledged them will get a GAP instead. */
  #leaveBehind(sequence: number): void {
    for (const [guid, proxy] of this.#readers) {
      if (!proxy.reliable || proxy.acknowledged >= sequence) continue;
      this.#statistics.samplesUnacknowledged += sequence - Math.max(proxy.acknowledged, this.#gone);
      const now = performance.now();
      if (now - proxy.toldBehindAt < TELL_BEHIND_MS) continue;
      proxy.toldBehindAt = now;
      this.#onBehind(guid);
    }
    this.#gone = sequence;
  }

  #send(group: ReaderGroup, readerId: number, change: Change): void {
    this.#statistics.samplesSent++;
    group.queue.send(group, readerId, change, group.reliable);
  }

  #sendSinceMatch(proxy: ReaderProxy): void {
    const group = this.#groups.of(proxy);
    if (group === undefined) return;
    for (const change of this.#history)
      if (change.sequence > proxy.irrelevantUpTo) this.#send(group, proxy.target.entityId, change);
  }

  #queueOf(proxy: ReaderProxy): SendQueue | undefined {
    return this.#groups.of(proxy)?.queue;
  }

  /** The change, when it is there and for this reader. */
  #relevant(proxy: ReaderProxy, sequence: number): Change | undefined {
    return sequence > proxy.irrelevantUpTo ? this.#history.get(sequence) : undefined;
  }

  #resend(proxy: ReaderProxy, asked: readonly number[]): void {
    const { target } = proxy;
    let gapStart = 0;
    let gapEnd = 0;
    const closeGap = () => {
      if (gapEnd > gapStart) this.#outbox.gap(target, target.entityId, this.entityId, gapStart, gapEnd);
      gapStart = gapEnd = 0;
    };
    for (const sequence of asked) {
      if (sequence < gapEnd) continue;
      const change = this.#relevant(proxy, sequence);
      if (change !== undefined) {
        closeGap();
        this.#queueOf(proxy)?.sendAgain(target, target.entityId, change);
        continue;
      }
      if (sequence !== gapEnd) {
        closeGap();
        gapStart = sequence;
      }
      // All before the history's first, and all from before the match, is answered at once.
      gapEnd = Math.max(sequence + 1, Math.min(this.first, this.#last + 1), proxy.irrelevantUpTo + 1);
    }
    closeGap();
  }

  /**
   * Tells the reader where its samples begin. Not that older ones are gone which a transient-local reader may get that is
   * not matched yet: Cyclone DDS takes what it is told for one of its readers for all of them. Who asks gets a GAP.
   */
  #invite(proxy: ReaderProxy): void {
    if (this.#awaitsOthers(proxy)) return;
    const { target, irrelevantUpTo } = proxy;
    const own = irrelevantUpTo + 1;
    const first = this.#protocol.transientLocal ? Math.min(this.first, own) : own;
    this.#heartbeat(target, target.entityId, first, irrelevantUpTo);
  }

  /**
   * Whether another reader of its participant still has to get what is not for this one, which Cyclone DDS would ask for
   * no more. One that does not answer keeps others waiting for so long.
   */
  #awaitsOthers({ target, irrelevantUpTo, matchedAt }: ReaderProxy): boolean {
    if (this.first > irrelevantUpTo || performance.now() - matchedAt >= AWAIT_OTHERS_MS) return false;
    return [...this.#readers.values()].some(
      (other) =>
        other.reliable && other.acknowledged < irrelevantUpTo && other.target.prefix === target.prefix,
    );
  }

  /** The highest that a group was sent, or a reader in it: what waits must not be asked for. */
  #lastSent(group: ReaderGroup | undefined): number {
    const unsent = group?.queue.firstUnsent ?? Number.POSITIVE_INFINITY;
    return Math.max(Math.min(this.#last, unsent - 1), this.first - 1);
  }

  #heartbeatReader(proxy: ReaderProxy): void {
    const { target } = proxy;
    this.#heartbeat(target, target.entityId, this.first, this.#lastSent(this.#groups.of(proxy)));
  }

  #heartbeatGroup(group: ReaderGroup, final: boolean, liveliness = false): void {
    const last = this.#lastSent(group);
    for (const readerId of group.heartbeatIds)
      this.#heartbeat(group, readerId, this.first, last, final, liveliness);
  }

  #heartbeat(
    to: Destination,
    readerId: number,
    first: number,
    last: number,
    final = false,
    liveliness = false,
  ): void {
    const count = this.#nextHeartbeatCount();
    this.#outbox.heartbeat(to, readerId, this.entityId, first, last, count, final, liveliness);
  }

  #nextHeartbeatCount(): number {
    this.#heartbeatCount = (this.#heartbeatCount + 1) >>> 0;
    return this.#heartbeatCount;
  }

  #heartbeatGroups(): void {
    const { isDue } = this.#schedule;
    for (const group of this.#groups) {
      if (!group.reliable) continue;
      // Large changes wait for the acknowledgement of those under way.
      const final = !isDue && group.queue.isDone;
      this.#heartbeatGroup(group, final);
    }
    if (isDue) this.#schedule.asked();
  }

  /** Asks the readers that lag behind, and invites those that have yet to answer. */
  #askByTime(): boolean {
    const lagging = [...this.#readers.values()].filter(
      ({ confirmed, acknowledged, reliable }) => !confirmed || (reliable && acknowledged < this.#last),
    );
    for (const proxy of lagging) {
      if (proxy.confirmed) this.#heartbeatReader(proxy);
      else this.#invite(proxy);
    }
    return lagging.length > 0;
  }

  /** All reliable readers have what is up to here. */
  get #acknowledged(): number {
    let acknowledged = this.#last;
    for (const proxy of this.#readers.values())
      if (proxy.reliable) acknowledged = Math.min(acknowledged, proxy.acknowledged);
    return acknowledged;
  }

  /** Drops what no reader can ask for any more. */
  #trim(): void {
    const acknowledged = this.#acknowledged;
    const { transientLocal } = this.#protocol;
    for (const sequence of transientLocal ? this.#disposals : this.#history.sequences()) {
      if (sequence > acknowledged) break;
      const change = this.#history.get(sequence);
      if (transientLocal && change !== undefined && millisecondsSince(change.timestamp) < DISPOSAL_MS) break;
      this.#history.remove(sequence);
      this.#disposals.delete(sequence);
      if (change !== undefined) this.#free(change);
    }
  }

  #regroup(): void {
    const readers = [...this.#readers.values()];
    this.#hasReliableReaders = readers.some(({ reliable }) => reliable);
    this.#groups.regroup(readers);
  }

  #openQueue({ locator }: Destination): SendQueue {
    const { history } = this.#protocol;
    return new SendQueue(this.entityId, locator, this.#outbox, history, this.#statistics, (change) => {
      this.#free(change);
      if (this.#hasReliableReaders) this.#outbox.beforeFlush(this.#appendHeartbeats);
      this.#checkDone();
    });
  }
}
