import { getHeapStatistics } from 'node:v8';
import { parseFilter, topicFilterFault } from '../topic/topic-filter';
import type { Permissions } from './access/permissions';
import { type Capabilities, defaultCapabilities, unavailable } from './capabilities';
import type { WillFields } from './codec/connect-packet';
import type { ProtocolVersion, QoS } from './codec/packet-type';
import { ProtocolError } from './codec/protocol-error';
import { ReasonCode } from './codec/reason-code';
import type { SubscriptionRequest } from './codec/subscribe-packet';
import { HeldMemory, memoryLimit } from './held-memory';
import type { Limits } from './limits';
import { messageOfBroker } from './message';
import { MessageRouter } from './message-router';
import type { MessageWatch } from './message-watch';
import type { Peer } from './peer';
import { Retention } from './retention';
import { RoutingTable, topicSizeFault } from './routing-table';
import type { Session } from './session/session';
import { SessionRegistry } from './session/session-registry';
import type { BrokerStatistics } from './statistics';
import { MemoryStore } from './store/memory-store';
import type { Store } from './store/store';
import type { Subscription } from './subscription';
import { type SysFigures, SysTopics } from './sys-topics';
import { TopicCounts } from './topic-counts';

/** How a client is connected. */
export interface ClientDetails {
  readonly peer: Peer;
  /** Absent for an anonymous client. */
  readonly username: string | undefined;
  readonly version: ProtocolVersion;
  /** Seconds, 0 for none. */
  readonly keepAlive: number;
  /** On the broker's clock, ms. */
  readonly connectedAt: number;
  /** When something last came from it, likewise. */
  readonly activeAt: number;
}

/** The connection of a client, as far as the broker knows it. */
export interface ConnectedClient {
  /** Of its CONNECT among all that have come. */
  readonly order: number;
  readonly session: Session | undefined;
  /** Absent where the broker is the client of another one. */
  readonly details?: ClientDetails;
  /** Ends the connection and lets go of its session at once. */
  end(reasonCode: ReasonCode, reason: string): void;
}

/** What became of a request to subscribe. */
export interface SubscribeResult {
  /** The granted QoS, or why not. */
  reasonCode: ReasonCode;
  /** Why not, in words, where the code alone does not say it. */
  reason?: string;
}

/**
 * The core of the broker: its clients, their sessions and subscriptions, and what it tells of itself. It has no sockets
 * and no clock: times (ms, of a clock that does not jump) come in with the calls.
 */
export class Broker {
  readonly limits: Limits;
  readonly statistics: BrokerStatistics;
  readonly capabilities: Capabilities;
  readonly store: Store;
  readonly memory: HeldMemory;
  readonly retention: Retention;
  readonly router: MessageRouter;
  readonly topics = new TopicCounts();
  readonly #routing: RoutingTable;
  readonly #sysTopics: SysTopics;
  readonly #sessions: SessionRegistry;
  readonly #clients = new Map<string, ConnectedClient>();
  /** Whose session another connection is taking over. */
  #taken: string | undefined;
  #lastOrder = 0;

