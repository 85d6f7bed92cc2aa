import type { WillFields } from '../codec/connect-packet';
import type { QoS } from '../codec/packet-type';
import type { Message } from '../message';
import { type Durability, Journal } from './journal';
import { JournalDirectory } from './journal-directory';
import type { JournalRecord } from './journal-record';
import type { SessionStore, Store, StoredSession, SubscriptionFields } from './store';
import { deliveriesOf, type KeptSession, StoredState } from './stored-state';

/** How often the journal notes the time while it keeps sessions, ms. */
const CLOCK_INTERVAL = 60_000;
/** A difference between the system's clock and ours that is a jump, ms. */
const CLOCK_JUMP = 1000;
/** Time between two attempts to write again after a fault, ms. */
const RECOVERY_INTERVAL = 2000;

export interface JournalSettings {
  directory: string;
  durability: Durability;
  /** Bytes of all that is kept, beyond which the store is full. */
  maximumBytes: number;
  /** Bytes that the journal may grow, besides twice what is kept, before it is written anew. */
  compactionBytes?: number;
  /** Milliseconds of a clock that does not jump. */
  monotonic?: () => number;
  /** Milliseconds since the epoch. */
  wall?: () => number;
}

/**
 * Keeps what the broker tells it in an append-only journal, which is replaced now and then by a snapshot of what it says.
 * Its memory is bounded by `maximumBytes`, its files by some four times as much and `compactionBytes`.
 *
 * Its clock goes on where it stood when the last broker ended, plus the time that passed since by the system's clock;
 * when that was set back meanwhile, or jumps while the broker runs, the time kept here does not.
 */
export class JournalStore implements Store {
  readonly #directory: JournalDirectory;
  readonly #maximumBytes: number;
  readonly #compactionBytes: number;
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  readonly #state = new StoredState();
  readonly #journal: Journal;
  #listener: () => void = () => {};
  #offset = 0;
  #endedAt = 0;
  #commitDue = false;
  #compacting: Promise<void> | undefined;
  #compactedAt = 0;
  #recoverAt = 0;
  #closed = false;

  constructor(settings: JournalSettings) {
    const { directory, durability, maximumBytes, compactionBytes, monotonic, wall } = settings;
    this.#directory = new JournalDirectory(directory);
    this.#maximumBytes = maximumBytes;
    this.#compactionBytes = compactionBytes ?? 16 * 1024 * 1024;
    this.#monotonic = monotonic ?? (() => performance.now());
    this.#wall = wall ?? (() => Date.now());
    this.#journal = new Journal(directory, durability, () => this.#listener());
  }

  get position(): number {
    return this.#journal.position;
  }

  get durable(): number {
    return this.#journal.durable;
  }

  get fault(): string | undefined {
    return this.#journal.fault;
  }

  get full(): boolean {
    return this.fault !== undefined || this.#state.bytes >= this.#maximumBytes;
  }

  readonly clock = () => this.#monotonic() + this.#offset;

  async open(listener: () => void): Promise<string[]> {
    await this.#directory.open();
    const damage = this.#directory.load(this.#state);
    const found = this.#directory.lastNumber > 0;
    const wall = this.#wall();
    const { clock, latestTime } = this.#state;
    const now = found && latestTime > 0 ? Math.max(latestTime, clock.time + wall - clock.wall) : wall;
    this.#offset = now - this.#monotonic();
    // The last sign of life may be this much older than the end.
    this.#endedAt = Math.min(now, latestTime + CLOCK_INTERVAL);
    this.#listener = listener;
    // Nothing is added to files that were read: their ends may be torn.
    if (found) void this.#compact();
    else this.#startFile();
    return damage;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#journal.writing) this.#noteClock();
    this.#journal.commit();
    await this.#compacting;
    this.#journal.close();
    await this.#directory.close();
  }

