import { topicFilterFault } from '../topic/topic-filter';
import type {
  AdministrationCalls,
  ClientEntry,
  DisconnectAnswer,
  DisconnectRequest,
  ListRequest,
  PublishedTopic,
  RetainedRequest,
  SessionEntry,
} from './administration-calls';
import type { Broker, ClientDetails } from './broker';
import { PacketFramer } from './codec/packet-framer';
import { ProtocolError } from './codec/protocol-error';
import { PublishView } from './codec/publish-packet';
import { batchOf, messageRecord } from './message-batch';
import { type Page, type PageRequest, pageOf } from './page';
import type { Session } from './session/session';
import type { BrokerStatistics } from './statistics';

/** Largest packet that MQTT has, with its fixed header. */
const LARGEST_PACKET = 268_435_460;
/** Retained messages removed before others get their turn. */
const REMOVED_AT_ONCE = 1000;
/** Subscriptions that a session is listed with. */
const LISTED_SUBSCRIPTIONS = 100;

interface Waiting {
  position: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** A listener as far as its TLS files go. */
export interface ReloadingListener {
  /**
   * Reads the files again and says whether there are any.
   * @throws ListenerError what they hold cannot be used, and what they held before still is
   */
  reloadTls(): Promise<boolean>;
}

/**
 * Executes what the application asks, as durable as what a client asks: an answer waits for the store, and fails with the
 * reason when the store does.
 */
export class Administration implements AdministrationCalls {
  readonly #broker: Broker;
  readonly #listeners: readonly ReloadingListener[];
  readonly #view = new PublishView();
  /** Waits for the store, in the order of positions. */
  #waiting: Waiting[] = [];

  /** @param broker its store tells changes to `storeChanged` */
  constructor(broker: Broker, listeners: readonly ReloadingListener[]) {
    this.#broker = broker;
    this.#listeners = listeners;
  }

  async publish(packets: ArrayBuffer): Promise<Array<string | undefined>> {
    const faults: Array<string | undefined> = [];
    const framer = new PacketFramer(LARGEST_PACKET, (_header, bytes, packetStart, start, end) => {
      faults.push(this.#publish(bytes, packetStart, start, end));
      return true;
    });
    framer.push(Buffer.from(packets));
    await this.#kept();
    return faults;
  }

  async disconnect({ clientId, reason, endSession }: DisconnectRequest): Promise<DisconnectAnswer> {
    const broker = this.#broker;
    const hadSession = broker.hasSession(clientId);
    const disconnected = broker.endClient(clientId, reason);
    if (endSession) broker.endSession(clientId, broker.store.clock());
    await this.#kept();
    return { disconnected, sessionEnded: hadSession && !broker.hasSession(clientId) };
  }

  async clients({ clientId, ...page }: ListRequest): Promise<Page<ClientEntry>> {
    const broker = this.#broker;
    const dayOffset = dayOffsetOf(broker.store.clock());
    const wanted = map(broker.clients(), ({ session, details }) =>
      session.clientId.includes(clientId) ? clientEntry(session, details, dayOffset) : undefined,
    );
    return pageOf(wanted, page, (entry) => entry.clientId.length);
  }

  async sessions({ clientId, ...page }: ListRequest): Promise<Page<SessionEntry>> {
    const dayOffset = dayOffsetOf(this.#broker.store.clock());
    const wanted = map(this.#broker.sessions(), ({ session, expiresAt, activeAt }) =>
      session.clientId.includes(clientId) ? sessionEntry(session, expiresAt, activeAt, dayOffset) : undefined,
    );
    return pageOf(wanted, page, ({ clientId: id, subscriptions }) =>
      subscriptions.reduce((sum, { filter }) => sum + filter.length, id.length),
    );
  }

  async topics(page: PageRequest): Promise<Page<PublishedTopic>> {
    const broker = this.#broker;
    const now = broker.store.clock();
    const dayOffset = dayOffsetOf(now);
    const { entries, ...rest } = pageOf(broker.topics, page, ({ topic }) => topic.length);
    return {
      ...rest,
      entries: entries.map(({ topic, messages, bytes, lastAt }) => ({
        ...{ topic, messages, bytes, lastAt: timeOf(lastAt, dayOffset) },
        subscriptions: broker.subscriptionsTo(topic),
        retained: broker.retention.matching(topic, now, 1).length > 0,
      })),
    };
  }

  async retained({ filter, ...page }: RetainedRequest): Promise<{ batch: ArrayBuffer; next?: number }> {
    checkFilter(filter);
    const now = this.#broker.store.clock();
    // One more says whether there is another page.
    const matching = this.#broker.retention.matching(filter, now, page.offset + page.limit + 1);
    const { entries, next } = pageOf(matching, page, ({ size }) => size);
    const records = entries.map((message) =>
      messageRecord(message, message.qos, true, message.remainingExpiry(now), message.publisher),
    );
    return { batch: batchOf(records), ...(next !== undefined && { next }) };
  }

  async clearRetained(filter: string): Promise<number> {
    checkFilter(filter);
    let removed = 0;
    let last = REMOVED_AT_ONCE;
    // Not more than there are now, however fast others publish.
    for (let left = this.#broker.statistics.retained; left > 0 && last === REMOVED_AT_ONCE; left -= last) {
      if (removed > 0) await new Promise(setImmediate);
      last = this.#broker.retention.clear(
        filter,
        this.#broker.store.clock(),
        Math.min(left, REMOVED_AT_ONCE),
      );
      removed += last;
    }
    await this.#kept();
    return removed;
  }

  async reloadTls(): Promise<number> {
    const reloaded = await Promise.all(this.#listeners.map((listener) => listener.reloadTls()));
    return reloaded.filter((hasTls) => hasTls).length;
  }

  async statistics(): Promise<BrokerStatistics> {
    const { statistics } = this.#broker;
    statistics.sessionsAway = this.#broker.away;
    return statistics;
  }

  /** The broker's store has made changes durable, or has failed. */
  storeChanged(): void {
    const { durable, fault } = this.#broker.store;
    this.#waiting = this.#waiting.filter(({ position, resolve, reject }) => {
      if (position <= durable) resolve();
      else if (fault !== undefined) reject(notKept(fault));
      else return true;
      return false;
    });
  }

