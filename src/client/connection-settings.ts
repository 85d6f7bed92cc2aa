import type { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { IPublishPacket } from 'mqtt';

export type QoS = 0 | 1 | 2;

/** `reconnecting` and `error` are both being retried; `error` is what only a change of the settings or of the broker's mind can end. */
export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'error';

export interface ConnectionStatus {
  readonly state: ConnectionState;
  /** Why it is not connected, in words: "Not authorized (0x87)". */
  readonly reason?: string;
}

/** The message that the broker publishes when the connection ends without a DISCONNECT (MQTT 5.0 section 3.1.2.5). */
export interface Will {
  topic: string;
  payload: Buffer | string;
  qos: QoS;
  retain: boolean;
}

/** A network address, or a stream that is opened anew for each attempt; `openStream` may throw with the reason why there is none. */
export type Endpoint = { url: string } | { openStream: () => Duplex };

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
}

export interface ConnectionSettings {
  /** `mqtt:`, `mqtts:`, `ws:` or `wss:` URL without credentials, or an in-process stream. */
  endpoint: Endpoint;
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5;
  clientId: string;
  /** Seconds, 0 to 65535; 0 turns keep alive off. */
  keepAlive: number;
  cleanStart: boolean;
  /** Seconds; MQTT 5 only. */
  sessionExpiry?: number;
  username?: string;
  password?: string;
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  will?: Will;
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

export interface PublishOptions {
  qos: QoS;
  retain: boolean;
  /** Left out on MQTT 3.1.1. */
  properties?: MessageProperties;
}

/** What is known of a message that the broker has acknowledged; empty at QoS 0. */
export interface PublishReceipt {
  /** Packet identifier, at QoS 1 and 2. */
  packetId?: number;
  /** MQTT 5 reason code of PUBACK or PUBCOMP, where it is not 0: 0x10 says that nobody has subscribed. */
  reasonCode?: number;
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
}

export interface ReceivedMessage {
  topic: string;
  /** Shared by all who receive the message: copy it before changing it. */
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  properties?: MessageProperties;
}
