import { countLatency, newHistogram, percentile } from '../broker/latency-histogram';
import type {
  Connection,
  ConnectionStatistics,
  ConnectionStatus,
  PublishOptions,
  PublishReceipt,
  ReceivedMessage,
  SubscribeOptions,
  Subscription,
} from '../client/connection';
import { RateMeter } from './rate-meter';

/** Where a link has its connection from. */
interface LinkSource {
  /** Throws with the reason why there is none. */
  acquire(): Connection;
  release(connection: Connection): void;
}

interface LinkListener {
  message(message: ReceivedMessage): void;
  /** After each SUBACK, with the reason where it is a refusal. */
  result(error?: Error): void;
}

interface LinkSubscription {
  readonly filter: string;
  readonly options: SubscribeOptions;
  readonly listener: LinkListener;
  present: Subscription | undefined;
}

interface LinkCounts {
  published: number;
  publishedBytes: number;
  /** Messages that were not published. */
  failed: number;
  received: number;
  receivedBytes: number;
}

/** What callers have done over a link, since it was made. */
interface LinkStatistics extends LinkCounts {
  publishedPerSecond: number;
  receivedPerSecond: number;
  /** From a publish to its acknowledgement, ms; 0 before there was one. */
  latency: { p50: number; p99: number };
  /** Of the connection, where there is one. */
  connection: ConnectionStatistics | undefined;
}

/**
 * What the gateway does with one broker: publishes, and subscriptions that stay when the connection is replaced by
 * another, as it is when its settings change or a flow is deployed.
 */
export class BrokerLink {
  readonly #source: LinkSource;
  readonly #subscriptions = new Set<LinkSubscription>();
  #connection: Connection | undefined;
  readonly #publishedRate = new RateMeter();
  readonly #receivedRate: RateMeter;
  readonly #latency = newHistogram();
  readonly #counts: LinkCounts;

  /** @param trunk counts as its own what this one receives */
  constructor(source: LinkSource, trunk?: BrokerLink) {
    this.#source = source;
    this.#receivedRate = trunk === undefined ? new RateMeter() : trunk.#receivedRate;
    this.#counts =
      trunk === undefined
        ? { published: 0, publishedBytes: 0, failed: 0, received: 0, receivedBytes: 0 }
        : trunk.#counts;
  }

  /** The connection, taken from its source by the first who asks; throws with the reason why there is none. */
  get connection(): Connection {
    this.#connection ??= this.#source.acquire();
    return this.#connection;
  }

  /** How the connection is; `undefined` while there is none. */
  get status(): ConnectionStatus | undefined {
    return this.#connection?.status;
  }

  /** Whether there are subscriptions. */
  get isUsed(): boolean {
    return this.#subscriptions.size > 0;
  }

  get statistics(): LinkStatistics {
    return {
      ...this.#counts,
      publishedPerSecond: this.#publishedRate.perSecond,
      receivedPerSecond: this.#receivedRate.perSecond,
      latency: { p50: percentile(this.#latency, 0.5), p99: percentile(this.#latency, 0.99) },
      connection: this.#connection?.statistics,
    };
  }

  /** As `Connection.publish`, counted. */
  async publish(topic: string, payload: Buffer | string, options: PublishOptions): Promise<PublishReceipt> {
    const begun = performance.now();
    try {
      const receipt = await this.connection.publish(topic, payload, options);
      this.#counts.published++;
      this.#counts.publishedBytes += Buffer.byteLength(payload);
      this.#publishedRate.count();
      if (options.qos > 0) countLatency(this.#latency, performance.now() - begun, 1);
      return receipt;
    } catch (error) {
      this.#counts.failed++;
      throw error;
    }
  }

  /** Subscribes until the returned function is called; throws with the reason why there is no connection. */
  subscribe(filter: string, options: SubscribeOptions, listener: LinkListener): () => void {
    const subscription: LinkSubscription = { filter, options, listener, present: undefined };
    this.#begin(subscription, this.connection);
    this.#subscriptions.add(subscription);
    return () => {
      if (this.#subscriptions.delete(subscription)) subscription.present?.close();
    };
  }

  /**
   * Takes the connection that the source has now, which may be another, and subscribes there; without subscriptions who
   * uses it next does. Where the source has none, the subscriptions wait until this is called again.
   */
  renew(): void {
    const old = this.#connection;
    this.#connection = this.isUsed ? this.#acquired() : undefined;
    if (this.#connection !== old) {
      for (const subscription of this.#subscriptions) {
        subscription.present?.close();
        subscription.present = undefined;
        if (this.#connection !== undefined) this.#begin(subscription, this.#connection);
      }
    }
    if (old !== undefined) this.#source.release(old);
  }

  #acquired(): Connection | undefined {
    try {
      return this.#source.acquire();
    } catch {
      return undefined;
    }
  }

  close(): void {
    for (const { present } of this.#subscriptions) present?.close();
    this.#subscriptions.clear();
    if (this.#connection !== undefined) this.#source.release(this.#connection);
    this.#connection = undefined;
  }

  #begin(subscription: LinkSubscription, connection: Connection): void {
    const { filter, options, listener } = subscription;
    subscription.present = connection.subscribe(filter, options, {
      owner: 'a subscription of the gateway',
      message: (message) => {
        this.#counts.received++;
        this.#counts.receivedBytes += message.payload.length;
        this.#receivedRate.count();
        listener.message(message);
      },
      result: (error) => listener.result(error),
    });
  }
}
