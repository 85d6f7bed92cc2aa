import type { QoS } from './codec/packet-type';
import type { HeldMemory } from './held-memory';
import type { Limits } from './limits';
import type { Message } from './message';
import { RetainedMessages } from './retained-messages';
import { RetainedReplay } from './retained-replay';
import type { BrokerStatistics } from './statistics';
import type { Store } from './store/store';
import type { Subscription } from './subscription';

/** What the broker retains of its own, messages and bytes: it says so much and no more. */
const MOST_OWN = 1000;
const MOST_OWN_BYTES = 1024 * 1024;

/**
 * What is retained: which messages are, also over restarts, and who is sent them for a new subscription (MQTT 5.0
 * section 3.3.1.3). What the broker tells of itself below `$SYS` is apart from what clients have published.
 */
export class Retention {
  readonly #store: Store;
  readonly #memory: HeldMemory;
  readonly #statistics: BrokerStatistics;
  readonly #published: RetainedMessages;
  readonly #own: RetainedMessages;
  readonly #replays = new RetainedReplay((subscription) => this.#replay(subscription));

  constructor(limits: Limits, statistics: BrokerStatistics, store: Store, memory: HeldMemory) {
    this.#store = store;
    this.#memory = memory;
    this.#statistics = statistics;
    this.#published = new RetainedMessages(limits.retainedMessages, limits.retainedBytes, memory);
    this.#own = new RetainedMessages(MOST_OWN, MOST_OWN_BYTES, memory);
  }

  /** Messages of clients that are retained. */
  get count(): number {
    return this.#published.count;
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return this.#published.bytes;
  }

  /** Takes on what the store has kept. */
  restore(): void {
    for (const message of this.#store.retainedMessages()) {
      if (this.#published.set(message)) continue;
      // The limits are lower than they were.
      this.#store.retainedRemoved(message.topic);
      this.#statistics.dropped++;
    }
    this.#count();
  }

  /** Retains a message, or with an empty one removes what is retained; also where there is no room for the new one. */
  retain(message: Message): void {
    message.compact();
    const removes = message.payloadEnd === message.payloadStart; // [MQTT-3.3.1-6], [MQTT-3.3.1-7]
    const noRoom = this.#store.full || this.#memory.level >= 2;
    if (removes || noRoom || !this.#published.set(message)) {
      this.#remove(message.topic);
      if (!removes) this.#statistics.dropped++;
    } else {
      this.#store.retained(message);
    }
    this.#count();
  }

  /** Retains a message of the broker itself, below `$SYS`. */
  retainOwn(message: Message): void {
    this.#own.set(message);
  }

  /** The first retained messages that match a valid filter. */
  matching(filter: string, now: number, most: number): Message[] {
    return this.#for(filter).match(filter, now, most);
  }

  /** Removes the first retained messages of clients that match a valid filter, and says how many. */
  clear(filter: string, now: number, most: number): number {
    const messages = this.#published.match(filter, now, most);
    for (const { topic } of messages) this.#remove(topic);
    this.#count();
    return messages.length;
  }

  /** Removes what has expired. */
  expire(now: number): void {
    for (const topic of this.#published.expire(now)) {
      this.#store.retainedRemoved(topic);
      this.#statistics.expired++;
    }
    this.#count();
  }

  /** The subscription is to get what is retained, with the next `replay`. */
  subscribed(subscription: Subscription): void {
    this.#replays.add(subscription);
  }

  /** The subscription is no more. Says whether it was still to get what is retained. */
  unsubscribed(subscription: Subscription): boolean {
    return this.#replays.remove(subscription);
  }

  /** Sends what is retained for new subscriptions, now or soon. */
  replay(): void {
    this.#replays.run();
  }

  #for(filter: string): RetainedMessages {
    return filter.startsWith('$SYS') ? this.#own : this.#published;
  }

  #remove(topic: string): void {
    this.#published.remove(topic);
    this.#store.retainedRemoved(topic);
  }

  #count(): void {
    this.#statistics.retained = this.#published.count;
  }

  #replay(subscription: Subscription): number {
    const { session, filter, noLocal, identifier, retainAsPublished } = subscription;
    const identifiers = identifier > 0 ? [identifier] : [];
    const retained = this.#for(filter);
    const now = this.#store.clock();
    const { visited } = retained;
    const messages = retained.match(filter, now);
    for (const message of messages) {
      if (noLocal && message.publisher === session.clientId) continue;
      if (!session.permissions.mayReceive(message.topic)) {
        this.#statistics.denied++;
        continue;
      }
      const qos = Math.min(message.qos, subscription.qos) as QoS;
      if (qos > 0 || session.connected) session.replay(message, { qos, retainAsPublished, identifiers }, now);
    }
    return retained.visited - visited + messages.length;
  }
}
