import { DELIVERY_BYTES, type HeldMemory, STORED_DELIVERY_BYTES } from '../held-memory';
import type { Limits } from '../limits';
import type { BrokerStatistics } from '../statistics';
import type { OutgoingMessage, OutgoingQueue } from './outgoing-queue';
import type { Session } from './session';
import type { SessionOutput } from './session-output';

/** How often a queue is looked through for what has expired, at most, ms. */
const EXPIRY_INTERVAL = 10_000;

/**
 * The room for the messages to one client: what they hold until their deliveries are over, and who goes when the queue
 * is full.
 */
export class OutgoingRoom {
  readonly #session: Session;
  readonly #queue: OutgoingQueue;
  readonly #limits: Limits;
  readonly #statistics: BrokerStatistics;
  readonly #memory: HeldMemory;
  #heldBytes = 0;
  #expiryCheckedAt = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(
    session: Session,
    queue: OutgoingQueue,
    limits: Limits,
    statistics: BrokerStatistics,
    memory: HeldMemory,
  ) {
    this.#session = session;
    this.#queue = queue;
    this.#limits = limits;
    this.#statistics = statistics;
    this.#memory = memory;
  }

  /** Bytes of the messages that wait for the client and of those in flight, without the replayed ones. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A delivery begins. */
  enter(outgoing: OutgoingMessage): void {
    const { message, replayed } = outgoing;
    if (message !== undefined) {
      if (!replayed) this.#heldBytes += message.size;
      this.#memory.hold(message);
    }
    this.#memory.add(memoryOf(outgoing));
  }

  /** The client has the message: lets go of its bytes. */
  release(outgoing: OutgoingMessage): void {
    const { message } = outgoing;
    if (message === undefined) return;
    if (!outgoing.replayed) this.#heldBytes -= message.size;
    this.#memory.release(message);
    outgoing.message = undefined;
  }

  /** The delivery is over. */
  leave(outgoing: OutgoingMessage): void {
    this.release(outgoing);
    this.#memory.remove(memoryOf(outgoing));
    if (outgoing.stored > 0) this.#session.stored?.done(outgoing.stored);
  }

  /** Whether one more message of this size (`Message.size`) may wait. */
  has(size: number): boolean {
    return (
      this.#queue.length - this.#queue.replayed < this.#limits.queuedMessages &&
      (this.#heldBytes === 0 || this.#heldBytes + size <= this.#limits.queuedBytes)
    );
  }

  /**
   * The queue is full: drops what has expired, then what the policy says. Returns whether there is room now; where there
   * is none, the message that there was to be room for is counted as dropped.
   */
  make(size: number, output: SessionOutput | undefined, now: number): boolean {
    this.dropExpired(now);
    if (this.has(size)) return true;
    const { queuePolicy, queuedBytes } = this.#limits;
    while (queuePolicy === 'drop-oldest' && size <= queuedBytes) {
      const oldest = this.#queue.removeOldest();
      if (oldest === undefined) break;
      this.drop();
      this.leave(oldest);
      if (this.has(size)) return true;
    }
    this.drop();
    if (queuePolicy === 'disconnect') output?.overflow('more messages wait than its queue takes');
    return false;
  }

  /** Ends what has expired while it waited: it must not take the room of what has not. */
  dropExpired(now: number): void {
    if (now < this.#queue.earliestExpiry || now < this.#expiryCheckedAt + EXPIRY_INTERVAL) return;
    this.#expiryCheckedAt = now;
    const expired = this.#queue.removeExpired(now);
    this.#statistics.expired += expired.length;
    for (const outgoing of expired) this.leave(outgoing);
  }

  /** Counts a message that a limit keeps from the client. */
  drop(): void {
    this.#statistics.dropped++;
    this.#dropped++;
  }

  /** How many messages limits have kept from the client since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }
}

function memoryOf({ stored }: OutgoingMessage): number {
  return stored > 0 ? DELIVERY_BYTES + STORED_DELIVERY_BYTES : DELIVERY_BYTES;
}
