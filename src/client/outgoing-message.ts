import { freeMemory } from '../memory/free-memory';
import type { PublishOptions, PublishReceipt } from './connection-settings';
import { PublishError } from './errors';
import { messagePropertiesBytes, writableProperties } from './message-properties';

/** What a message in memory holds beside its topic, payload and properties, about. */
const BYTES_PER_MESSAGE = 512;

/** One message on its way, and the promise made to its publisher. */
export class OutgoingMessage {
  readonly result: Promise<PublishReceipt>;
  /** Date.now() when it was published. */
  readonly since: number;
  /** Memory that it takes, about. */
  readonly bytes: number;
  /** Packet identifier once it was sent, at QoS 1 and 2; kept for as long as the session is. */
  packetId: number | undefined;
  /** It may have arrived before: to be sent with DUP [MQTT-3.3.1-1]. */
  repeated = false;
  /** Network connections that may have yet to read the payload: a broker may acknowledge what it has not got. */
  unread = 0;
  /** PUBREC has come: the broker owns it, and PUBREL is what is left to send [MQTT-4.3.3-4]. */
  released = false;
  /** Its number in the journal, where it is in one. */
  journalId: number | undefined;
  /** Connections that the broker ended while nothing but this message was in flight. */
  strikes = 0;
  /** Hears its outcome, and whether its publisher has been told before that it is safe. */
  onEnd: ((outcome: PublishReceipt | Error, accepted: boolean) => void) | undefined;
  #accepted = false;
  /** performance.now() when it was published: the time of day may be set while it waits. */
  readonly #published: number;
  #seconds = Number.POSITIVE_INFINITY;
  #ended = false;
  #resolve!: (receipt: PublishReceipt) => void;
  #reject!: (error: Error) => void;

  constructor(
    readonly topic: string,
    readonly payload: Buffer | string,
    readonly options: PublishOptions,
    since?: number,
  ) {
    const now = Date.now();
    this.since = since ?? now;
    this.#published = performance.now() - Math.max(0, now - this.since);
    this.bytes =
      BYTES_PER_MESSAGE +
      Buffer.byteLength(payload) +
      Buffer.byteLength(topic) +
      (options.properties === undefined ? 0 : messagePropertiesBytes(options.properties));
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Bounds how long it may wait to be sent: `seconds`, or its own expiry interval if that is shorter. */
  expire(seconds = Number.POSITIVE_INFINITY): void {
    this.#seconds = Math.min(
      seconds,
      this.options.properties?.messageExpiryInterval ?? Number.POSITIVE_INFINITY,
    );
  }

  /** performance.now() after which it is not sent any more, unless it was sent before. */
  get deadline(): number {
    return this.#published + this.#seconds * 1000;
  }

  /** What it ends with after its deadline. */
  get expiryError(): PublishError {
    return new PublishError(this.topic, `it waited ${this.#seconds} s to be sent`);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The properties to send: the time that the message has waited here is taken off its expiry interval. */
  get properties(): PublishOptions['properties'] {
    const properties = this.options.properties && writableProperties(this.options.properties);
    if (properties?.messageExpiryInterval === undefined) return properties;
    const waited = Math.floor((performance.now() - this.#published) / 1000);
    if (waited === 0) return properties;
    return { ...properties, messageExpiryInterval: Math.max(0, properties.messageExpiryInterval - waited) };
  }

  /** It is safe: its publisher need not wait for the broker. */
  accept(): void {
    if (this.#ended) return;
    this.#accepted = true;
    this.#resolve({ stored: true });
  }

  /** The outcome; only the first counts. */
  end(outcome: PublishReceipt | Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.onEnd?.(outcome, this.#accepted);
    if (outcome instanceof Error) {
      this.#reject(outcome);
      return;
    }
    const { qos, ownsMemory } = this.options;
    // At QoS 0 it may still wait to be written.
    if (qos > 0 && ownsMemory && this.unread === 0) freeMemory(this.payload as Buffer);
    this.#resolve(outcome);
  }
}
