import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { IPublishPacket } from 'mqtt';

/** At most once, at least once, exactly once. */
export type QoS = 0 | 1 | 2;

/** `reconnecting` and `error` are both being retried; `error` is what only a change of the settings or of the broker's mind can end. */
export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'error';

/** How a connection fares. */
export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Why it is not connected, in words: "Not authorized (0x87)". */
  readonly reason?: string;
  /** Which of several addresses it is about; without its query, which may hold a token. */
  readonly url?: string;
}

/** A message that the connection publishes on its own account. */
export interface Announcement {
  topic: string;
  payload: Buffer | string;
  qos: QoS;
  retain: boolean;
  /** MQTT 5 only. */
  properties?: MessageProperties;
}

/** The message that the broker publishes when the connection ends without a DISCONNECT (MQTT 5.0 section 3.1.2.5). */
export interface Will extends Announcement {
  /** Seconds that the broker waits for the client to come back; MQTT 5 only. */
  delay?: number;
}

/**
 * A network address, with others to be tried in turn when it cannot be reached; or a stream that is opened anew for
 * each attempt. `openStream` may throw with the reason why there is none.
 *
 * Addresses are `mqtt:`, `mqtts:`, `ws:` or `wss:` URLs without credentials.
 */
export type Endpoint = { url: string; alternatives?: readonly string[] } | { openStream: () => Duplex };

/**
 * Where a password or token is taken from, anew at each attempt to connect: an environment variable, a file (without
 * the line break at its end), or a function, which may throw with the reason why there is none.
 */
export type PasswordSource = { environment: string } | { file: string } | (() => string | Promise<string>);

/** Files that are read anew at each attempt to connect: PEM, or PKCS#12 for `pfx`. */
export interface TlsFiles {
  ca?: string;
  cert?: string;
  key?: string;
  pfx?: string;
}

/** What a network connection goes through. */
export interface ProxySettings {
  /** `http:` or `https:` (CONNECT), `socks5:` or `socks4:` (which know no user name), without credentials. */
  url: string;
  username?: string;
  password?: string;
}

/**
 * What happens to messages that cannot be sent yet. QoS 0 messages are treated like the others, unless `qos0` says
 * otherwise.
 */
export interface QueueSettings {
  /** Messages that may wait; 100,000 where nothing is said. */
  maxMessages?: number;
  /** Bytes of memory that they may take; 16 MiB where nothing is said. */
  maxBytes?: number;
  /**
   * What happens when it is full. `refuse` (the default) and `drop-newest` reject the message that is being published,
   * as refused or as dropped and counted; `drop-oldest` rejects those that have waited longest.
   */
  overflow?: 'refuse' | 'drop-oldest' | 'drop-newest';
  /** Seconds that a message may wait; for ever where nothing is said. Its own Message Expiry Interval counts as well. */
  expiry?: number;
  /** QoS 0 messages while there is no connection: `queue` (the default), or `refuse` them at once. */
  qos0?: 'queue' | 'refuse';
  /**
   * A directory of the connection's own, made if it is not there, in which messages of QoS 1 and 2 are kept until the
   * broker has acknowledged them, over restarts too. Their publishers hear that they are published when they are on
   * the disk; what becomes of them later, if it is bad, `Connection.onProblem` tells. So that QoS 2 stays exactly once
   * over a restart, the broker has to keep the session: no Clean Start, a client id, a session expiry.
   *
   * Where the broker does, the packet identifiers of received messages of QoS 2 are kept there too. A message counts as
   * received when its listeners have returned, or when the last of those who acknowledge has acknowledged: it comes
   * again if the process ends before that, and not if it ends later, whatever the listener has begun with it.
   */
  directory?: string;
}

