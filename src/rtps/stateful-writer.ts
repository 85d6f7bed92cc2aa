import { EntityId, guidOf } from './guid';
import { HistoryCache } from './history-cache';
import type { Change } from './message-writer';
import type { Destination, Outbox } from './outbox';
import type { Statistics } from './statistics';
import type { AckNackSubmessage } from './submessage';
import { SubmessageCount } from './submessage-count';
import { now } from './time';

/** A matched remote reader. */
export interface ReaderTarget extends Destination {
  readonly entityId: number;
  readonly reliable: boolean;
  readonly transientLocal: boolean;
}

export interface WriterProtocol {
  readonly reliable: boolean;
  readonly transientLocal: boolean;
  /** Changes kept at most. */
  readonly depth: number;
}

interface ReaderProxy {
  readonly target: ReaderTarget;
  /** What was written up to here, before the match, is gone or not for this reader. */
  readonly irrelevantUpTo: number;
  readonly ackNacks: SubmessageCount;
  /** Whether it is known to know this writer; a best-effort reader never tells. */
  confirmed: boolean;
  acknowledged: number;
}

/** The confirmed readers of one remote participant behind one locator: they share each DATA. */
interface ReaderGroup extends Destination {
  /** The only reader, else ENTITYID_UNKNOWN: all matched readers there. */
  readonly readerId: number;
  readonly reliable: boolean;
}

const FIRST_HEARTBEAT_MS = 50;
const LAST_HEARTBEAT_MS = 1000;

