import type { BrokerEvent } from '../broker/broker-event';
import type { BrokerThread } from '../broker/broker-thread';
import { IN_PROCESS } from '../broker/peer';
import { Connection, type ConnectionSettings } from '../client/connection';
import { BrokerLink } from './broker-link';
import type { KnownEmbeddedBroker } from './gateway-settings';

/** Bytes that may wait at the broker for a feed that does not read; beyond that the broker drops messages. */
const WAITING_BYTES = 64 * 1024;

/** What a feed of live messages reads by. */
export interface FeedLink {
  readonly link: BrokerLink;
  /** Has nothing more read until `resume`, where nobody else reads by it. */
  pause(): void;
  resume(): void;
  close(): void;
}

/** Of a broker that sees one connection for all: what one feed cannot take must not make the others wait. */
export function sharedFeedLink(link: BrokerLink): FeedLink {
  return { link, pause() {}, resume() {}, close() {} };
}

interface OwnFeed {
  readonly connection: Connection;
  readonly dropped: (count: number) => void;
}

/**
 * Feeds of live messages from a broker of this process, each by a connection of its own. Where more is published than the
 * readers may cost, the broker drops it before it has cost anything, and says how many messages that were.
 */
export class EmbeddedFeeds {
  readonly #find: () => KnownEmbeddedBroker | undefined;
  readonly #settings: ConnectionSettings;
  readonly #trunk: BrokerLink;
  readonly #feeds = new Map<string, OwnFeed>();
  readonly #closing = new Set<Promise<void>>();
  #heard: BrokerThread | undefined;
  #opened = 0;

  /**
   * @param settings of the connection that all else is done by
   * @param trunk the link over that connection
   */
  constructor(find: () => KnownEmbeddedBroker | undefined, settings: ConnectionSettings, trunk: BrokerLink) {
    this.#find = find;
    this.#settings = settings;
    this.#trunk = trunk;
  }

  /** Whether there are any. */
  get isUsed(): boolean {
    return this.#feeds.size > 0;
  }

  /** @param dropped hears how many messages more the broker has dropped, within seconds of when it did */
  open(dropped: (count: number) => void): FeedLink {
    const clientId = `${this.#settings.clientId}-live-${++this.#opened}`;
    const endpoint = { openStream: () => this.#openStream() };
    const connection = new Connection({ ...this.#settings, clientId, endpoint });
    this.#feeds.set(clientId, { connection, dropped });
    if (this.#trunk.connection.wanted) connection.open();
    const link = new BrokerLink({ acquire: () => connection, release() {} }, this.#trunk);
    return {
      link,
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      close: () => {
        if (!this.#feeds.delete(clientId)) return;
        link.close();
        // Without reading it would never come to the end.
        connection.resume();
        const closed = connection.close().then(() => {
          this.#closing.delete(closed);
        });
        this.#closing.add(closed);
        if (!this.isUsed) this.#hear(undefined);
      },
    };
  }

  connect(): void {
    for (const { connection } of this.#feeds.values()) connection.open();
  }

  async disconnect(): Promise<void> {
    await Promise.all([...this.#feeds.values()].map(({ connection }) => connection.disconnect()));
  }

  /** Resolves when the connections of feeds that were closed are closed. */
  async closed(): Promise<void> {
    await Promise.all(this.#closing);
  }

  #openStream() {
    const known = this.#find();
    if (known === undefined) throw new Error('the embedded broker is not there any more');
    this.#hear(known.broker);
    return known.broker.openStream({ ...IN_PROCESS, outputBytes: WAITING_BYTES });
  }

  /** Listens to the events of the broker that there is now: a deploy may have replaced it. */
  #hear(broker: BrokerThread | undefined): void {
    if (this.#heard === broker) return;
    this.#heard?.off('event', this.#onEvent);
    broker?.on('event', this.#onEvent);
    this.#heard = broker;
  }

  readonly #onEvent = (event: BrokerEvent): void => {
    if (event.type === 'dropped') this.#feeds.get(event.clientId)?.dropped(event.count);
  };
}