/** Where a connection goes, as whom, and what it does there. */
export interface ConnectionSettings {
  endpoint: Endpoint;
  /** 3 is MQTT 3.1, 4 is MQTT 3.1.1. */
  protocolVersion: 3 | 4 | 5;
  clientId: string;
  /** Seconds, 0 to 65535; 0 turns keep alive off. */
  keepAlive: number;
  cleanStart: boolean;
  /** Seconds; MQTT 5 only. */
  sessionExpiry?: number;
  username?: string;
  password?: string | PasswordSource;
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  /** Replace what `tls` says of the same. */
  tlsFiles?: TlsFiles;
  proxy?: ProxySettings;
  /** For `ws:` and `wss:`: fields of the HTTP request. */
  webSocketHeaders?: Record<string, string>;
  will?: Will;
  /** Published after each CONNACK, before all that waits. */
  birth?: Announcement;
  /** Published before each DISCONNECT, after all that waits. */
  closing?: Announcement;
  /**
   * Asked when the connection was lost: whether what it has left unacknowledged, and what waits, is published on the next
   * one. It is where nothing is said; otherwise it is rejected.
   */
  publishAgain?: () => boolean;
  /** Whether closing the connection ends its subscriptions too, where the broker keeps the session; it does not where nothing is said. */
  unsubscribeOnClose?: boolean;
  /** User properties of CONNECT; MQTT 5 only. */
  userProperties?: Record<string, string | string[]>;
  /**
   * Received messages that may be unacknowledged at a time, 1 to 65,535. MQTT 5 tells the broker; on older versions
   * more may come, which then wait here.
   */
  receiveMaximum?: number;
  /** Bytes of the largest packet that the broker may send; what is larger ends the connection. Only MQTT 5 tells the broker. */
  maximumPacketSize?: number;
  /** Topic aliases that the broker may use; MQTT 5 only. */
  topicAliasMaximum?: number;
  /** Uses topic aliases for all that is published, as far as the broker allows; MQTT 5 only. */
  topicAliases?: boolean;
  /** Messages that may be unacknowledged at a time, if the broker allows as many; 256 where nothing is said. */
  maxInFlight?: number;
  /**
   * What happens to messages that cannot be sent yet. Where nothing is said they wait 10 s, so that a reconnect is
   * bridged, an outage reported; and are rejected at once while the broker refuses the connection.
   */
  queue?: QueueSettings;
  /** Delays between attempts to connect, ms: the first, doubling up to the longest; 250 and 30,000 where nothing is said. */
  reconnect?: { first?: number; longest?: number };
  /** Seconds for an attempt to connect, from the network address to CONNACK; 15 where nothing is said. */
  connectTimeout?: number;
}

/** MQTT 5 properties of an application message, named as MQTT.js names them. */
export type MessageProperties = Omit<
  NonNullable<IPublishPacket['properties']>,
  'subscriptionIdentifier' | 'topicAlias'
>;

/** What a message has beside topic name and payload. */
export interface PublishOptions {
  qos: QoS;
  retain: boolean;
  /** Left out on MQTT 3.1.1. */
  properties?: MessageProperties;
  /**
   * 1 to the broker's Topic Alias Maximum: the number that stands for the topic name from here on, until another topic
   * gets it or the connection ends. Left out on MQTT 3.1.1.
   */
  topicAlias?: number;
  /** Whether the payload is a Buffer whose memory nobody else uses, which is freed when the broker has acknowledged it. */
  ownsMemory?: boolean;
}

/** A message of QoS 0 that is sent at once or not at all. */
export interface Post {
  topic: string;
  /** Not to be changed any more. */
  payload: Buffer;
  /** Whether nobody else uses the payload's memory, which may be freed as soon as it is written. */
  ownsMemory?: boolean;
  retain: boolean;
  /** Left out on MQTT 3.1.1. Messages that share the topic and this very object share their encoding. */
  properties: MessageProperties;
  /** Further user properties, of this message alone. */
  userProperties: Readonly<Record<string, string>>;
}

/**
 * `offline`: there is no connection. `full`: too much waits for the network. `refused`: the topic name or a property is
 * invalid, or the broker has said that it does not take the message.
 */
export type PostOutcome = 'sent' | 'offline' | 'full' | 'refused';

/** What is known of a message that the broker has acknowledged; empty at QoS 0. */
export interface PublishReceipt {
  /** Packet identifier, at QoS 1 and 2. */
  packetId?: number;
  /** At QoS 1: MQTT 5 reason code of PUBACK, where it is not 0: 0x10 says that nobody has subscribed. */
  reasonCode?: number;
  /** It is on the disk, and will be sent: the broker has not acknowledged it yet. */
  stored?: true;
}

