import { randomBytes } from 'node:crypto';
import type { Connection, PublishOptions, ReceivedMessage, Subscription } from './connection';
import { PublishError } from './errors';

/** Requests of one requester that may wait for their replies. */
const MAX_PENDING = 1000;
/** Filters of replies that are kept subscribed for the next request; MQTT 3.1.1 needs one per request topic. */
const MAX_FILTERS = 100;
const REQUEST_LEVEL = '@req';
const REPLY_LEVEL = '@rep';

/** No reply to a request, and the message says why. */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  constructor(topic: string, reason: string) {
    super(`no reply to the request on "${topic}": ${reason}`);
  }
}

interface Pending {
  readonly topic: string;
  readonly replies: Replies;
  settle(outcome: ReceivedMessage | Error): void;
}

interface Replies {
  readonly filter: string;
  subscription?: Subscription;
  granted: Promise<void>;
  pending: number;
}

/** What a request is published with, and where its reply comes. */
interface Place {
  readonly id: string;
  readonly topic: string;
  readonly replyFilter: string;
  readonly properties: PublishOptions['properties'];
}

/**
 * Requests over MQTT: publishes each with a place for its reply, and matches the replies, each once and in any order.
 *
 * MQTT 5 (section 4.10): the Response Topic is `<prefix>/<random>/<number>` and the Correlation Data the number, so that
 * responders are understood who return only one of them; one subscription serves all requests. MQTT 3.1.1 and 3.1,
 * which have neither: `t` is asked at `t/@req/<id>` and answers at `t/@rep/<id>`; a topic may itself end with `/@req`.
 */
export class Requester {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #name = randomBytes(6).toString('hex');
  readonly #pending = new Map<string, Pending>();
  readonly #replies = new Map<string, Replies>();
  #last = 0;

  /** @param prefix levels that response topics begin with */
  constructor(connection: Connection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /**
   * Publishes a request and resolves with its reply. Rejects with RequestError when there is none within `timeout`
   * seconds, with too many requests waiting or after close(); with SubscribeError or PublishError when it cannot be asked.
   */
  async request(
    topic: string,
    payload: Buffer | string,
    options: PublishOptions,
    timeout: number,
  ): Promise<ReceivedMessage> {
    if (this.#pending.size >= MAX_PENDING) {
      throw new RequestError(topic, `${MAX_PENDING} others wait for theirs`);
    }
    const place = this.#placeOf(topic, options, timeout);
    const replies = this.#repliesFor(place.replyFilter);
    return new Promise((resolve, reject) => {
      const settle = (outcome: ReceivedMessage | Error): void => {
        if (!this.#pending.delete(place.id)) return;
        clearTimeout(timer);
        replies.pending--;
        if (outcome instanceof Error) reject(outcome);
        else resolve(outcome);
      };
      const late = () => settle(new RequestError(topic, `none within ${timeout} s`));
      const timer = setTimeout(late, timeout * 1000);
      this.#pending.set(place.id, { topic, replies, settle });
      replies.pending++;
      replies.granted
        .then(async () => {
          if (!this.#pending.has(place.id)) return;
          const { qos, retain } = options;
          await this.#connection.publish(place.topic, payload, {
            qos,
            retain,
            ...(place.properties && { properties: place.properties }),
          });
        })
        .catch((error: Error) => settle(error));
    });
  }

  /** Rejects what waits, and leaves the replies. */
  close(): void {
    for (const { topic, settle } of [...this.#pending.values()]) settle(new RequestError(topic, 'closed'));
    for (const { subscription } of this.#replies.values()) subscription?.close();
    this.#replies.clear();
  }

  #placeOf(topic: string, options: PublishOptions, timeout: number): Place {
    const number = String(++this.#last);
    // Nobody is to do late what nobody waits for any more. Before MQTT 5 that bounds the wait in the queue alone.
    const properties = { messageExpiryInterval: Math.ceil(timeout), ...options.properties };
    if (this.#connection.protocolVersion === 5) {
      const prefix = `${this.#prefix}/${this.#name}`;
      const own = { responseTopic: `${prefix}/${number}`, correlationData: Buffer.from(number) };
      return { id: number, topic, replyFilter: `${prefix}/+`, properties: { ...properties, ...own } };
    }
    const id = `${this.#name}-${number}`;
    const base = topic.endsWith(`/${REQUEST_LEVEL}`) ? topic.slice(0, -REQUEST_LEVEL.length - 1) : topic;
    if (base === '') throw new PublishError(topic, 'a request has a topic before /@req');
    return {
      id,
      topic: `${base}/${REQUEST_LEVEL}/${id}`,
      replyFilter: `${base}/${REPLY_LEVEL}/+`,
      properties,
    };
  }

  #repliesFor(filter: string): Replies {
    const present = this.#replies.get(filter);
    // The last that was used is the last to go.
    this.#replies.delete(filter);
    if (present !== undefined) {
      this.#replies.set(filter, present);
      return present;
    }
    for (const [idle, { pending, subscription }] of this.#replies) {
      if (this.#replies.size < MAX_FILTERS) break;
      if (pending > 0) continue;
      subscription?.close();
      this.#replies.delete(idle);
    }
    const replies: Replies = { filter, granted: Promise.resolve(), pending: 0 };
    replies.granted = new Promise((resolve, reject) => {
      replies.subscription = this.#connection.subscribe(
        filter,
        { qos: 2 },
        {
          message: (message) => this.#match(message),
          result: (error) => {
            if (error === undefined) resolve();
            else {
              this.#giveUp(replies, error);
              reject(error);
            }
          },
        },
      );
    });
    // Whoever waits hears of it; also when nobody waits any more.
    replies.granted.catch(() => {});
    this.#replies.set(filter, replies);
    return replies;
  }

  /** The replies are refused, at first or after a reconnect: the next request asks anew. */
  #giveUp(replies: Replies, error: Error): void {
    replies.subscription?.close();
    if (this.#replies.get(replies.filter) === replies) this.#replies.delete(replies.filter);
    for (const pending of [...this.#pending.values()]) if (pending.replies === replies) pending.settle(error);
  }

  #match(reply: ReceivedMessage): void {
    const id = reply.topic.slice(reply.topic.lastIndexOf('/') + 1);
    const correlation = reply.properties?.correlationData;
    if (correlation !== undefined && correlation.toString() !== id) return;
    this.#pending.get(id)?.settle(reply);
  }
}

/** Where MQTT 3.1.1 wants the reply to a request that came on this topic, see Requester; `undefined` when it is none. */
export function replyTopicOf(topic: string): string | undefined {
  const levels = topic.split('/');
  const at = levels.length - 2;
  if (at < 1 || levels[at] !== REQUEST_LEVEL) return undefined;
  return levels.with(at, REPLY_LEVEL).join('/');
}
