import type { BrokerStatistics } from '../broker/statistics';
import { objectOf, type Schema, type ValueOf } from './json-schema';

const TEXT = { type: 'string' } as const satisfies Schema;
const COUNT = { type: 'integer', minimum: 0 } as const satisfies Schema;
const BYTES = { ...COUNT, description: 'Bytes' } as const satisfies Schema;
const RATE = {
  type: 'number',
  minimum: 0,
  description: 'A second, over the last ones',
} as const satisfies Schema;
const LATENCY = {
  type: 'object',
  description: 'ms: half of the messages took at most so long, and 99 of 100',
  properties: { p50: { type: 'number' }, p99: { type: 'number' } },
  required: ['p50', 'p99'],
  additionalProperties: false,
} as const satisfies Schema;
const DROPPED = {
  type: 'object',
  description: 'Messages by the reason for which they were dropped',
  additionalProperties: COUNT,
} as const satisfies Schema;

const CONNECTION = objectOf(
  {
    broker_id: TEXT,
    name: TEXT,
    state: TEXT,
    published: COUNT,
    published_bytes: BYTES,
    published_rate: RATE,
    failed: { ...COUNT, description: 'Messages that were not published' },
    received: COUNT,
    received_bytes: BYTES,
    received_rate: RATE,
    latency: LATENCY,
    waiting: { ...COUNT, description: 'Messages that wait to be sent' },
    waiting_bytes: BYTES,
    in_flight: { ...COUNT, description: 'Messages that are not acknowledged' },
    dropped: DROPPED,
  },
  ['waiting', 'waiting_bytes', 'in_flight'],
);

const SUBSCRIPTION = objectOf({
  subscription_id: TEXT,
  broker_id: TEXT,
  topic: TEXT,
  received: COUNT,
  received_bytes: BYTES,
  received_rate: RATE,
  kept: COUNT,
  kept_bytes: BYTES,
  dropped: COUNT,
});

/** What is told of an embedded broker's counts, and its names for them. */
export const EMBEDDED_COUNTS = {
  clients: 'clients',
  subscriptions: 'subscriptions',
  retained: 'retained',
  clients_accepted: 'clientsAccepted',
  connections_opened: 'connectionsOpened',
  connections_refused: 'connectionsRefused',
  logins_failed: 'loginsFailed',
  messages_received: 'messagesReceived',
  messages_sent: 'messagesSent',
  packets_received: 'packetsReceived',
  packets_sent: 'packetsSent',
  bytes_received: 'bytesReceived',
  bytes_sent: 'bytesSent',
  payload_bytes_received: 'payloadBytesReceived',
  payload_bytes_sent: 'payloadBytesSent',
  held_bytes: 'heldBytes',
  denied: 'denied',
  sessions_expired: 'sessionsExpired',
} as const satisfies Record<string, keyof BrokerStatistics>;

export type EmbeddedCount = keyof typeof EMBEDDED_COUNTS;
export const EMBEDDED_NAMES = Object.keys(EMBEDDED_COUNTS) as EmbeddedCount[];

/** Topics of ROS that are told of a broker; those that came later are left out. */
export const MOST_TOPICS = 200;
const ROS_TOPIC = objectOf({
  topic: TEXT,
  domain: { type: 'integer' },
  name: { ...TEXT, description: 'In ROS' },
  node: TEXT,
  message_type: TEXT,
  messages: COUNT,
  bytes: { ...COUNT, description: 'Of their payloads' },
  last_at: { type: 'string', format: 'date-time' },
});

const EMBEDDED = {
  type: 'object',
  properties: {
    id: TEXT,
    name: TEXT,
    state: TEXT,
    ...(Object.fromEntries(EMBEDDED_NAMES.map((name) => [name, COUNT])) as Record<
      EmbeddedCount,
      typeof COUNT
    >),
    received_rate: RATE,
    latency: LATENCY,
    dropped: DROPPED,
    ros_topics: {
      type: 'array',
      description: `Topics of ROS that were published to: the first ${MOST_TOPICS}`,
      items: ROS_TOPIC,
    },
  },
  required: ['id', 'name', 'state'],
  additionalProperties: false,
} as const satisfies Schema;

const ROUTE = {
  type: 'object',
  properties: {
    kind: TEXT,
    domain: { type: 'integer' },
    name: TEXT,
    type: TEXT,
    direction: TEXT,
    ros_received: COUNT,
    ros_received_bytes: BYTES,
    ros_lost: COUNT,
    ros_published: COUNT,
    ros_published_bytes: BYTES,
    mqtt_received: COUNT,
    mqtt_received_bytes: BYTES,
    mqtt_published: COUNT,
    mqtt_published_bytes: BYTES,
    latency: LATENCY,
    dropped: DROPPED,
    problem: TEXT,
  },
  required: ['kind', 'domain', 'name', 'type', 'direction', 'dropped'],
  additionalProperties: false,
} as const satisfies Schema;

const BRIDGE = objectOf(
  {
    id: TEXT,
    name: TEXT,
    state: TEXT,
    backend: TEXT,
    rate: RATE,
    domains: {
      type: 'array',
      items: objectOf({
        domain: { type: 'integer' },
        participants: COUNT,
        nodes: COUNT,
      }),
    },
    routes: { type: 'array', items: ROUTE },
  },
  ['backend', 'rate', 'domains'],
);

const READERS = {
  type: 'object',
  description: 'WebSockets',
  properties: {
    connected: COUNT,
    topics: { ...COUNT, description: 'Subscriptions that they share' },
    sent: { ...COUNT, description: 'Messages, of each reader' },
    missed: { ...COUNT, description: 'Messages that readers were too slow for' },
    cut_off: { ...COUNT, description: 'Readers that were too slow or gave no sign of life' },
    waiting_bytes: BYTES,
  },
  required: ['connected', 'topics', 'sent', 'missed', 'cut_off', 'waiting_bytes'],
  additionalProperties: false,
} as const satisfies Schema;

export const STATISTICS_SCHEMA = objectOf({
  uptime: { type: 'number', description: 'Seconds' },
  connections: { type: 'array', items: CONNECTION },
  subscriptions: { type: 'array', items: SUBSCRIPTION },
  readers: READERS,
  embedded_brokers: { type: 'array', items: EMBEDDED },
  bridges: { type: 'array', items: BRIDGE },
});

/**
 * Counts since each thing was made; as they are now are rates, what waits, is in flight or kept, and of embedded brokers and
 * readers also who is connected and what is held.
 */
export type Statistics = ValueOf<typeof STATISTICS_SCHEMA>;

export type EmbeddedCounts = ValueOf<typeof EMBEDDED>;
export type RosTopicCounts = ValueOf<typeof ROS_TOPIC>;
export type BridgeCounts = ValueOf<typeof BRIDGE>;
export type RouteCounts = ValueOf<typeof ROUTE>;