/** What a connection has under way, and what was lost since it was made. */
export interface ConnectionStatistics extends SessionStatistics {
  /** Messages that were dropped because too many waited: of QoS 0 for a listener that acknowledges itself, or for a listener to come back. */
  unprocessedDropped: number;
  /** Messages that came for subscriptions which the broker kept from an earlier run and nobody wants any more. */
  unrouted: number;
}

export interface SessionStatistics {
  /** Messages, and bytes of memory, that wait to be sent. */
  waiting: number;
  waitingBytes: number;
  /** Messages that were sent and are not acknowledged. */
  inFlight: number;
  /** Messages that were dropped from the queue because it was full, and that expired in it. */
  dropped: number;
  expired: number;
  /** Received messages of QoS 1 and 2 that are not acknowledged. */
  unanswered: number;
  /** ms of the last ping on this connection. */
  roundTrip: number | undefined;
  /** Why messages that should be on the disk are in memory only. */
  diskFault: string | undefined;
}

/** MQTT 5.0 section 3.8.3.1. */
export interface SubscribeOptions {
  qos: QoS;
  /** MQTT 5 only. */
  noLocal?: boolean;
  /** MQTT 5 only. */
  retainAsPublished?: boolean;
  /** 0 and 1: retained messages are wanted, also by a listener that joins a filter already subscribed; 2: they are not. */
  retainHandling?: 0 | 1 | 2;
  /** The payload may be gone when `message()` returns, for a listener that has no use for it any more, or takes it with `kept`. */
  lent?: boolean;
  /** Present: the listener says itself when it is done with a message. Absent: it is when `message()` returns. */
  acknowledgement?: Acknowledgement;
}

/**
 * How a listener acknowledges messages itself. PUBACK or PUBREC waits for its `acknowledge()`, in the order in which the
 * messages came [MQTT-4.6.0-2]: one that is not acknowledged holds up the answers to all later ones of the connection,
 * so that such a listener should have a connection of its own, with a Receive Maximum that says how many messages may
 * be unacknowledged. What is unacknowledged when the connection ends is sent again by a broker that keeps the session.
 */
export interface Acknowledgement {
  /** Seconds for a message; then it is refused (0x83 in MQTT 5), and the listener hears `unacknowledged()`. Unbounded where nothing is said. */
  timeout?: number;
  /** Messages that the listener has at a time, the others wait their turn; any number where nothing is said. */
  concurrency?: number;
  /** Messages of QoS 0 that may wait so, the oldest are dropped beyond; 1,000 where nothing is said, at most 16 MiB. */
  maxWaiting?: number;
}

/** A message that matched a subscription. */
export interface ReceivedMessage {
  topic: string;
  /** Shared by all who receive the message: copy it before changing it. */
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  /** It may have come before [MQTT-3.3.1-1]. */
  dup: boolean;
  /** At QoS 1 and 2. */
  packetId?: number;
  properties?: MessageProperties;
  /**
   * For a listener that acknowledges itself: says that it is done with the message. Only the first call counts.
   * @param reasonCode of 0x80 or more: refuses the message, which MQTT 5 tells the broker
   */
  acknowledge?(reasonCode?: number): void;
}

/** Whether the broker keeps the session for the next run. */
export function isLasting({
  protocolVersion,
  cleanStart,
  sessionExpiry = 0,
}: Pick<ConnectionSettings, 'protocolVersion' | 'cleanStart' | 'sessionExpiry'>): boolean {
  return !cleanStart && (protocolVersion < 5 || sessionExpiry > 0);
}

/**
 * The settings of a further session, in which nothing is published: with the client id's `suffix`, and without what a
 * client says of itself. What it receives at QoS 2 is kept in a folder of its own where that outlives this run.
 */
export function furtherSession(
  settings: ConnectionSettings,
  suffix: string,
  folder: string,
): ConnectionSettings {
  const { will: _will, birth: _birth, closing: _closing, queue, ...rest } = settings;
  const directory = isLasting(settings) ? queue?.directory : undefined;
  return {
    ...rest,
    clientId: settings.clientId + suffix,
    ...(directory !== undefined && { queue: { directory: join(directory, folder) } }),
  };
}
