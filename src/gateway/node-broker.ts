import type { Connection, ConnectionStatus } from '../client/connection';
import { NotConnectedError } from '../client/errors';
import { ApiError } from './api-error';
import { BrokerLink } from './broker-link';
import { addressOf, brokerPlace } from './broker-place';
import type { ShownSettings } from './broker-settings';
import { type FeedLink, sharedFeedLink } from './feed-link';
import { type GatewayBroker, readOnly } from './gateway-broker';
import type { KnownConnection } from './gateway-settings';

/** A configuration node's connection, which nodes of flows use as well. */
export class NodeBroker implements GatewayBroker {
  readonly origin = 'node';
  readonly link: BrokerLink;
  readonly #find: () => KnownConnection | undefined;
  /** Once it was asked for, which is for each message. */
  #place: { place: string | undefined } | undefined;

  /** @param find the node as it is now: a deploy may replace it */
  constructor(
    readonly id: string,
    find: () => KnownConnection | undefined,
  ) {
    this.#find = find;
    /** Which node each connection is to be given back to. */
    const owners = new Map<unknown, KnownConnection>();
    this.link = new BrokerLink({
      acquire: () => {
        const owner = this.#node;
        const connection = owner.acquire();
        owners.set(connection, owner);
        return connection;
      },
      release: (connection) => {
        owners.get(connection)?.release(connection);
        owners.delete(connection);
      },
    });
  }

  /** Whether callers have subscriptions or WebSockets there. */
  get isUsed(): boolean {
    return this.link.isUsed;
  }

  get #node(): KnownConnection {
    const node = this.#find();
    if (node !== undefined) return node;
    throw new ApiError('not_connected', `the flows have no broker "${this.id}" any more`);
  }

  get name(): string {
    return this.#find()?.name ?? this.id;
  }

  get shown(): ShownSettings {
    const shown = this.#find()?.shown;
    if (shown === undefined) return {};
    const { url, username, clientId, keepAlive, protocolVersion } = shown;
    return {
      ...(url !== undefined && addressOf(url)),
      ...(username !== undefined && { username }),
      client_id: clientId,
      keepalive: keepAlive,
      protocol_version: ({ 5: '5', 4: '3.1.1', 3: '3.1' } as const)[protocolVersion],
    };
  }

  get place(): string | undefined {
    this.#place ??= { place: brokerPlace(this.#find()?.shown ?? {}) };
    return this.#place.place;
  }

  get status(): ConnectionStatus {
    const gone: ConnectionStatus = { state: 'disconnected', reason: 'the flows have it no more' };
    return this.link.status ?? this.#find()?.status ?? gone;
  }

  async connect(): Promise<void> {
    const control = this.#control;
    // There is nothing to connect before somebody uses it.
    const { wanted } = this.#connection;
    if (wanted && this.status.state === 'connected') return;
    await control.connect().catch((error: unknown) => {
      if (!(error instanceof NotConnectedError)) throw error;
    });
  }

  disconnect(): Promise<void> {
    return this.#control.disconnect();
  }

  openFeed(): FeedLink {
    return sharedFeedLink(this.link);
  }

  async change(): Promise<void> {
    throw readOnly(this.name, 'a flow');
  }

  renew(): void {
    this.#place = undefined;
    this.link.renew();
  }

  async close(): Promise<void> {
    this.link.close();
  }

  get #connection(): Connection {
    try {
      return this.link.connection;
    } catch (error) {
      throw new ApiError('not_connected', (error as Error).message);
    }
  }

  get #control(): NonNullable<KnownConnection['control']> {
    const { control } = this.#node;
    if (control === undefined) throw readOnly(this.name, 'a flow');
    return control;
  }
}
