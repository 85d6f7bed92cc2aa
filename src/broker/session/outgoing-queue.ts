import type { QoS } from '../codec/packet-type';
import type { Message } from '../message';
import type { SharedSubscription } from '../shared-subscription';
import type { Delivery } from '../subscription';

/** A message on its way to one client. */
export interface OutgoingMessage {
  /** Absent once PUBREC said that the client has it: only the packet identifier is then still needed. */
  message: Message | undefined;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: Delivery['identifiers'];
  /** A retained message that a new subscription asked for: bounded by what is retained, not by the queue's limits. */
  readonly replayed: boolean;
  /** The shared subscription that it belongs to, which may pass it to another session. */
  readonly shared: SharedSubscription | undefined;
  /** 0 until it is sent. */
  packetId: number;
  /** The number of the delivery in the store; 0 when it is not kept there. */
  readonly stored: number;
}

/** The messages that wait for a client: first in, first out, in constant time. */
export class OutgoingQueue {
  #items: Array<OutgoingMessage | undefined> = [];
  #head = 0;
  #replayed = 0;
  #atMostOnce = 0;
  #shared = 0;
  #earliestExpiry = Number.POSITIVE_INFINITY;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** How many of them are replayed retained messages. */
  get replayed(): number {
    return this.#replayed;
  }

  /** How many of them are of QoS 0. */
  get atMostOnce(): number {
    return this.#atMostOnce;
  }

  /** How many of them belong to shared subscriptions. */
  get shared(): number {
    return this.#shared;
  }

  /** Nothing in it expires before, ms. */
  get earliestExpiry(): number {
    return this.#earliestExpiry;
  }

  push(item: OutgoingMessage): void {
    const { expiresAt } = item.message as Message;
    if (expiresAt < this.#earliestExpiry) this.#earliestExpiry = expiresAt;
    this.#items.push(item);
    this.#count(item, 1);
  }

  peek(): OutgoingMessage | undefined {
    return this.#items[this.#head];
  }

  shift(): OutgoingMessage | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head++] = undefined;
    this.#count(item, -1);
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Takes out the first that is no replayed retained message. */
  removeOldest(): OutgoingMessage | undefined {
    if (this.#items[this.#head]?.replayed === false) return this.shift();
    for (let index = this.#head; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item?.replayed !== false) continue;
      this.#items.splice(index, 1);
      this.#count(item, -1);
      return item;
    }
    return undefined;
  }

  /** Takes out all that the predicate says, keeping the order of the rest. */
  removeWhere(predicate: (item: OutgoingMessage) => boolean): OutgoingMessage[] {
    const removed: OutgoingMessage[] = [];
    const kept: OutgoingMessage[] = [];
    for (let item = this.shift(); item !== undefined; item = this.shift()) {
      (predicate(item) ? removed : kept).push(item);
    }
    for (const item of kept) this.push(item);
    return removed;
  }

  /** Takes out all that have expired. */
  removeExpired(now: number): OutgoingMessage[] {
    this.#earliestExpiry = Number.POSITIVE_INFINITY; // Who stays is pushed again.
    return this.removeWhere(({ message }) => (message as Message).expiresAt <= now);
  }

  #count({ replayed, qos, shared }: OutgoingMessage, change: 1 | -1): void {
    if (replayed) this.#replayed += change;
    if (qos === 0) this.#atMostOnce += change;
    if (shared !== undefined) this.#shared += change;
  }
}
