import { MAX_TIMER_MS } from './deadline';
import type { EndpointData } from './endpoint-data';
import { prefixOf } from './guid';
import { LivelinessKind } from './qos';

interface WatchedWriter {
  readonly guid: string;
  readonly prefix: string;
  kind: number;
  lease: number;
  /** When it last showed that it is alive. */
  asserted: number;
  alive: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** A lease that is shorter is checked no more often. */
const MIN_CHECK_MS = 10;

export interface WriterLivelinessListener {
  livelinessChanged(writerGuid: string, alive: boolean): void;
  /** When anything last came from the participant, on the clock of `performance.now()`. */
  lastSeen(prefix: string): number;
}

/**
 * Tells which of the writers that readers of ours are matched with are alive (DDS 1.4, 2.2.3.11): those that showed it
 * within the lease that they offer. A sample shows it for its writer; what else does depends on the kind: automatic,
 * all that its participant sends; manual by participant, a word of the participant for all of its writers of that
 * kind; manual by topic, a HEARTBEAT of the writer that says so.
 */
export class WriterLiveliness {
  readonly #listener: WriterLivelinessListener;
  readonly #writers = new Map<string, WatchedWriter>();

  constructor(listener: WriterLivelinessListener) {
    this.#listener = listener;
  }

  /** Watches a writer that was matched, or has changed its lease. */
  watch({ guid, policies }: EndpointData): void {
    const { livelinessKind: kind, livelinessLease: lease } = policies;
    if (lease === Number.POSITIVE_INFINITY) {
      this.unwatch(guid);
      return;
    }
    const known = this.#writers.get(guid);
    if (known !== undefined) {
      Object.assign(known, { kind, lease });
      this.#check(known);
      return;
    }
    const writer: WatchedWriter = {
      guid,
      prefix: prefixOf(guid),
      kind,
      lease,
      asserted: performance.now(),
      alive: true,
      timer: undefined,
    };
    this.#writers.set(guid, writer);
    this.#check(writer);
  }

  /** Of a writer that no reader is matched with any more. */
  unwatch(guid: string): void {
    clearTimeout(this.#writers.get(guid)?.timer);
    this.#writers.delete(guid);
  }

  /** This writer showed that it is alive. */
  asserted(guid: string): void {
    const writer = this.#writers.get(guid);
    if (writer !== undefined) this.#assert(writer);
  }

  /** A participant said it for all of its writers of a kind. */
  participantAsserted(prefix: string, kind: number): void {
    for (const writer of this.#writers.values())
      if (writer.prefix === prefix && writer.kind === kind) this.#assert(writer);
  }

  close(): void {
    for (const { timer } of this.#writers.values()) clearTimeout(timer);
    this.#writers.clear();
  }

  #assert(writer: WatchedWriter): void {
    writer.asserted = performance.now();
    if (!writer.alive) this.#check(writer);
  }

  #check(writer: WatchedWriter): void {
    clearTimeout(writer.timer);
    const latest =
      writer.kind === LivelinessKind.automatic
        ? Math.max(writer.asserted, this.#listener.lastSeen(writer.prefix))
        : writer.asserted;
    const left = latest + writer.lease - performance.now();
    const alive = left > 0;
    const delay = Math.min(Math.max(alive ? left : writer.lease, MIN_CHECK_MS), MAX_TIMER_MS);
    writer.timer = setTimeout(() => this.#check(writer), Math.ceil(delay));
    if (alive === writer.alive) return;
    writer.alive = alive;
    this.#listener.livelinessChanged(writer.guid, alive);
  }
}
