import type { ConnectionState } from '../client/connection-settings';
import { newHistogram } from './latency-histogram';

/** One broker that this one is joined to. */
export interface UpstreamStatistics {
  name: string;
  state: ConnectionState;
  /** Why it is not connected, in words. */
  reason?: string;
  /** PUBLISH packets sent there. */
  sent: number;
  /** Messages that came from there and were taken. */
  received: number;
  /** Messages that wait to go there now, besides those in flight. */
  queued: number;
  /** Messages that the broker there did not take. */
  refused: number;
  /** Messages not taken from there because they had come from there before, and came round. */
  looped: number;
}

/** What the broker counts. Totals since it started, except where it says "now". */
export interface BrokerStatistics {
  /** Connected clients now. */
  clients: number;
  /** PUBLISH packets received. */
  messagesReceived: number;
  /** The same each second, now: over the last second. */
  receivedPerSecond: number;
  /** PUBLISH packets sent. */
  messagesSent: number;
  /** Packets of every type received. */
  packetsReceived: number;
  packetsSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** Bytes of the payloads of PUBLISH packets. */
  payloadBytesReceived: number;
  payloadBytesSent: number;
  /** Retained messages now. */
  retained: number;
  /** Subscriptions of all sessions now. */
  subscriptions: number;
  /** Topics that were published to, apart from those below `$SYS`; 10,000 at most are told apart. */
  topics: number;
  /** Messages that a limit kept from a subscriber or from being retained. */
  dropped: number;
  /** Messages whose time ran out before a subscriber got them, and retained ones whose time ran out. */
  expired: number;
  /** Messages refused to their publishers, as there was no memory or no room on disk for them. */
  publishRefused: number;
  /** Bytes now of all that is held for clients, rounded up. */
  heldBytes: number;
  /** Connections that ended before they could speak MQTT: for a limit, or for what came instead. */
  connectionsRefused: number;
  /** Passwords, tokens and proofs that were wrong. */
  loginsFailed: number;
  /** What the access rules did not allow: messages and subscriptions of clients, and messages to them. */
  denied: number;
  /** Clients now that are not read because they have sent more than their rate allows. */
  throttled: number;
  /** How long clients were not read for that, together, ms. */
  throttledTime: number;
  connectionsOpened: number;
  /** Sessions now of clients that are away. */
  sessionsAway: number;
  /** CONNECT packets accepted. */
  clientsAccepted: number;
  /** Sessions whose time ran out while their client was away. */
  sessionsExpired: number;
  /** Messages not taken because they had left by an upstream before, and came round. */
  looped: number;
  /** Brokers that this one is joined to. */
  upstreams: UpstreamStatistics[];
  /** Turns of the event loop in which something was sent, and the time that they took together, ms. */
  turns: number;
  turnTime: number;
  /** The longest such turn since the topics below `$SYS` were last brought up to date, ms. */
  longestTurn: number;
  /** Messages sent by how long the turn took that they were sent in: a histogram of `latency-histogram`. */
  latencies: number[];
}

export function newStatistics(): BrokerStatistics {
  return {
    clients: 0,
    messagesReceived: 0,
    receivedPerSecond: 0,
    messagesSent: 0,
    packetsReceived: 0,
    packetsSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    payloadBytesReceived: 0,
    payloadBytesSent: 0,
    retained: 0,
    subscriptions: 0,
    topics: 0,
    dropped: 0,
    expired: 0,
    publishRefused: 0,
    heldBytes: 0,
    connectionsRefused: 0,
    loginsFailed: 0,
    denied: 0,
    throttled: 0,
    throttledTime: 0,
    connectionsOpened: 0,
    sessionsAway: 0,
    clientsAccepted: 0,
    sessionsExpired: 0,
    looped: 0,
    upstreams: [],
    turns: 0,
    turnTime: 0,
    longestTurn: 0,
    latencies: newHistogram(),
  };
}
