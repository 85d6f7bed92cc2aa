import type { ConnectionStatus } from '../client/connection';
import type {
  BridgeSubscription,
  BridgeSubscriptionListener,
  IncomingMessage,
  OutgoingMessage,
  RouteConnection,
  Undelivered,
} from './bridge-connection';

export interface DomainFilterListener {
  /** A message of whose topic nobody has subscribed; who subscribes within the call gets it. */
  unclaimed(message: IncomingMessage): void;
  /** At each connect: the broker has granted the filter, or why it refused. */
  result(error?: Error): void;
}

/**
 * One subscription for all topics of a domain, and the connection for the routes that take their messages from it: they
 * come and go without a packet, and between two of them no message comes twice or not at all.
 */
export class DomainFilter implements RouteConnection {
  readonly #connection: RouteConnection;
  readonly #listener: DomainFilterListener;
  /** By topic name, and of a filter `<name>/#` by that. */
  readonly #listeners = new Map<string, Set<BridgeSubscriptionListener>>();
  readonly #below = new Map<string, Set<BridgeSubscriptionListener>>();
  #subscription: BridgeSubscription | undefined;

  constructor(connection: RouteConnection, listener: DomainFilterListener) {
    this.#connection = connection;
    this.#listener = listener;
  }

  open(filter: string): void {
    this.#subscription = this.#connection.subscribe(filter, {
      message: (message) => this.#receive(message),
      result: (error) => {
        this.#listener.result(error);
        for (const listeners of [...this.#listeners.values(), ...this.#below.values()]) {
          for (const { result } of [...listeners]) result(error);
        }
      },
    });
  }

  close(): void {
    this.#subscription?.close();
  }

  get granted(): boolean {
    return this.#subscription?.granted === true;
  }

  get connected(): boolean {
    return this.#connection.connected;
  }

  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    return this.#connection.onStatus(listener);
  }

  stored(topic: string, others: boolean): ReturnType<RouteConnection['stored']> {
    return this.#connection.stored(topic, others);
  }

  publish(message: OutgoingMessage, settled: (undelivered?: Undelivered) => void): void {
    this.#connection.publish(message, settled);
  }

  /**
   * Takes the messages of a topic from the filter, or those of a topic and all below it (`<name>/#`); stored ones, which it
   * does not bring, from the broker.
   */
  subscribe(
    filterText: string,
    listener: BridgeSubscriptionListener,
    options: { retained?: boolean } = {},
  ): BridgeSubscription {
    if (options.retained) return this.#connection.subscribe(filterText, listener, options);
    const isAll = filterText.endsWith('/#');
    const name = isAll ? filterText.slice(0, -2) : filterText;
    const all = isAll ? this.#below : this.#listeners;
    const listeners = all.get(name) ?? new Set();
    listeners.add(listener);
    all.set(name, listeners);
    const filter = this;
    return {
      get granted() {
        return filter.granted;
      },
      close: () => {
        listeners.delete(listener);
        if (listeners.size === 0 && all.get(name) === listeners) all.delete(name);
      },
    };
  }

  #receive(message: IncomingMessage): void {
    if (this.#listenersOf(message.topic).length === 0) this.#listener.unclaimed(message);
    for (const listener of this.#listenersOf(message.topic)) listener.message(message);
  }

  #listenersOf(topic: string): BridgeSubscriptionListener[] {
    const listeners = [...(this.#listeners.get(topic) ?? [])];
    if (this.#below.size === 0) return listeners;
    for (let end = topic.length; end > 0; end = topic.lastIndexOf('/', end - 1)) {
      listeners.push(...(this.#below.get(topic.slice(0, end)) ?? []));
    }
    return listeners;
  }
}
