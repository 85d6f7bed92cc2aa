import { topicFilterFault } from '../topic/topic-filter';
import { topicNameFault } from '../topic/topic-name';
import {
  type ConnectionSettings,
  type ConnectionStatistics,
  type ConnectionStatus,
  furtherSession,
  type Post,
  type PostOutcome,
  type PublishOptions,
  type PublishReceipt,
  type QoS,
  type SubscribeOptions,
} from './connection-settings';
import { PublishError, SubscribeError } from './errors';
import { FilterSubscription, Member, SLOTS, type SubscriptionListener } from './filter-subscription';
import { copiedProperties, messagePropertiesFault, topicAliasFault } from './message-properties';
import { MqttSession } from './mqtt-session';
import { SessionSubscriptions } from './session-subscriptions';

export type {
  Acknowledgement,
  Announcement,
  ConnectionSettings,
  ConnectionState,
  ConnectionStatistics,
  ConnectionStatus,
  Endpoint,
  MessageProperties,
  PasswordSource,
  Post,
  PostOutcome,
  ProxySettings,
  PublishOptions,
  PublishReceipt,
  QoS,
  QueueSettings,
  ReceivedMessage,
  SubscribeOptions,
  TlsFiles,
  Will,
} from './connection-settings';
export type { SubscriptionListener } from './filter-subscription';
export { isLent, kept } from './lent-bytes';

const MAIN = 1;
/** Sessions that overlapping filters may take where the broker does not identify subscriptions. */
const MAX_SESSIONS = 8;
const TOO_MANY_SESSIONS = `it overlaps others, the broker does not tell subscriptions apart, and ${MAX_SESSIONS} sessions are in use`;
/** How long a filter stays subscribed after its last listener has left, in ms: a redeployed node takes it up again. */
const LINGER_MS = 500;
/** How long close() waits for UNSUBACK, in ms. */
const UNSUBSCRIBE_MS = 1000;

/** A listener's place on a filter. */
export interface Subscription {
  /** Nothing is delivered after this call. The filter is unsubscribed soon, unless another listener is on it. */
  close(): void;
  /** From soon on messages may come with this QoS, if it is more; retained ones do not come again. */
  raise(qos: QoS): void;
}

interface Place {
  readonly subscription: FilterSubscription;
  readonly session: number;
}