  /** @param store must be open before `restore` and before the first connection */
  constructor(
    limits: Limits,
    statistics: BrokerStatistics,
    capabilities: Capabilities = defaultCapabilities,
    store: Store = new MemoryStore(),
    watch?: MessageWatch,
  ) {
    this.limits = limits;
    this.statistics = statistics;
    this.capabilities = capabilities;
    this.store = store;
    this.memory = new HeldMemory(memoryLimit(limits.memoryBytes));
    this.#routing = new RoutingTable(limits, this.memory, (topic) => watch?.matches(topic) === true);
    this.retention = new Retention(limits, statistics, store, this.memory);
    const { memory, retention, topics } = this;
    const routing = this.#routing;
    this.router = new MessageRouter({
      routing,
      retention,
      capabilities,
      store,
      memory,
      statistics,
      watch,
      topics,
    });
    this.#sysTopics = new SysTopics(capabilities.sysInterval);
    this.#sessions = new SessionRegistry(limits, statistics, store, this.memory, {
      ended: (session, now) => this.#forget(session, now),
      willDue: (fields, session, now) => this.router.publishWill(fields, session, now),
    });
  }

  /** Takes on what the store has kept: retained messages and the sessions of clients that are away. */
  restore(): void {
    this.retention.restore();
    for (const stored of this.store.sessions()) {
      const session = this.#sessions.restore(stored);
      for (const fields of stored.subscriptions) {
        const subscription = { ...fields, session };
        session.subscriptions.set(fields.filter, subscription);
        this.#routing.add(subscription);
      }
    }
    this.statistics.subscriptions = this.#routing.size;
  }

  /** Whether there is a session under this client identifier. */
  hasSession(clientId: string): boolean {
    return this.#clients.has(clientId) || this.#sessions.has(clientId);
  }

  /** Numbers a CONNECT that has come. */
  nextOrder(): number {
    return ++this.#lastOrder;
  }

  /**
   * Opens or resumes the session of a client. One that is connected under the same client identifier is ended first
   * [MQTT-3.1.4-3]. The session has no output yet: CONNACK must go before its messages. What the client may not have any
   * more is gone from it.
   * @param owner the user, empty for an anonymous client
   * @throws ProtocolError a later CONNECT for the same client identifier was accepted earlier, as its check took less time
   */
  connect(
    clientId: string,
    owner: string,
    permissions: Permissions,
    cleanStart: boolean,
    client: ConnectedClient,
    now: number,
  ): { session: Session; present: boolean } {
    const connected = this.#clients.get(clientId);
    if (connected !== undefined && connected.order > client.order) {
      throw new ProtocolError(
        ReasonCode.clientIdentifierNotValid,
        'a later connection uses the same client identifier',
      );
    }
    this.#taken = clientId;
    connected?.end(ReasonCode.sessionTakenOver, 'another connection uses the same client identifier');
    this.#taken = undefined;
    const opened = this.#sessions.open(clientId, owner, cleanStart, now);
    this.#permit(opened.session, permissions);
    this.#clients.set(clientId, client);
    this.statistics.clients = this.#clients.size;
    return opened;
  }

  /** The connection of a session is over. `expiry` in seconds; `will` when it must be published. */
  disconnect(session: Session, expiry: number, will: WillFields | undefined, now: number): void {
    this.#clients.delete(session.clientId);
    this.statistics.clients = this.#clients.size;
    this.#sessions.detach(session, expiry, will, now);
    // A session that is taken over is away for no time: no other must go for it.
    if (this.#taken !== session.clientId) this.#sessions.trim(now);
    // Of a session that goes on only what somebody else can have at once.
    this.router.passOn(
      session.takeShared((shared) => shared.connected),
      now,
    );
  }

  /** The clients that are connected. */
  *clients(): Generator<{ session: Session; details: ClientDetails }> {
    for (const { session, details } of this.#clients.values()) {
      if (session !== undefined && details !== undefined) yield { session, details };
    }
  }

  /**
   * All sessions, first those of connected clients; those of others with the time on the broker's clock when they end.
   * `activeAt` is when something last came from the client, as far as that was since the broker started.
   */
  *sessions(): Generator<{ session: Session; expiresAt?: number; activeAt?: number | undefined }> {
    for (const { session, details } of this.#clients.values()) {
      if (session !== undefined) yield { session, activeAt: details?.activeAt };
    }
    yield* this.#sessions.offline();
  }

  /** Disconnects a client and says whether it was connected. Its session stays as long as it was granted. */
  endClient(clientId: string, reason: string): boolean {
    const client = this.#clients.get(clientId);
    client?.end(ReasonCode.administrativeAction, reason);
    return client !== undefined;
  }

  /** Ends the session of a client that is away, and says whether there was one. */
  endSession(clientId: string, now: number): boolean {
    return this.#sessions.end(clientId, now);
  }

  /** Says something of the broker below `$SYS/broker/`, where it says anything there at all. */
  announce(name: string, text: string, now: number): void {
    if (this.capabilities.sysInterval > 0) this.#publishSysTopic(`$SYS/broker/${name}`, text, now);
  }

  /**
   * Adds or replaces a subscription; `reasonCode` is for SUBACK, after which comes `retention.replay`.
   * @param local whether the client is one of this process
   */
  subscribe(
    session: Session,
    request: SubscriptionRequest,
    identifier: number,
    local: boolean,
  ): SubscribeResult {
    const { filter, noLocal, retainAsPublished, retainHandling } = request;
    const qos = Math.min(request.qos, this.capabilities.maximumQos) as QoS; // [MQTT-3.2.2-10]
    const reason =
      topicFilterFault(filter) ??
      topicSizeFault('topic filter', filter, Buffer.byteLength(filter), this.limits);
    if (reason !== undefined) return { reasonCode: ReasonCode.topicFilterInvalid, reason };
    if (!session.permissions.maySubscribe(parseFilter(filter).filter)) {
      this.statistics.denied++;
      return { reasonCode: ReasonCode.notAuthorized };
    }
    const fault = unavailable(this.capabilities, filter);
    if (fault !== undefined) return { reasonCode: fault };
    const before = session.subscriptions.get(filter);
    const noRoom =
      session.subscriptions.size >= this.limits.subscriptions ||
      this.memory.level >= (local ? 3 : 2) ||
      (session.stored !== undefined && this.store.full);
    if (before === undefined && noRoom) {
      return { reasonCode: ReasonCode.quotaExceeded };
    }
    const subscription: Subscription = { session, filter, qos, noLocal, retainAsPublished, identifier };
    this.#routing.add(subscription);
    // [MQTT-3.8.4-3]; after the new one, as the last member of a shared subscription would end it.
    if (before !== undefined) this.#routing.remove(before);
    const unsent = before !== undefined && this.retention.unsubscribed(before);
    session.subscriptions.set(filter, subscription);
    session.stored?.subscribed(subscription);
    session.waitForStore();
    this.statistics.subscriptions = this.#routing.size;
    // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    const wantsRetained =
      !filter.startsWith('$share/') && // Section 4.8.2: none at first, and later no more than at first.
      (retainHandling === 0 || (retainHandling === 1 && (before === undefined || unsent)));
    if (wantsRetained) this.retention.subscribed(subscription);
    return { reasonCode: qos };
  }

  /** Removes a subscription and says whether there was one. */
  unsubscribe(session: Session, filter: string): boolean {
    const subscription = session.subscriptions.get(filter);
    if (subscription === undefined) return false;
    session.subscriptions.delete(filter);
    session.stored?.unsubscribed(filter);
    session.waitForStore();
    this.#routing.remove(subscription);
    this.retention.unsubscribed(subscription);
    this.statistics.subscriptions = this.#routing.size;
    return true;
  }

  /** How many subscriptions match a topic name. */
  subscriptionsTo(topic: string): number {
    return this.#routing.subscriptionsTo(topic);
  }

  /** How many sessions there are whose client is away. */
  get away(): number {
    return this.#sessions.away;
  }

  /** The sessions whose client is away. */
  sessionsAway(): Iterable<Session> {
    return this.#sessions.sessionsAway();
  }

  /** Publishes wills, ends sessions and retained messages whose time has come, and tells of itself below `$SYS`. */
  expire(now: number): void {
    this.#sessions.expire(now);
    this.retention.expire(now);
    if (this.#sysTopics.isDue(now)) this.#publishSys(now);
    this.store.tend();
  }

  #permit(session: Session, permissions: Permissions): void {
    const before = session.permissions;
    session.permissions = permissions;
    for (const filter of session.subscriptions.keys()) {
      if (!permissions.maySubscribe(parseFilter(filter).filter)) this.unsubscribe(session, filter);
    }
    if (permissions.restrictsReceiving) session.dropUnreceivable();
    const changed = before.restrictsReceiving || permissions.restrictsReceiving;
    if (changed && session.subscriptions.size > 0) this.#routing.permissionsChanged();
  }

  #publishSys(now: number): void {
    for (const [topic, value] of this.#sysTopics.changes(this.statistics, this.#figures(), now)) {
      this.#publishSysTopic(topic, value, now);
    }
  }

  #figures(): SysFigures {
    let heldMessages = this.retention.count;
    let heldBytes = this.retention.bytes;
    for (const { session } of this.sessions()) {
      heldMessages += session.queued + session.inFlight;
      heldBytes += session.heldBytes;
    }
    const { used_heap_size: used, external_memory: external } = getHeapStatistics();
    return {
      clientsAway: this.#sessions.away,
      sharedSubscriptions: this.#routing.shared,
      heldMessages,
      heldBytes,
      heap: used + external,
    };
  }

  #publishSysTopic(topic: string, text: string, now: number): void {
    const message = messageOfBroker(topic, text);
    this.retention.retainOwn(message);
    this.router.route(message, undefined, now);
  }

  #forget(session: Session, now: number): void {
    for (const subscription of session.subscriptions.values()) {
      this.#routing.remove(subscription);
      this.retention.unsubscribed(subscription);
    }
    this.router.passOn(
      session.takeShared(() => true),
      now,
    );
    session.discard();
    this.statistics.subscriptions = this.#routing.size;
  }
}
