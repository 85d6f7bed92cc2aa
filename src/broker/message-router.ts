import { shown } from '../topic/topic-name';
import { type Capabilities, checkOffered } from './capabilities';
import type { WillFields } from './codec/connect-packet';
import type { QoS } from './codec/packet-type';
import { ProtocolError } from './codec/protocol-error';
import type { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import type { HeldMemory } from './held-memory';
import { type Message, messageOf, messageOfWill, messageSizeOf } from './message';
import { MessageSlabs } from './message-slab';
import type { MessageWatch } from './message-watch';
import type { Retention } from './retention';
import type { RoutingTable, TopicEntry } from './routing-table';
import type { Session, SharedMessage } from './session/session';
import type { SharedSubscription } from './shared-subscription';
import type { BrokerStatistics } from './statistics';
import type { Store } from './store/store';
import type { TopicCounts } from './topic-counts';
import { bears } from './upstream/passage-stamp';

/** What a message passes on its way through the broker. */
export interface MessageRoute {
  readonly routing: RoutingTable;
  readonly retention: Retention;
  readonly capabilities: Capabilities;
  readonly store: Store;
  readonly memory: HeldMemory;
  readonly statistics: BrokerStatistics;
  readonly watch: MessageWatch | undefined;
  readonly topics: TopicCounts;
}

/** Brings what is published to all who subscribed to it, has it retained and shows it to the application. */
export class MessageRouter {
  /** Encoded properties that messages bear which have left by an upstream. */
  leavingStamps: readonly Buffer[] = [];
  readonly slabs = new MessageSlabs();
  readonly #routing: RoutingTable;
  readonly #retention: Retention;
  readonly #capabilities: Capabilities;
  readonly #store: Store;
  readonly #memory: HeldMemory;
  readonly #statistics: BrokerStatistics;
  readonly #watch: MessageWatch | undefined;
  readonly #topics: TopicCounts;

  constructor({ routing, retention, capabilities, store, memory, statistics, watch, topics }: MessageRoute) {
    this.#routing = routing;
    this.#retention = retention;
    this.#capabilities = capabilities;
    this.#store = store;
    this.#memory = memory;
    this.#statistics = statistics;
    this.#watch = watch;
    this.#topics = topics;
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
    if (this.#memory.level < (local ? 3 : 2) || view.qos === 0) return false;
    if (view.retain && view.payloadEnd > view.payloadStart) return true;
    if (view.qos === 2 && publisher?.received.mayNotOpen(view.packetId) === true) return true;
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
    this.#statistics.denied += entry.withheld;
    // Made only when needed: at QoS 0 a message mostly goes out straight from the packet it came in.
    let message: Message | undefined;
    const size = messageSizeOf(view, aliasedTopic);
    this.#count(entry, view.payloadEnd - view.payloadStart, now);
    const inPlace = aliasedTopic === undefined && view.propertiesUnchanged;
    if (view.retain) {
      message = this.#messageOf(view, entry, aliasedTopic, publisher.clientId, now);
      this.#retention.retain(message);
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
    checkOffered(this.#capabilities, view);
    const entry = this.topicAt(view.bytes, view.topicStart, view.topicEnd);
    if (entry.reserved) {
      throw new ProtocolError(
        ReasonCode.notAuthorized,
        `topic "${shown(entry.topic)}" is for the broker alone`,
      );
    }
    if (this.#store.full && this.mustKeep(view, entry, undefined)) {
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
    if (message.retain) this.#retention.retain(message);
    this.route(message, undefined, now);
  }

  /**
   * Delivers a message that came in by an upstream, and retains it when it says so.
   * @throws ProtocolError the topic name is beyond the limits
   */
  publishMessage(message: Message, publisher: Session, now: number): void {
    this.topicAt(message.bytes, message.topicStart, message.topicEnd);
    if (message.retain) this.#retention.retain(message);
    this.route(message, publisher, now);
  }

  /** Whether a received PUBLISH has left this broker by an upstream before. */
  hasLeft(view: PublishView): boolean {
    return this.leavingStamps.some((stamp) => bears(view, stamp));
  }

  /** Publishes the will of a session whose client has gone. */
  publishWill(fields: WillFields, session: Session, now: number): void {
    const message = messageOfWill(fields, session.clientId, now);
    if (message.retain) this.#retention.retain(message);
    this.route(message, session, now);
  }

  /** Delivers a message that did not come in a PUBLISH. */
  route(message: Message, publisher: Session | undefined, now: number): void {
    const entry = this.#routing.entryAt(message.bytes, message.topicStart, message.topicEnd);
    this.#count(entry, message.payloadEnd - message.payloadStart, now);
    this.#statistics.denied += entry.withheld;
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

  /** Gives messages of shared subscriptions to other members. */
  passOn(messages: readonly SharedMessage[], now: number): void {
    for (const one of messages) this.#deliverShared(one, now);
  }

  #count(entry: TopicEntry, bytes: number, now: number): void {
    if (entry.reserved) return;
    if (entry.count === undefined) {
      entry.count = this.#topics.of(entry.topic);
      this.#statistics.topics = this.#topics.size;
    }
    const { count } = entry;
    count.messages++;
    count.bytes += bytes;
    count.lastAt = now;
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

  #deliverShared({ shared, message }: SharedMessage, now: number): void {
    const member = shared.next(message.topic);
    if (member === undefined) return;
    const { delivery } = member;
    const { session } = member.subscription;
    const qos = Math.min(message.qos, delivery.qos) as QoS;
    if (!session.accepts(message.size, qos, now)) return;
    session.deliver(message, qos, message.retain && delivery.retainAsPublished, delivery, now);
  }
}
