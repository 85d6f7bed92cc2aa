import { SubscriptionTrie } from '../topic/subscription-trie';
import { watchFilterFault } from '../topic/topic-filter';
import type { QoS } from './codec/packet-type';
import type { MessageParts } from './codec/publish-packet';
import { batchOf, messageRecord } from './message-batch';

/** What waits for the application, with what is under way to it: beyond that messages are dropped. */
const HELD_BYTES = 32 * 1024 * 1024;
const HELD_MESSAGES = 100_000;
/** What may be under way, so that a turn of the other thread's event loop stays short. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_MESSAGES = 256;
const BATCH_MESSAGES = 64;

/** Messages that were published faster than the application took them. */
export interface Overrun {
  count: number;
  /** Of the last one. */
  topic: string;
}

/**
 * Shows the application what is published to topics that match a filter, whoever subscribed to them. It never makes the
 * broker wait: what the application does not take in time is dropped and counted.
 */
export class MessageWatch {
  readonly #filters = new SubscriptionTrie<string>();
  readonly #send: (batch: ArrayBuffer) => void;
  #waiting: Buffer[] = [];
  #first = 0;
  #heldBytes = 0;
  /** Batches under way, in order. */
  readonly #sent: Array<{ messages: number; bytes: number }> = [];
  #sentMessages = 0;
  #sentBytes = 0;
  #overrun: Overrun | undefined;
  #scheduled = false;

  /**
   * @param send passes a batch (`messagesIn`) on; `taken` says when the application has had it
   * @throws RangeError the filter is not valid
   */
  constructor(filter: string, send: (batch: ArrayBuffer) => void) {
    const fault = watchFilterFault(filter);
    if (fault !== undefined) throw new RangeError(fault);
    this.#filters.add(filter, filter);
    this.#send = send;
  }

  /** Whether messages to a topic are shown. */
  matches(topic: string): boolean {
    return this.#filters.match(topic).length > 0;
  }

  /**
   * A message was published.
   * @param expiry seconds, or -1 for none
   */
  published(
    parts: MessageParts,
    topic: string,
    qos: QoS,
    retain: boolean,
    expiry: number,
    clientId: string,
  ): void {
    const { topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd } = parts;
    const size = topicEnd - topicStart + propertiesEnd - propertiesStart + payloadEnd - payloadStart;
    const held = this.#waiting.length - this.#first + this.#sentMessages;
    if (this.#heldBytes + size > HELD_BYTES || held >= HELD_MESSAGES) {
      this.#overrun = { count: (this.#overrun?.count ?? 0) + 1, topic };
      return;
    }
    const record = messageRecord(parts, qos, retain, expiry, clientId);
    this.#heldBytes += record.length;
    this.#waiting.push(record);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  /** The application has had the oldest batch. */
  taken(): void {
    const batch = this.#sent.shift();
    if (batch === undefined) return;
    this.#sentMessages -= batch.messages;
    this.#sentBytes -= batch.bytes;
    this.#heldBytes -= batch.bytes;
    this.#flush();
  }

  /** What was dropped since this was last asked. */
  takeOverrun(): Overrun | undefined {
    const overrun = this.#overrun;
    this.#overrun = undefined;
    return overrun;
  }

  #flush(): void {
    this.#scheduled = false;
    while (this.#first < this.#waiting.length) {
      if (this.#sentMessages >= WINDOW_MESSAGES || this.#sentBytes >= WINDOW_BYTES) break;
      const records = this.#waiting.slice(this.#first, this.#first + this.#batchLength());
      const batch = batchOf(records);
      this.#first += records.length;
      this.#sent.push({ messages: records.length, bytes: batch.byteLength });
      this.#sentMessages += records.length;
      this.#sentBytes += batch.byteLength;
      this.#send(batch);
    }
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
  }

  /** How many of those that wait go in one batch: one at least, and no more when their bytes are enough. */
  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    while (length < BATCH_MESSAGES && bytes < WINDOW_BYTES) {
      const record = this.#waiting[this.#first + length];
      if (record === undefined) break;
      bytes += record.length;
      length++;
    }
    return length;
  }
}