  *sessions(): Generator<StoredSession> {
    for (const kept of this.#state.sessions.values()) yield this.#storedSession(kept);
  }

  retainedMessages(): Iterable<Message> {
    return this.#state.retained();
  }

  newSession(clientId: string, owner: string): SessionStore {
    const session = this.#state.nextId();
    this.#append({ type: 'session', session, clientId, owner });
    return new JournalSession(session, this.#append, this.#queue);
  }

  retained(message: Message): void {
    this.#append({ type: 'retained', message: this.#idOf(message) });
  }

  retainedRemoved(topic: string): void {
    if (this.#state.isRetained(topic)) this.#append({ type: 'retained-removed', topic });
  }

  commit(): void {
    this.#journal.commit();
    const grown = this.#journal.bytes - this.#compactedAt;
    if (grown > this.#compactionBytes + 2 * this.#state.bytes) void this.#compact();
  }

  tend(): void {
    const now = this.clock();
    const { time, wall } = this.#state.clock;
    const jump = Math.abs(this.#wall() - wall - (now - time)) > CLOCK_JUMP;
    if (jump || (now - time >= CLOCK_INTERVAL && this.#state.sessions.size > 0)) this.#noteClock();
    if (this.fault !== undefined && now >= this.#recoverAt) void this.#compact();
  }

  readonly #append = (record: JournalRecord): void => {
    this.#journal.append(record);
    this.#state.apply(record);
    if (this.#commitDue) return;
    this.#commitDue = true;
    setImmediate(() => {
      this.#commitDue = false;
      this.commit();
    });
  };

  readonly #queue = (session: number, message: Message, options: QueueOptions): number => {
    const id = this.#idOf(message);
    const delivery = this.#state.nextId();
    this.#append({ type: 'queued', delivery, session, message: id, ...options });
    return delivery;
  };

  /** The number of a message, which is written when it is new. */
  #idOf(message: Message): number {
    const known = this.#state.idOf(message);
    if (known !== undefined) return known;
    const id = this.#state.nextId();
    this.#append({ type: 'message', id, message });
    return id;
  }

  #noteClock(): void {
    this.#append({ type: 'clock', time: this.clock(), wall: this.#wall() });
  }

  #startFile(): number {
    const number = this.#directory.nextNumber();
    this.#journal.startFile(this.#directory.journalPath(number));
    this.#noteClock();
    return number;
  }

  #compact(): Promise<void> {
    this.#compacting ??= this.#replaceFiles().finally(() => {
      this.#compacting = undefined;
      this.#compactedAt = this.#journal.bytes;
      this.#recoverAt = this.clock() + RECOVERY_INTERVAL;
      this.#listener();
    });
    return this.#compacting;
  }

  /** Begins a new file and takes a snapshot of what came before it, while the broker goes on. Never rejects. */
  async #replaceFiles(): Promise<void> {
    const recovers = this.fault !== undefined;
    let number: number | undefined;
    let complete = false;
    try {
      number = this.#startFile();
      const records = this.#state.records(this.#state.highestId);
      complete = await this.#directory.writeSnapshot(
        number,
        records,
        () => this.#closed || !this.#journal.writing,
      );
      if (!complete) return;
      this.#journal.recovered();
      this.#directory.removeBefore(number);
    } catch (error) {
      // The files before are still there and are tried to be replaced later; only with a fault there is nothing to add to.
      if (this.fault !== undefined || !this.#journal.writing) this.#journal.fail(error);
    } finally {
      // What is in it follows on something that could not be written.
      if (recovers && !complete && number !== undefined) this.#directory.removeJournal(number);
    }
  }

  #storedSession(kept: KeptSession): StoredSession {
    const { id, clientId, owner, expiry, will, subscriptions, received } = kept;
    // One that was connected to the end lost its connection then.
    const delay = Math.min(will?.properties.willDelayInterval ?? 0, expiry);
    const left = kept.left ?? {
      expiresAt: this.#endedAt + expiry * 1000,
      willAt: this.#endedAt + delay * 1000,
    };
    return {
      clientId,
      owner,
      store: new JournalSession(id, this.#append, this.#queue),
      expiresAt: left.expiresAt,
      will:
        will === undefined || left.willAt === Number.POSITIVE_INFINITY
          ? undefined
          : { fields: will, publishAt: left.willAt },
      subscriptions: subscriptions.values(),
      deliveries: deliveriesOf(kept),
      received,
    };
  }
}

type QueueOptions = Pick<
  Extract<JournalRecord, { type: 'queued' }>,
  'qos' | 'retain' | 'identifiers' | 'replayed'
>;

class JournalSession implements SessionStore {
  readonly #session: number;
  readonly #append: (record: JournalRecord) => void;
  readonly #queue: (session: number, message: Message, options: QueueOptions) => number;

  constructor(
    session: number,
    append: (record: JournalRecord) => void,
    queue: (session: number, message: Message, options: QueueOptions) => number,
  ) {
    this.#session = session;
    this.#append = append;
    this.#queue = queue;
  }

  connected(expiry: number, will: WillFields | undefined): void {
    this.#append({ type: 'connected', session: this.#session, expiry, will });
  }

  left(expiresAt: number, willAt: number): void {
    this.#append({ type: 'left', session: this.#session, expiresAt, willAt });
  }

  subscribed({ filter, qos, noLocal, retainAsPublished, identifier }: SubscriptionFields): void {
    this.#append({
      type: 'subscribed',
      session: this.#session,
      subscription: { filter, qos, noLocal, retainAsPublished, identifier },
    });
  }

  unsubscribed(filter: string): void {
    this.#append({ type: 'unsubscribed', session: this.#session, filter });
  }

  queued(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    replayed: boolean,
  ): number {
    return this.#queue(this.#session, message, { qos, retain, identifiers, replayed });
  }

  sent(delivery: number, packetId: number): void {
    this.#append({ type: 'sent', delivery, packetId });
  }

  taken(delivery: number): void {
    this.#append({ type: 'taken', delivery });
  }

  done(delivery: number): void {
    this.#append({ type: 'done', delivery });
  }

  received(packetId: number): void {
    this.#append({ type: 'received', session: this.#session, packetId });
  }

  released(packetId: number): void {
    this.#append({ type: 'released', session: this.#session, packetId });
  }

  ended(): void {
    this.#append({ type: 'ended', session: this.#session });
  }
}