  #publish(bytes: Buffer, packetStart: number, start: number, end: number): string | undefined {
    const size = end - packetStart;
    const { packetSize } = this.#broker.limits;
    if (size > packetSize) return `a packet of ${size} bytes is larger than the limit of ${packetSize}`;
    try {
      this.#view.parse(bytes, packetStart, start, end, true);
      this.#broker.router.publishOwn(this.#view, this.#broker.store.clock());
      return undefined;
    } catch (error) {
      if (error instanceof ProtocolError) return error.message;
      throw error;
    }
  }

  #kept(): Promise<void> {
    const { store } = this.#broker;
    store.commit();
    const { position, durable, fault } = store;
    if (position <= durable) return Promise.resolve();
    if (fault !== undefined) return Promise.reject(notKept(fault));
    return new Promise((resolve, reject) => this.#waiting.push({ position, resolve, reject }));
  }
}

function notKept(fault: string): Error {
  return new Error(`what was asked is done, but cannot be kept: ${fault}`);
}

function* map<T, U>(all: Iterable<T>, to: (one: T) => U | undefined): Generator<U> {
  for (const one of all) {
    const mapped = to(one);
    if (mapped !== undefined) yield mapped;
  }
}

function clientEntry(session: Session, details: ClientDetails, dayOffset: number): ClientEntry {
  const { peer, username, version, keepAlive, connectedAt, activeAt } = details;
  return {
    clientId: session.clientId,
    ...(username !== undefined && { username }),
    address: peer.address,
    protocolVersion: version,
    connectedAt: timeOf(connectedAt, dayOffset),
    idleSince: timeOf(activeAt, dayOffset),
    keepAlive,
    subscriptions: session.subscriptions.size,
    queued: session.queued,
    inFlight: session.inFlight,
  };
}

function sessionEntry(
  session: Session,
  expiresAt: number | undefined,
  activeAt: number | undefined,
  dayOffset: number,
): SessionEntry {
  const { clientId, subscriptions, queued, inFlight } = session;
  const listed: SessionEntry['subscriptions'] = [];
  for (const { filter, qos } of subscriptions.values()) {
    if (listed.length === LISTED_SUBSCRIPTIONS) break;
    listed.push({ filter, qos });
  }
  return {
    clientId,
    connected: session.connected,
    ...(expiresAt !== undefined && { expiresAt: timeOf(expiresAt, dayOffset) }),
    ...(activeAt !== undefined && { idleSince: timeOf(activeAt, dayOffset) }),
    subscriptionCount: subscriptions.size,
    subscriptions: listed,
    queued,
    inFlight,
  };
}

/**
 * What makes a time on the broker's clock one of day, where that shows `now`. To be looked at once for an answer: between
 * two looks a millisecond may pass, by which its times would be apart.
 */
function dayOffsetOf(now: number): number {
  return Date.now() - now;
}

function timeOf(time: number, dayOffset: number): string {
  return new Date(dayOffset + time).toISOString();
}

function checkFilter(filter: string): void {
  const fault = topicFilterFault(filter);
  if (fault !== undefined) throw new Error(fault);
}
