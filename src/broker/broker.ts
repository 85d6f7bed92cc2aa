import { getHeapStatistics } from 'node:v8';
import { parseFilter, topicFilterFault } from '../topic/topic-filter';
import { shown } from '../topic/topic-name';
import type { Permissions } from './access/permissions';
import { type Capabilities, checkOffered, defaultCapabilities, unavailable } from './capabilities';
import type { WillFields } from './codec/connect-packet';
import type { ProtocolVersion, QoS } from './codec/packet-type';
import { ProtocolError } from './codec/protocol-error';
import type { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import type { SubscriptionRequest } from './codec/subscribe-packet';
import { HeldMemory, memoryLimit } from './held-memory';
import type { Limits } from './limits';
import { type Message, messageOf, messageOfBroker, messageOfWill, messageSizeOf } from './message';
import { MessageSlabs } from './message-slab';
import type { MessageWatch } from './message-watch';
import type { Peer } from './peer';
import { RetainedMessages } from './retained-messages';
import { RetainedReplay } from './retained-replay';
import { RoutingTable, type TopicEntry, topicSizeFault } from './routing-table';
import type { Session, SharedMessage } from './session/session';
import { SessionRegistry } from './session/session-registry';
import type { SharedSubscription } from './shared-subscription';
import type { BrokerStatistics } from './statistics';
import { MemoryStore } from './store/memory-store';
import type { Store } from './store/store';
import type { Subscription } from './subscription';
import { type SysFigures, SysTopics } from './sys-topics';
import { bears } from './upstream/passage-stamp';

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
 * The core of the broker: sessions, subscriptions, retained messages, and who gets what. It has no sockets and no
 * clock: times (ms, of a clock that does not jump) come in with the calls.
 */
export class Broker {
  readonly limits: Limits;
  readonly statistics: BrokerStatistics;
  readonly capabilities: Capabilities;
  readonly store: Store;
  /** Encoded properties that messages bear which have left by an upstream. */
  leavingStamps: readonly Buffer[] = [];
  readonly #watch: MessageWatch | undefined;
  readonly memory: HeldMemory;
  readonly slabs = new MessageSlabs();
  readonly #routing: RoutingTable;
  readonly #retained: RetainedMessages;
  readonly #sysTopics: SysTopics;
  /** What is retained below `$SYS`, apart from what clients have published. */
  readonly #sysRetained: RetainedMessages;
  readonly #replays = new RetainedReplay((subscription) => this.#replay(subscription));
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
    this.#watch = watch;
    this.memory = new HeldMemory(memoryLimit(limits.memoryBytes));
    this.#routing = new RoutingTable(limits, this.memory, (topic) => watch?.matches(topic) === true);
    this.#sysRetained = new RetainedMessages(1000, 1024 * 1024, this.memory);
    this.#sysTopics = new SysTopics(capabilities.sysInterval);
    this.#retained = new RetainedMessages(limits.retainedMessages, limits.retainedBytes, this.memory);
    this.#sessions = new SessionRegistry(limits, statistics, store, this.memory, {
      ended: (session, now) => this.#forget(session, now),
      willDue: (fields, session, now) => this.#publishWill(fields, session, now),
    });
  }

  /** Takes on what the store has kept: retained messages and the sessions of clients that are away. */
  restore(): void {
    for (const message of this.store.retainedMessages()) {
      if (this.#retained.set(message)) continue;
      // The limits are lower than they were.
      this.store.retainedRemoved(message.topic);
      this.statistics.dropped++;
    }
    for (const stored of this.store.sessions()) {
      const session = this.#sessions.restore(stored);
      for (const fields of stored.subscriptions) {
        const subscription = { ...fields, session };
        session.subscriptions.set(fields.filter, subscription);
        this.#routing.add(subscription);
      }
    }
    this.statistics.retained = this.#retained.count;
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
    this.#passOn(
      session.takeShared((shared) => shared.connected),
      now,
    );
  }

  /**
   * The topic of a received PUBLISH that names it.
   * @throws ProtocolError the topic name is not valid
   */
  topicAt(bytes: Buffer, start: number, end: number): TopicEntry {
    return this.#routing.entryAt(bytes, start, end);
  }

  /**
   * Whether a PUBLISH leaves something to be kept in the store before it can be acknowledged.
   * @param publisher absent when it comes from the application that the broker runs in
   */
  mustKeep(view: PublishView, entry: TopicEntry, publisher: Session | undefined): boolean {
    if (view.qos === 0) return false;
    if (view.retain || (view.qos === 2 && publisher?.stored !== undefined)) return true;
    this.#routing.refresh(entry);
    if (entry.shared.some((shared) => shared.stored)) return true;
    return entry.recipients.some(
      ({ session, delivery, own }) =>
        session.stored !== undefined && ((session === publisher ? own : delivery)?.qos ?? 0) > 0,
    );
  }

  /**
   * Whether a received PUBLISH would have to be held, for who does not take it at once, while there is no memory for
   * that. At QoS 0 it need not be held: it is dropped for those.
   * @param publisher absent when it comes from the application that the broker runs in
   * @param local whether it comes from this process
   */
  mustRefuse(view: PublishView, entry: TopicEntry, publisher: Session | undefined, local: boolean): boolean {
    if (this.memory.level < (local ? 3 : 2) || view.qos === 0) return false;
    if (view.retain && view.payloadEnd > view.payloadStart) return true;
    if (view.qos === 2 && publisher?.mayNotOpen(view.packetId) === true) return true;
    this.#routing.refresh(entry);
    if (entry.shared.some((shared) => !shared.ready)) return true;
    return entry.recipients.some(
      ({ session, delivery, own }) =>
        ((session === publisher ? own : delivery)?.qos ?? 0) > 0 && !session.ready,
    );
  }

  /**
   * Delivers a received PUBLISH to all who subscribed to its topic, and retains it when it says so.
   * @param aliasedTopic the bytes of the topic name, when the packet names the topic by an alias only
   * @param v5 whether the packet is one of MQTT 5
   */
  publish(
    view: PublishView,
    entry: TopicEntry,
    aliasedTopic: Buffer | undefined,
    publisher: Session,
    v5: boolean,
    now: number,
  ): void {
    this.#routing.refresh(entry);
    this.statistics.denied += entry.withheld;
    // Made only when needed: at QoS 0 a message mostly goes out straight from the packet it came in.
    let message: Message | undefined;
    const size = messageSizeOf(view, aliasedTopic);
    const inPlace = aliasedTopic === undefined && view.propertiesUnchanged;
    if (view.retain) {
      message = this.#messageOf(view, entry, aliasedTopic, publisher.clientId, now);
      this.#retain(message);
    }
    if (entry.watched) {
      if (!inPlace) message ??= this.#messageOf(view, entry, aliasedTopic, publisher.clientId, now);
      const expiry = message?.remainingExpiry(now) ?? -1;
      this.#watch?.published(message ?? view, entry.topic, view.qos, view.retain, expiry, publisher.clientId);
    }
    for (let index = 0; index < entry.shared.length; index++) {
      const member = (entry.shared[index] as SharedSubscription).next(entry.topic);
      if (member === undefined) continue;
      const { delivery } = member;
      const { session } = member.subscription;
      const qos = Math.min(view.qos, delivery.qos) as QoS;
      if (qos === 0 && inPlace && session.forward(view, delivery, v5)) continue;
      if (!session.accepts(size, qos, now)) continue;
      message ??= this.#messageOf(view, entry, aliasedTopic, publisher.clientId, now);
      session.deliver(message, qos, view.retain && delivery.retainAsPublished, delivery, now);
    }
    const recipients = entry.recipients;
    for (let index = 0; index < recipients.length; index++) {
      const recipient = recipients[index] as (typeof recipients)[number];
      const { session } = recipient;
      const delivery = session === publisher ? recipient.own : recipient.delivery;
      if (delivery === undefined) continue; // [MQTT-3.8.3-3]
      const qos = Math.min(view.qos, delivery.qos) as QoS;
      if (qos === 0 && inPlace && session.forward(view, delivery, v5)) continue;
      if (!session.accepts(size, qos, now)) continue;
      message ??= this.#messageOf(view, entry, aliasedTopic, publisher.clientId, now);
      session.deliver(message, qos, view.retain && delivery.retainAsPublished, delivery, now);
    }
  }

  /**
   * Publishes a message of the application that the broker runs in.
   * @throws ProtocolError a client would not be allowed to either
   */
  publishOwn(view: PublishView, now: number): void {
    checkOffered(this.capabilities, view);
    const entry = this.topicAt(view.bytes, view.topicStart, view.topicEnd);
    if (entry.reserved) {
      throw new ProtocolError(
        ReasonCode.notAuthorized,
        `topic "${shown(entry.topic)}" is for the broker alone`,
      );
    }
    if (this.store.full && this.mustKeep(view, entry, undefined)) {
      throw new ProtocolError(ReasonCode.quotaExceeded, 'there is no room to keep the message');
    }
    // One to retain would be delivered and not kept from the earlier level on, of which nobody would hear.
    if (this.mustRefuse(view, entry, undefined, !view.retain)) {
      throw new ProtocolError(
        ReasonCode.quotaExceeded,
        'there is no memory left for messages that have to wait',
      );
    }
    const message = this.#messageOf(view, entry, undefined, '', now);
    if (message.retain) this.#retain(message);
    this.#route(message, undefined, now);
  }

  /** The clients that are connected. */
  *clients(): Generator<{ session: Session; details: ClientDetails }> {
    for (const { session, details } of this.#clients.values()) {
      if (session !== undefined && details !== undefined) yield { session, details };
    }
  }

  /** All sessions, first those of connected clients; those of others with the time on the broker's clock when they end. */
  *sessions(): Generator<{ session: Session; expiresAt?: number }> {
    for (const { session } of this.#clients.values()) if (session !== undefined) yield { session };
    yield* this.#sessions.offline();
  }

  /** The first retained messages that match a valid filter. */
  retainedMessages(filter: string, now: number, most: number): Message[] {
    return this.#retainedFor(filter).match(filter, now, most);
  }

  /** Removes the first retained messages of clients that match a valid filter, and says how many. */
  clearRetained(filter: string, now: number, most: number): number {
    const messages = this.#retained.match(filter, now, most);
    for (const { topic } of messages) {
      this.#retained.remove(topic);
      this.store.retainedRemoved(topic);
    }
    this.statistics.retained = this.#retained.count;
    return messages.length;
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

  /**
   * Delivers a message that came in by an upstream, and retains it when it says so.
   * @throws ProtocolError the topic name is beyond the limits
   */
  publishMessage(message: Message, publisher: Session, now: number): void {
    this.topicAt(message.bytes, message.topicStart, message.topicEnd);
    if (message.retain) this.#retain(message);
    this.#route(message, publisher, now);
  }

  /** Whether a received PUBLISH has left this broker by an upstream before. */
  hasLeft(view: PublishView): boolean {
    return this.leavingStamps.some((stamp) => bears(view, stamp));
  }

  /** Says something of the broker below `$SYS/broker/`, where it says anything there at all. */
  announce(name: string, text: string, now: number): void {
    if (this.capabilities.sysInterval > 0) this.#publishSysTopic(`$SYS/broker/${name}`, text, now);
  }

  /**
   * Adds or replaces a subscription; `reasonCode` is for SUBACK, after which comes `replay`.
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
    const unsent = before !== undefined && this.#replays.remove(before);
    session.subscriptions.set(filter, subscription);
    session.stored?.subscribed(subscription);
    session.waitForStore();
    this.statistics.subscriptions = this.#routing.size;
    // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    const wantsRetained =
      !filter.startsWith('$share/') && // Section 4.8.2: none at first, and later no more than at first.
      (retainHandling === 0 || (retainHandling === 1 && (before === undefined || unsent)));
    if (wantsRetained) this.#replays.add(subscription);
    return { reasonCode: qos };
  }

  /** Sends what is retained for new subscriptions, now or soon. */
  replay(): void {
    this.#replays.run();
  }

  /** Removes a subscription and says whether there was one. */
  unsubscribe(session: Session, filter: string): boolean {
    const subscription = session.subscriptions.get(filter);
    if (subscription === undefined) return false;
    session.subscriptions.delete(filter);
    session.stored?.unsubscribed(filter);
    session.waitForStore();
    this.#routing.remove(subscription);
    this.#replays.remove(subscription);
    this.statistics.subscriptions = this.#routing.size;
    return true;
  }

  /** The sessions whose client is away. */
  sessionsAway(): Iterable<Session> {
    return this.#sessions.sessionsAway();
  }

  /** Publishes wills, ends sessions and retained messages whose time has come, and tells of itself below `$SYS`. */
  expire(now: number): void {
    this.#sessions.expire(now);
    for (const topic of this.#retained.expire(now)) {
      this.store.retainedRemoved(topic);
      this.statistics.expired++;
    }
    this.statistics.retained = this.#retained.count;
    if (this.#sysTopics.isDue(now)) this.#publishSys(now);
    this.store.tend();
  }

  #replay(subscription: Subscription): number {
    const { session, filter, noLocal, identifier, retainAsPublished } = subscription;
    const identifiers = identifier > 0 ? [identifier] : [];
    const retained = this.#retainedFor(filter);
    const now = this.store.clock();
    const { visited } = retained;
    const messages = retained.match(filter, now);
    for (const message of messages) {
      if (noLocal && message.publisher === session.clientId) continue;
      if (!session.permissions.mayReceive(message.topic)) {
        this.statistics.denied++;
        continue;
      }
      const qos = Math.min(message.qos, subscription.qos) as QoS;
      if (qos > 0 || session.connected) session.replay(message, { qos, retainAsPublished, identifiers }, now);
    }
    return retained.visited - visited + messages.length;
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

  #retainedFor(filter: string): RetainedMessages {
    return filter.startsWith('$SYS') ? this.#sysRetained : this.#retained;
  }

  #messageOf(
    view: PublishView,
    { topic }: TopicEntry,
    aliasedTopic: Buffer | undefined,
    publisher: string,
    now: number,
  ): Message {
    return messageOf(view, topic, aliasedTopic, publisher, now, this.slabs);
  }

  #retain(message: Message): void {
    message.compact();
    const removes = message.payloadEnd === message.payloadStart; // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    const noRoom = this.store.full || this.memory.level >= 2;
    if (removes || noRoom || !this.#retained.set(message)) {
      this.#retained.remove(message.topic);
      this.store.retainedRemoved(message.topic);
      if (!removes) this.statistics.dropped++;
    } else {
      this.store.retained(message);
    }
    this.statistics.retained = this.#retained.count;
  }

  #publishWill(fields: WillFields, session: Session, now: number): void {
    const message = messageOfWill(fields, session.clientId, now);
    if (message.retain) this.#retain(message);
    this.#route(message, session, now);
  }

  /** Delivers a message that did not come in a PUBLISH. */
  #route(message: Message, publisher: Session | undefined, now: number): void {
    const entry = this.#routing.entryAt(message.bytes, message.topicStart, message.topicEnd);
    this.statistics.denied += entry.withheld;
    if (entry.watched) {
      const { topic, qos, retain, publisher: clientId } = message;
      this.#watch?.published(message, topic, qos, retain, message.remainingExpiry(now), clientId);
    }
    for (const shared of entry.shared) this.#deliverShared({ shared, message }, now);
    for (const { session, own, delivery: usual } of entry.recipients) {
      const delivery = session === publisher ? own : usual;
      if (delivery === undefined) continue;
      const qos = Math.min(message.qos, delivery.qos) as QoS;
      if (!session.accepts(message.size, qos, now)) continue;
      session.deliver(message, qos, message.retain && delivery.retainAsPublished, delivery, now);
    }
  }

  #publishSys(now: number): void {
    for (const [topic, value] of this.#sysTopics.changes(this.statistics, this.#figures(), now)) {
      this.#publishSysTopic(topic, value, now);
    }
  }

  #figures(): SysFigures {
    let heldMessages = this.#retained.count;
    let heldBytes = this.#retained.bytes;
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
    this.#sysRetained.set(message);
    this.#route(message, undefined, now);
  }

  #deliverShared({ shared, message }: SharedMessage, now: number): void {
    const member = shared.next(message.topic);
    if (member === undefined) return;
    const { delivery } = member;
    const { session } = member.subscription;
    const qos = Math.min(message.qos, delivery.qos) as QoS;
    if (!session.accepts(message.size, qos, now)) return;
    session.deliver(message, qos, message.retain && delivery.retainAsPublished, delivery, now);
  }

  #passOn(messages: readonly SharedMessage[], now: number): void {
    for (const one of messages) this.#deliverShared(one, now);
  }

  #forget(session: Session, now: number): void {
    for (const subscription of session.subscriptions.values()) {
      this.#routing.remove(subscription);
      this.#replays.remove(subscription);
    }
    this.#passOn(
      session.takeShared(() => true),
      now,
    );
    session.discard();
    this.statistics.subscriptions = this.#routing.size;
  }
}
