import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { watchFilterFault } from '../topic/topic-filter';
import { ApiError } from './api-error';
import type { Brokers } from './brokers';
import { FanOut } from './fan-out';
import type { GatewayBroker } from './gateway-broker';
import { objectOf } from './json-schema';
import { LiveFeed } from './live-feed';
import { LiveReader, type ReaderBounds, type ReaderCounts } from './live-reader';
import { TOPIC_SCHEMA } from './message-schema';
import { type Operation, operation } from './operation';
import type { RequestGuard } from './request-guard';
import type { RosNames } from './ros-names';
import { Tickets } from './tickets';

/** How often readers are asked for a sign of life, ms. */
const PING_INTERVAL = 30_000;
/** How long a reader may take to answer a close frame, ms. */
const CLOSE_TIMEOUT = 5000;
/** Of what readers send, which is nothing. */
const MAX_RECEIVED = 1024;
const GOING_AWAY = 1001;

interface LiveSettings {
  /** The path below which the gateway is mounted; empty at the root. */
  path: string;
  guard: RequestGuard;
  brokers: Brokers;
  rosNames: RosNames;
  /** Readers at a time. */
  most: number;
  bounds: ReaderBounds;
}

/** The WebSockets: `/ws/{broker_id}/{topic filter}`. */
export class Live {
  readonly #settings: LiveSettings;
  readonly #tickets = new Tickets();
  readonly #server: WebSocketServer;
  readonly #fanOut = new FanOut();
  readonly #feeds = new Map<string, LiveFeed>();
  readonly #readers = new Set<LiveReader>();
  readonly #counts: ReaderCounts = { held: 0, sent: 0, missed: 0, cutOff: 0 };
  #pinging: NodeJS.Timeout | undefined;

  constructor(settings: LiveSettings) {
    this.#settings = settings;
    // The type lags behind the package.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_RECEIVED,
      closeTimeout: CLOSE_TIMEOUT,
    };
    this.#server = new WebSocketServer(options);
  }

  get statistics(): ReaderCounts & { readers: number; feeds: number } {
    return { ...this.#counts, readers: this.#readers.size, feeds: this.#feeds.size };
  }

  /** The call that gives tickets. */
  get operations(): Operation[] {
    const { brokers, path } = this.#settings;
    return [
      operation({
        method: 'POST',
        path: '/ws/tickets',
        operationId: 'issueTicket',
        summary: 'A ticket to listen on a WebSocket',
        description:
          'Good for one connection within 30 s, as `GET` of the `url` that comes with it. Each frame is a JSON object of `type` `subscribed`, `message`, `missed` (`count` messages were not sent, as this reader or the gateway was too slow) or `error`.',
        permission: 'read',
        body: objectOf({
          broker_id: { type: 'string' },
          topic: { ...TOPIC_SCHEMA, description: 'A topic filter' },
        }),
        answer: {
          status: 201,
          description: 'The ticket',
          schema: objectOf({
            ticket: { type: 'string' },
            url: { type: 'string', description: 'Path and query of the WebSocket, on this server' },
            expires_at: { type: 'string', format: 'date-time' },
          }),
        },
        errors: ['not_found'],
        run: ({ body: { broker_id: id, topic } }) => {
          brokers.get(id, 'broker_id');
          checkFilter(topic);
          const { ticket, expiresAt } = this.#tickets.issue(keyOf(id, topic));
          const place = `${path}/ws/${encodeURIComponent(id)}/${encodeURIComponent(topic)}`;
          return { ticket, url: `${place}?ticket=${ticket}`, expires_at: expiresAt.toISOString() };
        },
      }),
    ];
  }

  /**
   * Takes a WebSocket.
   * @param url behind the mount path
   * @throws ApiError it is refused, and nothing has been answered
   */
  accept(request: IncomingMessage, url: string, socket: Duplex, head: Buffer): void {
    const { guard, brokers, most } = this.#settings;
    guard.checkUpgradeSite(request);
    const { id, filter, ticket } = placeOf(url);
    const isGood = ticket !== undefined && this.#tickets.redeem(ticket, keyOf(id, filter));
    if (ticket !== undefined && !isGood) {
      throw new ApiError('unauthorized', 'the ticket is not good for this, or not any more');
    }
    if (!isGood) guard.authoriseUpgrade(request);
    const broker = brokers.get(id);
    checkFilter(filter);
    if (this.#readers.size >= most) throw new ApiError('limit_reached', `there are ${most} readers already`);
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      this.#begin(webSocket, socket, broker, filter),
    );
  }

  /** Ends the readers of a broker that has been removed. */
  removeOf({ id }: GatewayBroker): void {
    for (const [key, feed] of this.#feeds) {
      if (key.startsWith(`${id} `)) feed.end(GOING_AWAY, 'the broker has been removed');
    }
  }

  close(): void {
    clearInterval(this.#pinging);
    this.#pinging = undefined;
    for (const reader of this.#readers) reader.terminate();
    for (const feed of this.#feeds.values()) feed.close();
    this.#feeds.clear();
    this.#fanOut.close();
  }

  #begin(webSocket: WebSocket, socket: Duplex, broker: GatewayBroker, filter: string): void {
    const key = keyOf(broker.id, filter);
    const feed =
      this.#feeds.get(key) ??
      new LiveFeed(broker, filter, this.#settings.rosNames, { fanOut: this.#fanOut, counts: this.#counts });
    const reader = new LiveReader(webSocket, socket, this.#settings.bounds, this.#counts, () => {
      this.#readers.delete(reader);
      feed.remove(reader);
      if (this.#readers.size === 0) {
        clearInterval(this.#pinging);
        this.#pinging = undefined;
      }
      if (feed.readers > 0) return;
      feed.close();
      if (this.#feeds.get(key) === feed) this.#feeds.delete(key);
    });
    this.#readers.add(reader);
    this.#pinging ??= setInterval(() => {
      for (const each of this.#readers) each.ping();
    }, PING_INTERVAL);
    if (!this.#feeds.has(key)) {
      try {
        feed.open();
      } catch (error) {
        reader.fail({ error: { code: 'not_connected', message: (error as Error).message } });
        return;
      }
      this.#feeds.set(key, feed);
    }
    feed.add(reader);
  }
}

const keyOf = (id: string, filter: string): string => `${id} ${filter}`;

/** What a URL names; the filter may have its slashes as they are or encoded. */
function placeOf(url: string): { id: string; filter: string; ticket: string | undefined } {
  const [, id, filter, query] = /^\/ws\/([^/?]+)\/([^?]+)(?:\?(.*))?$/s.exec(url) ?? [];
  if (id === undefined || filter === undefined) {
    throw new ApiError(
      'not_found',
      'there is no WebSocket at this path, expected /ws/<broker>/<topic filter>',
    );
  }
  const parameters = new URLSearchParams(query ?? '');
  for (const name of parameters.keys()) {
    if (name === 'ticket') continue;
    throw new ApiError('invalid_request', `there is no parameter "${name.slice(0, 60)}", expected ticket`);
  }
  try {
    return {
      id: decodeURIComponent(id),
      filter: decodeURIComponent(filter),
      ticket: parameters.get('ticket') ?? undefined,
    };
  } catch {
    throw new ApiError('invalid_request', 'the path is not URL-encoded UTF-8');
  }
}

function checkFilter(filter: string): void {
  const fault = watchFilterFault(filter);
  if (fault !== undefined) throw new ApiError('invalid_field', fault, { field: 'topic' });
}
