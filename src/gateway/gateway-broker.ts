import type { Connection, ConnectionSettings, ConnectionStatus } from '../client/connection';
import type { ConnectionPool } from '../client/connection-pool';
import { NotConnectedError } from '../client/errors';
import { ApiError } from './api-error';
import { BrokerLink } from './broker-link';
import { addressOf, brokerPlace } from './broker-place';
import {
  BROKER_INPUT_SCHEMA,
  type BrokerInput,
  completed,
  connectionSettings,
  type ShownSettings,
  shownSettings,
} from './broker-settings';
import { EmbeddedFeeds, type FeedLink, sharedFeedLink } from './feed-link';
import type { KnownConnection, KnownEmbeddedBroker } from './gateway-settings';
import { mergePatch } from './merge-patch';
import { checkValue } from './router';

/** Who has made a broker: a caller, the configuration file, a flow, or this process, in which it runs. */
type BrokerOrigin = 'api' | 'file' | 'node' | 'embedded';

/** A broker as callers see it. */
export interface GatewayBroker {
  readonly id: string;
  readonly name: string;
  readonly origin: BrokerOrigin;
  readonly link: BrokerLink;
  readonly shown: ShownSettings;
  /** See `brokerPlace`. */
  readonly place: string | undefined;
  readonly status: ConnectionStatus;
  /** Connects now, and keeps connected; resolves when the first attempt has come to something, which the status tells. */
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /**
   * What live messages are to be read by.
   * @param dropped hears how many messages more the broker has dropped, as the link was paused
   */
  openFeed(dropped: (count: number) => void): FeedLink;
  /** @throws ApiError it cannot be changed here, or not so */
  change(patch: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

/** How long a call to connect waits for what comes of the first attempt, ms. */
const CONNECT_TIMEOUT = 20_000;

const readOnly = (name: string, where: string): ApiError =>
  new ApiError('read_only', `broker "${name}" is of ${where}, and can only be changed there`);

/** A broker that a caller or the configuration file has described. */
export class AddedBroker implements GatewayBroker {
  readonly link: BrokerLink;
  readonly #pool: ConnectionPool;
  /** As it was given, but for the client id, which stays the same. */
  #given: BrokerInput;
  #input: ReturnType<typeof completed>;
  #settings: ConnectionSettings;
  #wanted = false;

  /** @throws ApiError it can be no broker */
  constructor(
    readonly id: string,
    readonly origin: 'api' | 'file',
    input: BrokerInput,
    pool: ConnectionPool,
  ) {
    this.#input = completed(input);
    this.#given = { ...input, client_id: this.#input.client_id };
    this.#settings = connectionSettings(this.#input);
    this.#pool = pool;
    this.link = new BrokerLink({
      // The one that comes after a change waits for the old one's end, as both may have one client id.
      acquire: () => pool.acquire(id, this.#settings, this.#wanted),
      release: (connection) => void pool.release(id, connection),
    });
  }

  /** Connects, where it is to connect at once. */
  begin(): void {
    if (this.#input.auto_connect !== true) return;
    this.#wanted = true;
    this.link.connection.open();
  }

  get name(): string {
    return this.#input.name;
  }

  get shown(): ShownSettings {
    return shownSettings(this.#input);
  }

  get place(): string {
    const { host, port } = this.#input;
    return `${host}:${port}`;
  }

  get status(): ConnectionStatus {
    return this.link.connection.status;
  }

  async connect(): Promise<void> {
    this.#wanted = true;
    await connectNow(this.link.connection);
  }

  disconnect(): Promise<void> {
    this.#wanted = false;
    return this.link.connection.disconnect();
  }

  openFeed(): FeedLink {
    return sharedFeedLink(this.link);
  }

  /** Connects anew with the changed settings, if it was to be connected. */
  async change(patch: Record<string, unknown>): Promise<void> {
    if (this.origin === 'file') throw readOnly(this.name, 'the configuration file');
    const changed = mergePatch(this.#given, patch) as BrokerInput;
    checkValue(BROKER_INPUT_SCHEMA, changed);
    const input = completed(changed);
    const settings = connectionSettings(input);
    this.#input = input;
    this.#given = { ...changed, client_id: input.client_id };
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    void this.#pool.close(this.id);
    this.link.renew();
  }

  async close(): Promise<void> {
    this.link.close();
    await this.#pool.close(this.id);
  }
}

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

/** What waits for its next attempt does not wait any longer. */
async function connectNow(connection: Connection): Promise<void> {
  if (connection.wanted && connection.status.state === 'connected') return;
  if (connection.wanted) await connection.disconnect();
  connection.open();
  let remove: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CONNECT_TIMEOUT);
    let begun = false;
    remove = connection.onStatus(({ state }) => {
      if (state === 'connecting') begun = true;
      else if (state !== 'disconnected' || begun) resolve();
    });
  });
  remove?.();
  clearTimeout(timer);
}
