import type { WillFields } from '../codec/connect-packet';
import type { HeldMemory } from '../held-memory';
import type { Limits } from '../limits';
import type { BrokerStatistics } from '../statistics';
import type { Store, StoredSession } from '../store/store';
import { Session } from './session';

interface OfflineSession {
  session: Session;
  /** On the broker's clock, ms. */
  expiresAt: number;
  will: { fields: WillFields; publishAt: number } | undefined;
  /** When the client left, likewise; of one restored nobody knows. */
  activeAt: number | undefined;
}

/** What the registry tells the broker. */
export interface SessionRegistryListener {
  /** The session is over: its subscriptions must go. */
  ended(session: Session, now: number): void;
  /** A will is due. */
  willDue(fields: WillFields, session: Session, now: number): void;
}

/**
 * The sessions by client identifier: which are resumed, how long those of absent clients are kept, and when a will that
 * waits for its delay is due (MQTT 5.0 sections 3.1.2.11.2, 3.1.3.2.2).
 */
export class SessionRegistry {
  readonly #limits: Limits;
  readonly #statistics: BrokerStatistics;
  readonly #listener: SessionRegistryListener;
  readonly #store: Store;
  readonly #memory: HeldMemory;
  // In the order in which the clients left.
  readonly #offline = new Map<string, OfflineSession>();

  constructor(
    limits: Limits,
    statistics: BrokerStatistics,
    store: Store,
    memory: HeldMemory,
    listener: SessionRegistryListener,
  ) {
    this.#limits = limits;
    this.#memory = memory;
    this.#statistics = statistics;
    this.#store = store;
    this.#listener = listener;
  }

  /** Whether the session of an absent client is kept. */
  has(clientId: string): boolean {
    return this.#offline.has(clientId);
  }

  /** Brings back a session whose client is away. */
  restore({ clientId, owner, store, expiresAt, will, deliveries, received }: StoredSession): Session {
    const session = this.#newSession(clientId, owner);
    session.restore(store, will?.fields, deliveries, received);
    const older = this.#offline.get(clientId);
    // Of a damaged store, which does not say that it ended: nobody could ever resume it.
    if (older !== undefined) this.#listener.ended(older.session, this.#store.clock());
    this.#offline.set(clientId, { session, expiresAt, will, activeAt: undefined });
    return session;
  }

  /**
   * The session for a client that connects; one that is connected already must be detached first. A will that waits is
   * dropped when its session goes on [MQTT-3.1.3-9] and published when a clean start ends it. The session of another
   * user is ended as by a clean start: what waits in it is not for this one.
   */
  open(
    clientId: string,
    owner: string,
    cleanStart: boolean,
    now: number,
  ): { session: Session; present: boolean } {
    const offline = this.#offline.get(clientId);
    if (offline !== undefined) {
      this.#offline.delete(clientId);
      if (!cleanStart && offline.session.owner === owner) return { session: offline.session, present: true };
      this.#end(offline, now);
    }
    return { session: this.#newSession(clientId, owner), present: false };
  }

  /** The sessions whose client is away, with the time when they end. */
  offline(): Iterable<{ session: Session; expiresAt: number; activeAt: number | undefined }> {
    return this.#offline.values();
  }

  /** Sessions whose client is away. */
  get away(): number {
    return this.#offline.size;
  }

  *sessionsAway(): Generator<Session> {
    for (const { session } of this.#offline.values()) yield session;
  }

  /**
   * The session's client is gone.
   * @param expiry seconds that the session is kept
   * @param will when the client left without saying so
   */
  detach(session: Session, expiry: number, will: WillFields | undefined, now: number): void {
    session.detach();
    const delay = will?.properties.willDelayInterval ?? 0;
    const offline: OfflineSession = {
      session,
      expiresAt: now + expiry * 1000,
      will: will === undefined ? undefined : { fields: will, publishAt: now + delay * 1000 },
      activeAt: now,
    };
    if (expiry === 0) {
      this.#end(offline, now);
      return;
    }
    this.#offline.set(session.clientId, offline);
    session.stored?.left(offline.expiresAt, offline.will?.publishAt ?? Number.POSITIVE_INFINITY);
    if (will !== undefined && delay === 0) this.#publishWill(offline, now);
  }

  /** Ends the sessions of clients that have been away longest where there are more than the limit. */
  trim(now: number): void {
    for (const oldest of this.#offline.values()) {
      if (this.#offline.size <= this.#limits.offlineSessions) break;
      this.#offline.delete(oldest.session.clientId);
      this.#statistics.dropped += oldest.session.queued;
      this.#end(oldest, now);
    }
  }

  /** Ends the session of an absent client before its time, and says whether there was one. */
  end(clientId: string, now: number): boolean {
    const offline = this.#offline.get(clientId);
    if (offline === undefined) return false;
    this.#offline.delete(clientId);
    this.#end(offline, now);
    return true;
  }

  /** Publishes the wills and ends the sessions and messages whose time has come. */
  expire(now: number): void {
    for (const offline of this.#offline.values()) {
      if (offline.will !== undefined && offline.will.publishAt <= now) this.#publishWill(offline, now);
      offline.session.dropExpired(now);
      if (offline.expiresAt > now) continue;
      this.#offline.delete(offline.session.clientId);
      this.#statistics.sessionsExpired++;
      this.#end(offline, now);
    }
  }

  #newSession(clientId: string, owner: string): Session {
    const session = new Session(clientId, this.#limits, this.#statistics, this.#store, this.#memory);
    session.owner = owner;
    return session;
  }

  #publishWill(offline: OfflineSession, now: number): void {
    const { will, session } = offline;
    offline.will = undefined;
    if (will === undefined) return;
    session.stored?.left(offline.expiresAt, Number.POSITIVE_INFINITY);
    this.#listener.willDue(will.fields, session, now);
  }

  #end(offline: OfflineSession, now: number): void {
    // The end of the session makes its will due, whatever is left of the delay [MQTT-3.1.2-8].
    this.#publishWill(offline, now);
    this.#listener.ended(offline.session, now);
  }
}
