import { parseFilter, topicFilterFault } from '../topic/topic-filter';
import type { WillFields } from './codec/connect-packet';
import type { QoS } from './codec/packet-type';
import type { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import type { SubscriptionRequest } from './codec/subscribe-packet';
import type { Limits } from './limits';
import { type Message, messageOf, messageOfWill } from './message';
import { RetainedMessages } from './retained-messages';
import { RoutingTable, type TopicEntry, topicSizeFault } from './routing-table';
import type { Session } from './session/session';
import { SessionRegistry } from './session/session-registry';
import type { BrokerStatistics } from './statistics';
import type { Subscription } from './subscription';

/** The connection of a client, as far as the broker knows it. */
export interface ConnectedClient {
  /** Ends the connection and lets go of its session at once. */
  end(reasonCode: ReasonCode, reason: string): void;
}

/** What became of a request to subscribe. */
export interface SubscribeResult {
  /** The granted QoS, or why not. */
  reasonCode: ReasonCode;
  /** The subscription, when what is retained for it must be sent after SUBACK. */
  wantsRetained?: Subscription;
}

/**
 * The core of the broker: sessions, subscriptions, retained messages, and who gets what. It has no sockets and no
 * clock: times (ms, of a clock that does not jump) come in with the calls.
 */
export class Broker {
  readonly limits: Limits;
  readonly statistics: BrokerStatistics;
  readonly #routing: RoutingTable;
  readonly #retained: RetainedMessages;
  readonly #sessions: SessionRegistry;
  readonly #clients = new Map<string, ConnectedClient>();

  constructor(limits: Limits, statistics: BrokerStatistics) {
    this.limits = limits;
    this.statistics = statistics;
    this.#routing = new RoutingTable(limits);
    this.#retained = new RetainedMessages(limits.retainedMessages, limits.retainedBytes);
    this.#sessions = new SessionRegistry(limits, statistics, {
      ended: (session) => this.#forget(session),
      willDue: (fields, session, now) => this.#publishWill(fields, session, now),
    });
  }

  /**
   * Opens or resumes the session of a client. One that is connected under the same client identifier is ended first
   * [MQTT-3.1.4-3]. The session has no output yet: CONNACK must go before its messages.
   */
  connect(
    clientId: string,
    cleanStart: boolean,
    client: ConnectedClient,
    now: number,
  ): { session: Session; present: boolean } {
    this.#clients
      .get(clientId)
      ?.end(ReasonCode.sessionTakenOver, 'another connection uses the same client identifier');
    const opened = this.#sessions.open(clientId, cleanStart, now);
    this.#clients.set(clientId, client);
    this.statistics.clients = this.#clients.size;
    return opened;
  }

  /** The connection of a session is over. `expiry` in seconds; `will` when it must be published. */
  disconnect(session: Session, expiry: number, will: WillFields | undefined, now: number): void {
    this.#clients.delete(session.clientId);
    this.statistics.clients = this.#clients.size;
    this.#sessions.detach(session, expiry, will, now);
  }

  /**
   * The topic of a received PUBLISH that names it.
   * @throws ProtocolError the topic name is not valid
   */
  topicAt(bytes: Buffer, start: number, end: number): TopicEntry {
    return this.#routing.entryAt(bytes, start, end);
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
    // Made only when needed: at QoS 0 a message mostly goes out straight from the packet it came in.
    let message: Message | undefined;
    const inPlace = aliasedTopic === undefined && view.propertiesUnchanged;
    if (view.retain) {
      message = messageOf(view, entry.topic, aliasedTopic, publisher.clientId, now);
      this.#retain(message);
    }
    const recipients = entry.recipients;
    for (let index = 0; index < recipients.length; index++) {
      const recipient = recipients[index] as (typeof recipients)[number];
      const { session } = recipient;
      const delivery = session === publisher ? recipient.own : recipient.delivery;
      if (delivery === undefined) continue; // [MQTT-3.8.3-3]
      const qos = Math.min(view.qos, delivery.qos) as QoS;
      if (qos === 0 && inPlace && session.forward(view, delivery, v5)) continue;
      message ??= messageOf(view, entry.topic, aliasedTopic, publisher.clientId, now);
      session.deliver(message, qos, view.retain && delivery.retainAsPublished, delivery, now);
    }
  }

  /** Adds or replaces a subscription; `reasonCode` is for SUBACK. */
  subscribe(session: Session, request: SubscriptionRequest, identifier: number): SubscribeResult {
    const { filter, qos, noLocal, retainAsPublished, retainHandling } = request;
    if (
      topicFilterFault(filter) !== undefined ||
      topicSizeFault('topic filter', filter, Buffer.byteLength(filter), this.limits) !== undefined
    ) {
      return { reasonCode: ReasonCode.topicFilterInvalid };
    }
    if (parseFilter(filter).group !== undefined) {
      return { reasonCode: ReasonCode.sharedSubscriptionsNotSupported };
    }
    const before = session.subscriptions.get(filter);
    if (before === undefined && session.subscriptions.size >= this.limits.subscriptions) {
      return { reasonCode: ReasonCode.quotaExceeded };
    }
    const subscription: Subscription = { session, filter, qos, noLocal, retainAsPublished, identifier };
    if (before !== undefined) this.#routing.remove(before); // [MQTT-3.8.4-3]
    this.#routing.add(subscription);
    session.subscriptions.set(filter, subscription);
    this.statistics.subscriptions = this.#routing.size;
    // [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
    const wantsRetained = retainHandling === 0 || (retainHandling === 1 && before === undefined);
    return { reasonCode: qos, ...(wantsRetained && { wantsRetained: subscription }) };
  }

  /** Sends what is retained for a subscription. */
  replay(subscription: Subscription, now: number): void {
    const { session, filter, noLocal, identifier, retainAsPublished } = subscription;
    const identifiers = identifier > 0 ? [identifier] : [];
    for (const message of this.#retained.match(filter, now)) {
      if (noLocal && message.publisher === session.clientId) continue;
      const qos = Math.min(message.qos, subscription.qos) as QoS;
      session.replay(message, { qos, retainAsPublished, identifiers }, now);
    }
  }

  /** Removes a subscription and says whether there was one. */
  unsubscribe(session: Session, filter: string): boolean {
    const subscription = session.subscriptions.get(filter);
    if (subscription === undefined) return false;
    session.subscriptions.delete(filter);
    this.#routing.remove(subscription);
    this.statistics.subscriptions = this.#routing.size;
    return true;
  }

  /** Publishes wills and ends sessions and retained messages whose time has come. */
  expire(now: number): void {
    this.#sessions.expire(now);
    this.#retained.expire(now);
    this.statistics.retained = this.#retained.count;
  }

  #retain(message: Message): void {
    if (!this.#retained.set(message.compact())) this.statistics.dropped++;
    this.statistics.retained = this.#retained.count;
  }

  #publishWill(fields: WillFields, session: Session, now: number): void {
    const message = messageOfWill(fields, session.clientId, now);
    if (message.retain) this.#retain(message);
    const topic = Buffer.from(fields.topic);
    for (const recipient of this.#routing.entryAt(topic, 0, topic.length).recipients) {
      const delivery = recipient.session === session ? recipient.own : recipient.delivery;
      if (delivery === undefined) continue;
      const qos = Math.min(message.qos, delivery.qos) as QoS;
      recipient.session.deliver(message, qos, message.retain && delivery.retainAsPublished, delivery, now);
    }
  }

  #forget(session: Session): void {
    for (const subscription of session.subscriptions.values()) this.#routing.remove(subscription);
    session.discard();
    this.statistics.subscriptions = this.#routing.size;
  }
}
