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