/**
 * A shared connection to one MQTT broker: any number of users publish and subscribe over it, and each listener gets
 * each message that matches its filter exactly once, whatever other filters there are and whatever the broker does
 * with overlapping ones.
 *
 * On MQTT 5 that is one session, with a subscription identifier per filter. On MQTT 3.1.1, and on MQTT 5 brokers
 * without subscription identifiers, a broker may send one copy per overlapping subscription [MQTT-3.3.5-1], and a copy
 * cannot be told from a genuine repetition. There a filter that overlaps one already subscribed gets another session
 * (client id with "-2", "-3", ...), so that no session ever has two filters for one topic.
 */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #sessions = new Map<number, SessionSubscriptions>();
  readonly #byFilter = new Map<string, Place>();
  /** Sessions that were given up and may still be closing. */
  readonly #closing = new Map<number, Promise<unknown>>();
  readonly #slots = new Set<number>();
  readonly #problemListeners = new Set<(error: Error) => void>();
  readonly #statusListeners = new Set<(status: ConnectionStatus) => void>();
  #identified: boolean;
  #state: 'new' | 'open' | 'closed' = 'new';

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#identified = settings.protocolVersion === 5;
    this.#sessions.set(MAIN, this.#newSession(MAIN));
  }

  get status(): ConnectionStatus {
    return this.#session(MAIN).session.status;
  }

  /** Whether it connects or is connected: open() has been called, and neither disconnect() nor close() since. */
  get wanted(): boolean {
    return this.#state === 'open';
  }

  get protocolVersion(): ConnectionSettings['protocolVersion'] {
    return this.#settings.protocolVersion;
  }

  /** Calls the listener with the present status at once and with each change; returns what removes it. */
  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    this.#statusListeners.add(listener);
    listener(this.status);
    return () => this.#statusListeners.delete(listener);
  }

  /**
   * Calls the listener with what can be told to nobody else: messages of the queue on disk that end badly after their
   * publishers have heard that they are safe, and what is wrong with the disk. Returns what removes it.
   */
  onProblem(listener: (error: Error) => void): () => void {
    this.#problemListeners.add(listener);
    return () => this.#problemListeners.delete(listener);
  }

  /** Messages that wait, are under way or were lost. */
  get statistics(): ConnectionStatistics {
    let unprocessedDropped = 0;
    for (const { subscription } of this.#byFilter.values()) unprocessedDropped += subscription.dropped;
    let unrouted = 0;
    for (const session of this.#sessions.values()) unrouted += session.unrouted;
    return { ...this.#session(MAIN).session.statistics, unprocessedDropped, unrouted };
  }

  /** Starts connecting and keeps connected until disconnect() or close(); also what ends a disconnect(). */
  open(): void {
    if (this.#state === 'closed') return;
    this.#state = 'open';
    for (const { session } of this.#sessions.values()) session.open();
  }

  /** Without connecting, takes up the queue on disk, if there is one: from here on what is published is kept there. */
  openQueue(): void {
    if (this.#state === 'new') this.#session(MAIN).session.openQueue();
  }

  /**
   * Disconnects until open() is called again; subscriptions are kept, and what is published meanwhile waits in the
   * queue. Waits a bounded time for acknowledgements first, and publishes the closing message.
   */
  async disconnect(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'new';
    await Promise.all([...this.#sessions.values()].map(({ session }) => session.disconnect()));
  }

  /**
   * Has nothing more read until `resume`, or until the connection is another: the broker keeps what it sends, or drops
   * it. Acknowledgements wait as well, so that is for a connection which only listens.
   */
  pause(): void {
    for (const { session } of this.#sessions.values()) session.pause();
  }

  resume(): void {
    for (const { session } of this.#sessions.values()) session.resume();
  }

  /** Asks the broker for a sign of life. Resolves with the ms that it took; rejects with NotConnectedError. */
  ping(): Promise<number> {
    return this.#session(MAIN).session.ping();
  }

  /** Waits a bounded time for what is being published, rejects the rest, disconnects. It cannot be opened again. */
  async close(): Promise<void> {
    if (this.#settings.unsubscribeOnClose && this.#state === 'open') await this.#unsubscribeAll();
    this.#state = 'closed';
    for (const { subscription } of this.#byFilter.values()) {
      clearTimeout(subscription.lingering);
      for (const { acknowledged } of subscription.members) acknowledged?.close();
    }
    await Promise.all([
      ...this.#closing.values(),
      ...[...this.#sessions.values()].map(({ session }) => session.close()),
    ]);
  }

  /**
   * Publishes one message. Resolves after PUBACK (QoS 1), PUBCOMP (QoS 2) or when it is written (QoS 0); with a queue on
   * disk, QoS 1 and 2 resolve as soon as the message is there.
   * Rejects with PublishError or NotConnectedError: an invalid topic name, alias or property, the broker's refusal or what it
   * has said that it does not take, no connection for as long or as many messages as the queue settings allow, a
   * broker that ends the connection over it again and again, or the connection closed before the acknowledgement.
   */
  publish(topic: string, payload: Buffer | string, options: PublishOptions): Promise<PublishReceipt> {
    const { properties, topicAlias } = options;
    const fault =
      topicNameFault(topic) ??
      (properties && messagePropertiesFault(properties)) ??
      (topicAlias === undefined ? undefined : topicAliasFault(topicAlias));
    if (fault !== undefined) return Promise.reject(new PublishError(topic, fault));
    return this.#session(MAIN).session.publish(topic, payload, {
      ...options,
      ...(properties !== undefined && { properties: copiedProperties(properties) }),
    });
  }

  /**
   * Sends a message of QoS 0 with the next turn of the loop, or not at all: for many messages of which the newest counts
   * more than the last one's fate. Nothing is queued but in the network's buffers, and nothing is promised.
   */
  post(message: Post): PostOutcome {
    return this.#session(MAIN).session.post(message);
  }

  /**
   * Subscribes now and again after each reconnect. `listener.result` hears what came of it: nothing after SUBACK,
   * or a SubscribeError for a bad filter, options that cannot be had, or the broker's refusal.
   */
  subscribe(filter: string, options: SubscribeOptions, listener: SubscriptionListener): Subscription {
    const fault = this.#subscribeFault(filter, options, listener.owner);
    const place =
      fault === undefined
        ? (this.#byFilter.get(filter) ?? this.#place(new FilterSubscription(filter, this.#slotFor(filter))))
        : undefined;
    if (place === undefined) {
      queueMicrotask(() => listener.result?.(new SubscribeError(filter, fault ?? TOO_MANY_SESSIONS)));
      return { close() {}, raise() {} };
    }
    const { subscription, session } = place;
    const member = new Member(options, listener);
    subscription.join(member);
    this.#session(session).request(subscription);
    return {
      close: () => this.#leave(subscription, member),
      raise: (qos) => this.#raise(subscription, member, qos),
    };
  }

  /** For as long as a broker that does not answer deserves. */
  async #unsubscribeAll(): Promise<void> {
    const left = [...this.#sessions.values()].flatMap(({ session, all }) =>
      [...all].map(({ filter }) => session.unsubscribe(filter)),
    );
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      Promise.all(left),
      new Promise((resolve) => {
        timer = setTimeout(resolve, UNSUBSCRIBE_MS);
      }),
    ]);
    clearTimeout(timer);
  }

  #subscribeFault(filter: string, options: SubscribeOptions, owner?: string): string | undefined {
    if (this.#settings.protocolVersion !== 5 && (options.noLocal || options.retainAsPublished)) {
      return 'No Local and Retain As Published need MQTT 5';
    }
    // A broker would have to end the connection [MQTT-3.8.3-4].
    if (options.noLocal && filter.startsWith('$share/')) return 'a shared subscription cannot have No Local';
    return topicFilterFault(filter) ?? this.#byFilter.get(filter)?.subscription.conflict(options, owner);
  }

  #raise(subscription: FilterSubscription, member: Member, qos: QoS): void {
    const place = this.#byFilter.get(subscription.filter);
    if (!subscription.members.has(member) || place?.subscription !== subscription) return;
    if (qos <= member.options.qos) return;
    member.options = { ...member.options, qos };
    this.#session(place.session).renew(subscription);
  }

  #leave(subscription: FilterSubscription, member: Member): void {
    if (!subscription.members.has(member)) return;
    subscription.leave(member);
    if (subscription.members.size > 0) return;
    // A closed connection leaves a session that is to be kept its subscriptions.
    if (this.#state === 'closed') return;
    subscription.lingering = setTimeout(() => this.#drop(subscription), LINGER_MS);
  }

  #drop(subscription: FilterSubscription): void {
    const { filter } = subscription;
    subscription.giveUp();
    const number = this.#byFilter.get(filter)?.session ?? MAIN;
    const home = this.#session(number);
    this.#byFilter.delete(filter);
    this.#slots.delete(subscription.slot);
    void home.leave(subscription).then(() => {
      if (number === MAIN || home.all.size > 0 || this.#sessions.get(number) !== home) return undefined;
      this.#sessions.delete(number);
      const closed = Promise.all([this.#closing.get(number), home.session.close()]);
      this.#closing.set(number, closed);
      return closed;
    });
  }

  /** Gives a filter its session, or none when it would take too many. */
  #place(subscription: FilterSubscription): Place | undefined {
    let session = MAIN;
    while (!this.#identified && this.#sessions.get(session)?.overlaps(subscription.topicFilter) === true)
      session++;
    if (session > MAX_SESSIONS) return undefined;
    if (!this.#sessions.has(session)) {
      const added = this.#newSession(session);
      this.#sessions.set(session, added);
      void this.#openAfter(this.#closing.get(session), added.session);
    }
    this.#session(session).add(subscription);
    this.#slots.add(subscription.slot);
    const place = { subscription, session };
    this.#byFilter.set(subscription.filter, place);
    return place;
  }

  /** Two sessions of one client id would throw each other out, and only one can have what is on the disk. */
  async #openAfter(predecessor: Promise<unknown> | undefined, session: MqttSession): Promise<void> {
    if (predecessor !== undefined) await predecessor;
    if (this.#state === 'open') session.open();
  }

  // A number that depends on the filter, so that what a kept session has queued finds its filter after a restart.
  #slotFor(filter: string): number {
    let hash = 0x811c9dc5;
    for (const byte of Buffer.from(filter)) hash = Math.imul(hash ^ byte, 0x01000193);
    let slot = (hash >>> 0) % SLOTS;
    while (slot === 0 || this.#slots.has(slot)) slot = (slot + 1) % SLOTS;
    return slot;
  }

  #newSession(number: number): SessionSubscriptions {
    const settings = this.#settings;
    const session: MqttSession = new MqttSession(
      // What the connection says of itself, it says once.
      number === MAIN ? settings : furtherSession(settings, `-${number}`, `session-${number}`),
      {
        status: (status) =>
          number === MAIN ? this.#onStatus(status) : this.#onExtraStatus(subscriptions, status),
        problem: (error) => {
          for (const listener of [...this.#problemListeners]) listener(error);
        },
        ready: (resumed) => {
          if (number === MAIN) this.#noteIdentifiers();
          subscriptions.ready(resumed);
        },
        message: (packet, hold) => subscriptions.route(packet, hold),
      },
    );
    const subscriptions = new SessionSubscriptions(session, () => this.#identified);
    return subscriptions;
  }

  #session(number: number): SessionSubscriptions {
    const session = this.#sessions.get(number);
    if (session === undefined) throw new RangeError(`the connection has no session ${number}`);
    return session;
  }

  /** An MQTT 5 broker has said in CONNACK that it knows no subscription identifiers: overlapping filters part. */
  #noteIdentifiers(): void {
    const main = this.#session(MAIN);
    if (!this.#identified || main.session.brokerProperties.subscriptionIdentifiersAvailable !== false) return;
    this.#identified = false;
    const present = [...main.all];
    for (const subscription of present) main.delete(subscription);
    for (const subscription of present) {
      const place = this.#place(subscription);
      if (place?.session === MAIN) continue;
      if (subscription.acknowledged) void main.session.unsubscribe(subscription.filter);
      subscription.acknowledged = false;
      for (const member of subscription.members) {
        member.generation = undefined;
        if (place === undefined)
          member.listener.result?.(new SubscribeError(subscription.filter, TOO_MANY_SESSIONS));
      }
    }
  }

  #onStatus(status: ConnectionStatus): void {
    for (const listener of [...this.#statusListeners]) listener(status);
  }

  /** What a second session cannot do is the trouble of its subscriptions alone. */
  #onExtraStatus(home: SessionSubscriptions, { state, reason }: ConnectionStatus): void {
    if (state !== 'error') return;
    for (const { filter, members } of home.all) {
      const error = new SubscribeError(
        filter,
        `the further session that overlapping filters need: ${reason}`,
      );
      for (const { listener } of members) listener.result?.(error);
    }
  }
}
