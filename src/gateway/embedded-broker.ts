import type { ConnectionSettings, ConnectionStatus } from '../client/connection';
import type { ConnectionPool } from '../client/connection-pool';
import { BrokerLink } from './broker-link';
import type { ShownSettings } from './broker-settings';
import { EmbeddedFeeds, type FeedLink } from './feed-link';
import { connectNow, type GatewayBroker, readOnly } from './gateway-broker';
import type { KnownEmbeddedBroker } from './gateway-settings';

/** A broker that runs in this process: connected to by whoever uses it first. */
export class EmbeddedBroker implements GatewayBroker {
  readonly origin = 'embedded';
  readonly link: BrokerLink;
  readonly #find: () => KnownEmbeddedBroker | undefined;
  readonly #feeds: EmbeddedFeeds;
  readonly #pool: ConnectionPool;
  readonly #clientId: string;

  /** @param find the broker as it is now: a deploy may replace it */
  constructor(
    readonly id: string,
    find: () => KnownEmbeddedBroker | undefined,
    pool: ConnectionPool,
  ) {
    this.#find = find;
    this.#pool = pool;
    this.#clientId = `gateway-${id}`;
    const settings: ConnectionSettings = {
      endpoint: {
        openStream: () => {
          const known = find();
          if (known === undefined) throw new Error(`embedded broker "${id}" is not there any more`);
          return known.broker.openStream();
        },
      },
      protocolVersion: 5,
      clientId: this.#clientId,
      keepAlive: 0,
      cleanStart: true,
    };
    this.link = new BrokerLink({
      acquire: () => pool.acquire(id, settings),
      release: (connection) => void pool.release(id, connection),
    });
    this.#feeds = new EmbeddedFeeds(find, settings, this.link);
  }

  get name(): string {
    return this.#find()?.name ?? this.id;
  }

  get shown(): ShownSettings {
    return { client_id: this.#clientId, keepalive: 0, protocol_version: '5' };
  }

  get place(): string {
    return this.id;
  }

  get status(): ConnectionStatus {
    return this.link.status ?? { state: 'disconnected' };
  }

  /** Whether callers have subscriptions or WebSockets there. */
  get isUsed(): boolean {
    return this.link.isUsed || this.#feeds.isUsed;
  }

  async connect(): Promise<void> {
    this.#feeds.connect();
    await connectNow(this.link.connection);
  }

  async disconnect(): Promise<void> {
    await Promise.all([this.link.connection.disconnect(), this.#feeds.disconnect()]);
  }

  openFeed(dropped: (count: number) => void): FeedLink {
    return this.#feeds.open(dropped);
  }

  async change(): Promise<void> {
    throw readOnly(this.name, 'this process');
  }

  /** Another may run in its place: what waits for its next attempt to connect does not wait any longer. */
  renew(): void {
    const { status } = this.link;
    if (status === undefined || status.state === 'connected' || !this.link.connection.wanted) return;
    void this.#pool.close(this.id);
    this.link.renew();
  }

  async close(): Promise<void> {
    this.link.close();
    await Promise.all([this.#feeds.closed(), this.#pool.close(this.id)]);
  }
}
