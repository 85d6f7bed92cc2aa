import type { ProtocolVersion, QoS } from './codec/packet-type';
import type { Page, PageRequest } from './page';
import type { BrokerStatistics } from './statistics';

export interface DisconnectRequest {
  clientId: string;
  /** In words, for an MQTT 5 client and the broker's events. */
  reason: string;
  /** Whether its session ends as well, also where the client is away. */
  endSession: boolean;
}

/** What a disconnect found. */
export interface DisconnectAnswer {
  /** The client was connected. */
  disconnected: boolean;
  /** Its session ended as well. */
  sessionEnded: boolean;
}

/** Which of the clients or sessions are wanted. */
export interface ListRequest extends PageRequest {
  /** What the client identifier contains; empty for all. */
  clientId: string;
}

export interface RetainedRequest extends PageRequest {
  /** Topic filter. */
  filter: string;
}

/** A client that is connected. */
export interface ClientEntry {
  clientId: string;
  /** Absent for an anonymous client. */
  username?: string;
  /** `host:port` of the peer, or `in-process`. */
  address: string;
  protocolVersion: ProtocolVersion;
  /** ISO 8601. */
  connectedAt: string;
  /** Since when nothing has come from it, ISO 8601. */
  idleSince: string;
  /** Seconds, 0 for none. */
  keepAlive: number;
  subscriptions: number;
  /** Messages that wait for it, and those that it has not acknowledged. */
  queued: number;
  inFlight: number;
}

/** A session, of a client that is connected or of one that is away. */
export interface SessionEntry {
  clientId: string;
  connected: boolean;
  /** When it ends unless its client comes back, ISO 8601; absent while the client is connected. */
  expiresAt?: string;
  /** Since when nothing has come from the client, ISO 8601; absent when that was before the broker started. */
  idleSince?: string;
  /** How many there are; the first of them follow. */
  subscriptionCount: number;
  subscriptions: Array<{ filter: string; qos: QoS }>;
  queued: number;
  inFlight: number;
}

/** A topic that was published to since the broker started. */
export interface PublishedTopic {
  topic: string;
  messages: number;
  /** Of the payloads. */
  bytes: number;
  /** When the last message came, ISO 8601. */
  lastAt: string;
  /** How many subscriptions match it, a shared one counted once. */
  subscriptions: number;
  /** Whether it has a retained message. */
  retained: boolean;
}

/** What the application that the broker runs in can ask of it, in one argument and one answer that can cross threads. */
export interface AdministrationCalls {
  /**
   * Publishes messages and resolves when those that must be kept are: as durable as one that a client gets acknowledged.
   * @param packets MQTT 5 PUBLISH packets, one after the other
   * @returns for each packet why it was not published, or `undefined`
   */
  publish(packets: ArrayBuffer): Promise<Array<string | undefined>>;
  /** Disconnects a client, which publishes its will. */
  disconnect(request: DisconnectRequest): Promise<DisconnectAnswer>;
  clients(request: ListRequest): Promise<Page<ClientEntry>>;
  sessions(request: ListRequest): Promise<Page<SessionEntry>>;
  /**
   * Topics that were published to, in the order in which they first were; 10,000 at most. New ones come behind, so that
   * the number of those already read is the offset of what is new.
   */
  topics(request: PageRequest): Promise<Page<PublishedTopic>>;
  /** @returns a batch of the messages, and the offset of the next page */
  retained(request: RetainedRequest): Promise<{ batch: ArrayBuffer; next?: number }>;
  /** Removes the retained messages that match a topic filter. @returns how many there were */
  clearRetained(filter: string): Promise<number>;
  /**
   * Reads the files of the TLS listeners again, now; connections keep what they were opened with.
   * @returns how many listeners have TLS
   */
  reloadTls(): Promise<number>;
  statistics(): Promise<BrokerStatistics>;
}
