import type { WillFields } from '../codec/connect-packet';
import type { QoS } from '../codec/packet-type';
import type { Message } from '../message';
import type { Subscription } from '../subscription';

/** A subscription without its session. */
export type SubscriptionFields = Omit<Subscription, 'session'>;

/** A QoS 1 or 2 message on its way to one session. */
export interface StoredDelivery {
  readonly id: number;
  /** Absent once PUBREC said that the client has it. */
  readonly message: Message | undefined;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  /** A retained message that a new subscription asked for. */
  readonly replayed: boolean;
  /** 0 until it was sent. */
  readonly packetId: number;
}

/** A session that outlived the broker. Times on the store's clock, ms. */
export interface StoredSession {
  readonly clientId: string;
  /** The user; empty for an anonymous client. */
  readonly owner: string;
  readonly store: SessionStore;
  readonly expiresAt: number;
  readonly will: { fields: WillFields; publishAt: number } | undefined;
  readonly subscriptions: Iterable<SubscriptionFields>;
  /** In the order in which they were queued. */
  readonly deliveries: Iterable<StoredDelivery>;
  /** Packet identifiers of QoS 2 messages that the client has not released. */
  readonly received: Iterable<number>;
}

/** One session that outlives its connections: what happens to it is told here, in the order in which it happens. */
export interface SessionStore {
  /** @param expiry seconds that the session is kept when the connection ends */
  connected(expiry: number, will: WillFields | undefined): void;
  /** The connection is over. Times on the store's clock, ms; `willAt` is Infinity when no will waits. */
  left(expiresAt: number, willAt: number): void;
  subscribed(subscription: SubscriptionFields): void;
  unsubscribed(filter: string): void;
  /** A QoS 1 or 2 message waits for the client. Returns the number of the delivery. */
  queued(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[],
    replayed: boolean,
  ): number;
  sent(delivery: number, packetId: number): void;
  /** PUBREC: the client has the message. */
  taken(delivery: number): void;
  /** The delivery is over, by the client's last acknowledgement or because the message is not sent any more. */
  done(delivery: number): void;
  /** The client sent a QoS 2 message. */
  received(packetId: number): void;
  /** PUBREL of the client. */
  released(packetId: number): void;
  ended(): void;
}

/**
 * Where the broker keeps what must outlive it. Changes are noted at once and become durable in groups: `position` counts
 * the changes noted, `durable` those that are kept whatever happens. What the broker sends because of a change goes out
 * when `durable` has reached it, and changes made between two calls of `commit` are kept together or not at all.
 */
export interface Store {
  readonly position: number;
  readonly durable: number;
  /** Why nothing can be made durable at present. */
  readonly fault: string | undefined;
  /** Nothing more must be added, because of a fault or the limit. */
  readonly full: boolean;
  /** Milliseconds of a clock that does not jump and that goes on over restarts. */
  readonly clock: () => number;

  /**
   * Reads what was kept, and says in words what of it was damaged.
   * @param listener called when `fault` has changed, and when `durable` has outside of `commit`
   * @throws StoreInUseError another broker uses the files
   * @throws StoreVersionError the files are of a version that is not known; they are not touched
   * @throws Error the directory cannot be used
   */
  open(listener: () => void): Promise<string[]>;
  /** Resolves when all is kept. */
  close(): Promise<void>;

  /** What `open` has read. */
  sessions(): Iterable<StoredSession>;
  retainedMessages(): Iterable<Message>;

  /** A place for a new session, or `undefined` when sessions end with the broker. */
  newSession(clientId: string, owner: string): SessionStore | undefined;
  retained(message: Message): void;
  retainedRemoved(topic: string): void;
  /** Starts to make durable what was noted so far. */
  commit(): void;
  /** To be called about once a second: notes the time, and tries to write again after a fault. */
  tend(): void;
}