/**
 * The protocol of a writer towards its matched readers (RTPS 8.4.9): sends, keeps what durability and unacknowledged
 * reliable readers need within the history's depth, sends again what is asked for and a GAP for what is gone or not
 * for that reader, and heartbeats while something is unacknowledged. A writer without reliable readers and without
 * transient-local durability keeps nothing.
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
  readonly #history: HistoryCache;
  readonly #disposals = new Set<number>();
  readonly #readers = new Map<string, ReaderProxy>();
  readonly #appendHeartbeats = () => this.#heartbeatGroups();
  #groups: ReaderGroup[] = [];
  #hasReliableReaders = false;
  #last = 0;
  #heartbeatCount = 0;
  #heartbeatTimer: NodeJS.Timeout | undefined;
  #heartbeatDelay = FIRST_HEARTBEAT_MS;

  constructor(entityId: number, protocol: WriterProtocol, outbox: Outbox, statistics: Statistics) {
    this.entityId = entityId;
    this.#protocol = protocol;
    this.#outbox = outbox;
    this.#statistics = statistics;
    this.#history = new HistoryCache(protocol.depth);
  }

  get matchedCount(): number {
    return this.#readers.size;
  }

  /** Sends to all matched readers at the end of this turn of the event loop. Returns the sequence number. */
  write(payload: Buffer): number {
    return this.#write({
      sequence: ++this.#last,
      timestamp: now(),
      payload,
      keyOnly: false,
      inlineQos: undefined,
    });
  }

  /** Tells the readers that an instance is gone. `inlineQos` has its status; it is kept until all know. */
  dispose(key: Buffer, inlineQos: Buffer): void {
    this.#disposals.add(this.#last + 1);
    this.#write({ sequence: ++this.#last, timestamp: now(), payload: key, keyOnly: true, inlineQos });
    this.#trim();
  }

  /** Forgets a change: readers that ask for it get a GAP. */
  remove(sequence: number): void {
    this.#history.remove(sequence);
  }

  matchReader(target: ReaderTarget): void {
    const historical = this.#protocol.transientLocal && target.transientLocal;
    const reliable = this.#isReliable(target);
    const irrelevantUpTo = historical ? this.#first - 1 : this.#last;
    const proxy: ReaderProxy = {
      target,
      irrelevantUpTo,
      ackNacks: new SubmessageCount(),
      confirmed: !reliable,
      acknowledged: irrelevantUpTo,
    };
    this.#readers.set(guidOf(target.prefix, target.entityId), proxy);
    this.#regroup();
    if (reliable) {
      this.#invite(proxy);
      this.#heartbeatDelay = FIRST_HEARTBEAT_MS;
      this.#armHeartbeat();
    } else {
      this.#sendSinceMatch(proxy);
    }
  }

  unmatchReader(guid: string): void {
    if (!this.#readers.delete(guid)) return;
    this.#regroup();
    this.#trim();
  }

  ackNack(readerGuid: string, ackNack: AckNackSubmessage): void {
    const proxy = this.#readers.get(readerGuid);
    if (proxy === undefined || !this.#isReliable(proxy.target)) return;
    if (!proxy.ackNacks.accept(ackNack.count)) return;
    if (!proxy.confirmed) {
      proxy.confirmed = true;
      this.#regroup();
      this.#invite(proxy);
      this.#sendSinceMatch(proxy);
      this.#heartbeat(proxy.target, proxy.target.entityId);
      return;
    }
    if (ackNack.base - 1 > proxy.acknowledged) {
      proxy.acknowledged = Math.min(ackNack.base - 1, this.#last);
      this.#heartbeatDelay = FIRST_HEARTBEAT_MS;
      this.#trim();
    }
    // Fast DDS begins with base 0, and drops a whole datagram that answers with a GAP from 0.
    const asked = ackNack.numbers.filter((sequence) => sequence >= 1 && sequence <= this.#last);
    if (asked.length > 0) {
      this.#resend(proxy, asked);
      this.#heartbeat(proxy.target, proxy.target.entityId);
    } else if (!ackNack.final) {
      this.#heartbeat(proxy.target, proxy.target.entityId);
    }
  }

  close(): void {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = undefined;
    this.#readers.clear();
    this.#regroup();
  }

  #write(change: Change): number {
    if (this.#protocol.transientLocal || this.#hasReliableReaders) this.#history.add(change);
    for (const group of this.#groups) this.#send(group, group.readerId, change);
    if (this.#hasReliableReaders) {
      this.#outbox.beforeFlush(this.#appendHeartbeats);
      this.#heartbeatDelay = FIRST_HEARTBEAT_MS;
      this.#armHeartbeat();
    }
    return change.sequence;
  }

  #send(to: Destination, readerId: number, change: Change): void {
    this.#statistics.samplesSent++;
    this.#outbox.data(to, readerId, this.entityId, change);
  }

  #sendSinceMatch({ target, irrelevantUpTo }: ReaderProxy): void {
    for (const change of this.#history)
      if (change.sequence > irrelevantUpTo) this.#send(target, target.entityId, change);
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
      const change = sequence > proxy.irrelevantUpTo ? this.#history.get(sequence) : undefined;
      if (change !== undefined) {
        closeGap();
        this.#statistics.samplesResent++;
        this.#outbox.data(target, target.entityId, this.entityId, change);
        continue;
      }
      if (sequence !== gapEnd) {
        closeGap();
        gapStart = sequence;
      }
      // All before the history's first, and all from before the match, is answered at once.
      gapEnd = Math.max(sequence + 1, Math.min(this.#first, this.#last + 1), proxy.irrelevantUpTo + 1);
    }
    closeGap();
  }

  get #first(): number {
    return this.#history.first ?? this.#last + 1;
  }

  #isReliable(target: ReaderTarget): boolean {
    return this.#protocol.reliable && target.reliable;
  }

  /** Tells the reader where its samples begin. */
  #invite({ target, irrelevantUpTo }: ReaderProxy): void {
    this.#heartbeat(target, target.entityId, irrelevantUpTo + 1, irrelevantUpTo);
  }

  #heartbeat(to: Destination, readerId: number, first = this.#first, last = this.#last): void {
    this.#heartbeatCount = (this.#heartbeatCount + 1) >>> 0;
    this.#outbox.heartbeat(to, readerId, this.entityId, first, last, this.#heartbeatCount, false);
  }

  #heartbeatGroups(): void {
    for (const group of this.#groups) if (group.reliable) this.#heartbeat(group, group.readerId);
  }

  #armHeartbeat(): void {
    if (this.#heartbeatTimer !== undefined) return;
    this.#heartbeatTimer = setTimeout(() => {
      this.#heartbeatTimer = undefined;
      const lagging = [...this.#readers.values()].filter(
        ({ confirmed, acknowledged, target }) =>
          !confirmed || (this.#isReliable(target) && acknowledged < this.#last),
      );
      if (lagging.length === 0) return;
      for (const proxy of lagging) {
        if (proxy.confirmed) this.#heartbeat(proxy.target, proxy.target.entityId);
        else this.#invite(proxy);
      }
      this.#heartbeatDelay = Math.min(2 * this.#heartbeatDelay, LAST_HEARTBEAT_MS);
      this.#armHeartbeat();
    }, this.#heartbeatDelay);
  }

  /** Drops what no reader can ask for any more. */
  #trim(): void {
    let acknowledged = this.#last;
    for (const proxy of this.#readers.values())
      if (this.#isReliable(proxy.target)) acknowledged = Math.min(acknowledged, proxy.acknowledged);
    const { transientLocal } = this.#protocol;
    for (const sequence of transientLocal ? this.#disposals : this.#history.sequences()) {
      if (sequence > acknowledged) break;
      this.#history.remove(sequence);
      this.#disposals.delete(sequence);
    }
  }

  #regroup(): void {
    const groups = new Map<string, ReaderGroup>();
    this.#hasReliableReaders = false;
    for (const { target, confirmed } of this.#readers.values()) {
      if (this.#isReliable(target)) this.#hasReliableReaders = true;
      if (!confirmed) continue;
      const key = target.prefix + target.locator.key;
      const group = groups.get(key);
      const reliable = this.#isReliable(target);
      groups.set(key, {
        prefix: target.prefix,
        locator: target.locator,
        readerId: group === undefined ? target.entityId : EntityId.unknown,
        reliable: reliable || group?.reliable === true,
      });
    }
    this.#groups = [...groups.values()];
  }
}
