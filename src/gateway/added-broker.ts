import type { ConnectionSettings, ConnectionStatus } from '../client/connection';
import type { ConnectionPool } from '../client/connection-pool';
import { BrokerLink } from './broker-link';
import { placeAt } from './broker-place';
import {
  BROKER_INPUT_SCHEMA,
  type BrokerInput,
  completed,
  connectionSettings,
  type ShownSettings,
  shownSettings,
} from './broker-settings';
import { type FeedLink, sharedFeedLink } from './feed-link';
import { connectNow, type GatewayBroker, readOnly } from './gateway-broker';
import { mergePatch } from './merge-patch';
import { checkValue } from './router';

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
    return placeAt(this.#input);
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
