/** What happens when a session's queue is full: the new message goes, or the oldest ones, or the client. */
export const queuePolicies = ['drop-newest', 'drop-oldest', 'disconnect'] as const;
export type QueuePolicy = (typeof queuePolicies)[number];

/**
 * Bounds on all that traffic from outside can grow, with what happens at each.
 * Sizes in bytes, times in milliseconds.
 */
export interface Limits {
  /** Connections at once, with or without CONNECT; a further one is closed at once and reported as refused. */
  connections: number;
  /** Connections at once from one address, an IPv6 /64 network counting as one; with the same policy. */
  connectionsPerAddress: number;
  /** New connections a second from one address, over time; with the same policy. */
  connectRate: number;
  /**
   * Time for what comes before MQTT (TLS, WebSocket, a proxy's header), and again for CONNECT; then the connection is
   * closed and reported as refused.
   */
  connectTimeout: number;
  /**
   * Largest packet accepted, with its fixed header; a larger one ends the connection (0x95). Other packets than PUBLISH
   * may have a mebibyte at most.
   */
  packetSize: number;
  /**
   * Messages a second that one client may publish over time, 0 for any number. It is not read on while it has published
   * more: nothing is lost, and its keep alive does not run meanwhile. Clients of this process are not meant.
   */
  messageRate: number;
  /** Bytes a second that one client may send over time, 0 for any number; with the same policy. */
  byteRate: number;
  /** Levels of a topic name or filter; more are refused (0x90, 0x8F). */
  topicLevels: number;
  /** Bytes of a topic name or filter; more are refused (0x90, 0x8F). */
  topicLength: number;
  /** QoS 2 messages that a client may have open towards the broker (Receive Maximum); one more ends it (0x93). */
  receiveMaximum: number;
  /** Topic aliases that a client may set (Topic Alias Maximum). */
  topicAliases: number;
  /** QoS 1 and 2 messages in flight towards one client; further ones wait in its session's queue. */
  inFlight: number;
  /** Messages waiting in one session; at a further one `queuePolicy` holds. */
  queuedMessages: number;
  /** Bytes of the messages waiting in one session; at a further message `queuePolicy` holds. */
  queuedBytes: number;
  /**
   * What is dropped is counted. `disconnect` ends the connection of the client (0x97) and drops the message; while the
   * client is away it is as `drop-newest`.
   */
  queuePolicy: QueuePolicy;
  /** Bytes waiting for one slow reader, beyond which QoS 0 messages to it are dropped and counted. */
  outputBytes: number;
  /** Sessions of clients that are away; the one that has been away longest is discarded and counted. */
  offlineSessions: number;
  /** Longest session expiry granted, in seconds; a client that asks for more is told (MQTT 5) and gets this. */
  sessionExpiry: number;
  /** Subscriptions of one session; a further one is refused (0x97). */
  subscriptions: number;
  /** Retained messages; a further topic's message is delivered but not kept, and counted as dropped. */
  retainedMessages: number;
  /** Bytes of all retained messages and of the levels of their topics, with the same policy. */
  retainedBytes: number;
  /**
   * Bytes of all that is kept on disk. Beyond them a QoS 1 or 2 message that would have to be kept is refused (0x97, or
   * the end of the connection before MQTT 5), as are new sessions and subscriptions to be kept; retained messages are
   * delivered but not kept, and counted as dropped.
   */
  storedBytes: number;
  /**
   * Bytes of all that is held for clients; 0 for 512 MiB, or a quarter of the machine's memory where that is less. From
   * three quarters on QoS 0 messages are dropped for readers that are behind, and counted, and readers that have stopped
   * are ended. From there on clients of other machines and processes are refused what would have to be held (0x97, before
   * MQTT 5 the end of the connection). A quarter more is left to clients of this process.
   */
  memoryBytes: number;
}

export const defaultLimits: Limits = {
  connections: 10_000,
  connectionsPerAddress: 10_000,
  connectRate: 5000,
  connectTimeout: 10_000,
  packetSize: 16 * 1024 * 1024,
  messageRate: 0,
  byteRate: 0,
  topicLevels: 128,
  topicLength: 4096,
  // What MQTT 3.1.1 clients may do in any case; MQTT.js does not heed a lower one and would be cut off.
  receiveMaximum: 65_535,
  topicAliases: 32,
  inFlight: 20,
  // A burst of small messages from a flow must fit; `queuedBytes` bounds the memory.
  queuedMessages: 100_000,
  queuedBytes: 16 * 1024 * 1024,
  queuePolicy: 'drop-newest',
  outputBytes: 8 * 1024 * 1024,
  offlineSessions: 10_000,
  sessionExpiry: 7 * 24 * 3600,
  subscriptions: 10_000,
  retainedMessages: 100_000,
  retainedBytes: 256 * 1024 * 1024,
  storedBytes: 512 * 1024 * 1024,
  memoryBytes: 0,
};

/** The limits that are numbers. */
export type NumericLimit = Exclude<keyof Limits, 'queuePolicy'>;

const mayBeZero: ReadonlySet<NumericLimit> = new Set<NumericLimit>([
  'topicAliases',
  'sessionExpiry',
  'offlineSessions',
  'messageRate',
  'byteRate',
  'memoryBytes',
]);

const largest: Partial<Record<NumericLimit, number>> = {
  packetSize: 268_435_455,
  topicLength: 65_535,
  receiveMaximum: 65_535,
  topicAliases: 65_535,
  inFlight: 65_535,
  sessionExpiry: 4_294_967_295,
};

/** The least and the most that a limit may be. */
export function rangeOf(name: NumericLimit): readonly [lowest: number, highest: number] {
  return [mayBeZero.has(name) ? 0 : 1, largest[name] ?? Number.MAX_SAFE_INTEGER];
}

/**
 * The defaults with the given limits in their place.
 * @throws RangeError a limit is not a whole number in its range, or not a policy that there is
 */
export function limitsOf(given: Partial<Limits>): Limits {
  const limits = { ...defaultLimits, ...given };
  if (!queuePolicies.includes(limits.queuePolicy)) {
    throw new RangeError(
      `broker limit queuePolicy is ${limits.queuePolicy}, expected ${queuePolicies.join(', ')}`,
    );
  }
  for (const name of Object.keys(defaultLimits) as Array<keyof Limits>) {
    if (name === 'queuePolicy') continue;
    const value = limits[name];
    const [lowest, highest] = rangeOf(name);
    if (!Number.isInteger(value) || value < lowest || value > highest) {
      throw new RangeError(
        `broker limit ${name} is ${value}, expected a whole number from ${lowest} to ${highest}`,
      );
    }
  }
  return limits;
}
