import type { BrokerThread } from '../broker/broker-thread';
import type { Connection, ConnectionStatus } from '../client/connection';
import type { BridgeHandle } from '../ros/bridge-handle';
import type { RosTopicMapping } from '../topic/ros-topic';
import type { BrokerInput } from './broker-settings';
import type { GuardSettings } from './request-guard';

/** A broker that runs in this process, and a connection to it that is made when it is first used. */
export interface KnownEmbeddedBroker {
  /** In URLs and statistics: the node's id, or any text that stays the same. */
  id: string;
  name: string;
  broker: BrokerThread;
}

export interface KnownBridge {
  id: string;
  name: string;
  bridge: BridgeHandle;
  /** Where it is in MQTT; absent where it is at no broker. */
  at?: BrokerAddress | undefined;
}

/** By which a broker is known that connections lead to. */
export interface BrokerAddress {
  /** Absent where it is no network address. */
  url?: string;
  /** The id of the broker in this process that it is. */
  embedded?: string;
}

/** The settings of a connection, as far as callers see them. */
export interface KnownSettings extends BrokerAddress {
  username?: string;
  clientId: string;
  keepAlive: number;
  protocolVersion: 3 | 4 | 5;
}

/** A connection that somebody else has made and keeps: a configuration node of Node-RED. */
export interface KnownConnection {
  id: string;
  name: string;
  /** What is shown of its settings, no password among them; absent where they cannot be used. */
  shown?: KnownSettings;
  /** As it is, without using it. */
  readonly status: ConnectionStatus;
  /** The shared connection, opened by the first who asks; throws with the reason why there is none. */
  acquire(): Connection;
  /** To be called once for each `acquire`. */
  release(connection: Connection): void;
  /** Present where callers of the API may connect and disconnect it. */
  control?: { connect(): Promise<void>; disconnect(): Promise<void> };
}

/** What there is beside the brokers that callers add; asked anew at each call, as a deploy replaces it. */
export interface GatewaySources {
  connections?(): Iterable<KnownConnection>;
  embeddedBrokers?(): Iterable<KnownEmbeddedBroker>;
  bridges?(): Iterable<KnownBridge>;
}

/** What callers may take of this process. */
export interface GatewayLimits {
  /** Bytes of the body of a call. */
  bodyBytes: number;
  /** How long that may take to come, ms. */
  bodyTimeout: number;
  /** Calls that are being answered at a time. */
  calls: number;
  /** Brokers added by callers. */
  brokers: number;
  subscriptions: number;
  /** Bytes that the histories of all subscriptions may take together. */
  historyBytes: number;
  /** WebSockets. */
  readers: number;
  /** Bytes that may wait for a reader that is behind; beyond that it misses messages. */
  readerBytes: number;
  /** Messages that a reader may miss in a row, and others are sent, before it is cut off. */
  readerMissed: number;
  /** Bytes that may wait for all readers; beyond that those who are behind are cut off. */
  readersBytes: number;
}

export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 1024 * 1024,
  bodyTimeout: 10_000,
  calls: 256,
  brokers: 64,
  subscriptions: 512,
  historyBytes: 64 * 1024 * 1024,
  readers: 2000,
  readerBytes: 256 * 1024,
  readerMissed: 10_000,
  readersBytes: 64 * 1024 * 1024,
};

export interface GatewaySettings {
  /** Of the package. */
  version: string;
  /** The path below which it is mounted, such as `/admin/mqtt-ros/v1`; empty at the root. */
  path?: string;
  /** Who may call. */
  guard?: GuardSettings;
  sources?: GatewaySources;
  /** Brokers that a configuration file has, in the form in which callers add them, each with an id of its own. */
  brokers?: readonly (BrokerInput & { id: string })[];
  /** What topics stand for in ROS domains that no bridge has; where it is absent they stand for nothing. */
  mapping?: RosTopicMapping;
  limits?: Partial<GatewayLimits>;
}
