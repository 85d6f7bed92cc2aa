import { Deadline } from './deadline';
import type { EndpointData } from './endpoint-data';
import type { Policies } from './qos';
import type { ReceivedChange } from './received-change';
import type { Statistics } from './statistics';
import type { WriterTarget } from './writer-proxy';

/** A matched writer as its reader's policies see it. */
interface Source {
  readonly guid: string;
  strength: number;
  lifespan: number;
  /** Whether each sample is to be told to the watch over its liveliness. */
  hasLease: boolean;
}

export interface ReceptionListener {
  /** No sample came for another period; `total` since the reader was made. */
  deadlineMissed(total: number): void;
  /** A writer that is watched wrote. */
  asserted(writerGuid: string): void;
}

/** A writer whose samples reach the reader's user, but not over the network. */
export interface NeighbourWriter {
  /** A sample has come. */
  wrote(): void;
  gone(): void;
}

/**
 * What a reader's policies make of the samples that come, beyond their order and completeness: those that are too old
 * (LIFESPAN), and with exclusive ownership those of all writers but the owner, are not delivered; and it watches the
 * DEADLINE. The topic has no key, so it has one instance, and that one owner and one deadline.
 */
export class Reception {
  readonly #exclusive: boolean;
  readonly #statistics: Statistics;
  readonly #listener: ReceptionListener;
  readonly #sources = new Map<WriterTarget, Source>();
  readonly #deadline: Deadline | undefined;
  #owner: Source | undefined;
  #neighbours = 0;
  #missed = 0;

  constructor({ exclusive, deadline }: Policies, statistics: Statistics, listener: ReceptionListener) {
    this.#exclusive = exclusive;
    this.#statistics = statistics;
    this.#listener = listener;
    if (deadline === Number.POSITIVE_INFINITY) return;
    this.#deadline = new Deadline(deadline, () => {
      // An owner that misses it gives way to others (DDS 1.4, 2.2.3.9.2).
      this.#owner = undefined;
      this.#listener.deadlineMissed(++this.#missed);
    });
  }

  /** A writer was matched, or a matched one has changed its QoS. */
  setWriter(target: WriterTarget, { guid, policies }: EndpointData): void {
    const { ownershipStrength: strength, lifespan, livelinessLease } = policies;
    const hasLease = livelinessLease < Number.POSITIVE_INFINITY;
    const source = this.#sources.get(target) ?? { guid, strength, lifespan, hasLease };
    this.#sources.set(target, Object.assign(source, { strength, lifespan, hasLease }));
  }

  /** A writer is not alive: others may own the topic. */
  suspendWriter(target: WriterTarget): void {
    if (this.#owner === this.#sources.get(target)) this.#owner = undefined;
  }

  removeWriter(target: WriterTarget): void {
    this.suspendWriter(target);
    this.#sources.delete(target);
    this.#stopAlone();
  }

  /** A writer of the same participant was matched: its samples meet the deadline as well. */
  addNeighbour(): NeighbourWriter {
    this.#neighbours++;
    return {
      wrote: () => this.#deadline?.met(),
      gone: () => {
        this.#neighbours--;
        this.#stopAlone();
      },
    };
  }

  /** The writer's GUID when the sample is to be delivered. */
  accept(target: WriterTarget, { timestamp }: ReceivedChange): string | undefined {
    const source = this.#sources.get(target);
    if (source === undefined) return undefined;
    if (source.hasLease) this.#listener.asserted(source.guid);
    if (source.lifespan < Number.POSITIVE_INFINITY && isOlder(timestamp, source.lifespan)) {
      this.#statistics.samplesExpired++;
      return undefined;
    }
    if (this.#exclusive && !this.#owns(source)) {
      this.#statistics.samplesNotOwned++;
      return undefined;
    }
    this.#deadline?.met();
    return source.guid;
  }

  close(): void {
    this.#deadline?.stop();
    this.#sources.clear();
    this.#owner = undefined;
  }

  #stopAlone(): void {
    if (this.#sources.size + this.#neighbours === 0) this.#deadline?.stop();
  }

  /** Whether the writer that wrote is, or by that becomes, the owner: the strongest, then the one of the lowest GUID. */
  #owns(source: Source): boolean {
    const owner = this.#owner;
    if (
      owner === undefined ||
      source.strength > owner.strength ||
      (source.strength === owner.strength && source.guid < owner.guid)
    )
      this.#owner = source;
    return this.#owner === source;
  }
}

/** Whether a sample was written longer ago than that, by the clock of its writer; without a time it is not known. */
function isOlder(timestamp: bigint | undefined, milliseconds: number): boolean {
  if (timestamp === undefined) return false;
  return Date.now() - Number(timestamp / 1000n) / 1000 > milliseconds;
}
