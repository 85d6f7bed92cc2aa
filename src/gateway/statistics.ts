import type { PublishedTopic } from '../broker/administration';
import type { BrokerThread } from '../broker/broker-thread';
import { percentile } from '../broker/latency-histogram';
import type { Page } from '../broker/page';
import type { BrokerStatistics } from '../broker/statistics';
import type { RouteStatus } from '../ros/ros-worker-messages';
import { rosNameParts } from '../topic/parse-ros-topic';
import type { Brokers } from './brokers';
import { within } from './deadline';
import type { GatewaySources, KnownBridge, KnownEmbeddedBroker } from './gateway-settings';
import type { Schema, ValueOf } from './json-schema';
import type { Live } from './live';
import type { RosNames } from './ros-names';
import type { Subscriptions } from './subscriptions';

/** How long a broker's or a bridge's thread may take to answer, ms; without an answer its counts are left out. */
const ANSWER_TIMEOUT = 2000;

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

const CONNECTION = {
  type: 'object',
  properties: {
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
  required: [
    'broker_id',
    'name',
    'state',
    'published',
    'published_bytes',
    'published_rate',
    'failed',
    'received',
    'received_bytes',
    'received_rate',
    'latency',
    'dropped',
  ],
  additionalProperties: false,
} as const satisfies Schema;

const SUBSCRIPTION = {
  type: 'object',
  properties: {
    subscription_id: TEXT,
    broker_id: TEXT,
    topic: TEXT,
    received: COUNT,
    received_bytes: BYTES,
    received_rate: RATE,
    kept: COUNT,
    kept_bytes: BYTES,
    dropped: COUNT,
  },
  required: [
    'subscription_id',
    'broker_id',
    'topic',
    'received',
    'received_bytes',
    'received_rate',
    'kept',
    'kept_bytes',
    'dropped',
  ],
  additionalProperties: false,
} as const satisfies Schema;

/** What is told of an embedded broker's counts, and its names for them. */
const EMBEDDED_COUNTS = {
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

type EmbeddedCount = keyof typeof EMBEDDED_COUNTS;
const EMBEDDED_NAMES = Object.keys(EMBEDDED_COUNTS) as EmbeddedCount[];

/** Topics of ROS that are told of a broker; those that came later are left out. */
const MOST_TOPICS = 200;
/** Topics asked for at once. */
const TOPICS_PAGE = 1000;

const ROS_TOPIC = {
  type: 'object',
  properties: {
    topic: TEXT,
    domain: { type: 'integer' },
    name: { ...TEXT, description: 'In ROS' },
    node: TEXT,
    message_type: TEXT,
    messages: COUNT,
    bytes: { ...COUNT, description: 'Of their payloads' },
    last_at: { type: 'string', format: 'date-time' },
  },
  required: ['topic', 'domain', 'name', 'node', 'message_type', 'messages', 'bytes', 'last_at'],
  additionalProperties: false,
} as const satisfies Schema;

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

const BRIDGE = {
  type: 'object',
  properties: {
    id: TEXT,
    name: TEXT,
    state: TEXT,
    backend: TEXT,
    rate: RATE,
    domains: {
      type: 'array',
      items: {
        type: 'object',
        properties: { domain: { type: 'integer' }, participants: COUNT, nodes: COUNT },
        required: ['domain', 'participants', 'nodes'],
        additionalProperties: false,
      },
    },
    routes: { type: 'array', items: ROUTE },
  },
  required: ['id', 'name', 'state', 'routes'],
  additionalProperties: false,
} as const satisfies Schema;

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

export const STATISTICS_SCHEMA = {
  type: 'object',
  properties: {
    uptime: { type: 'number', description: 'Seconds' },
    connections: { type: 'array', items: CONNECTION },
    subscriptions: { type: 'array', items: SUBSCRIPTION },
    readers: READERS,
    embedded_brokers: { type: 'array', items: EMBEDDED },
    bridges: { type: 'array', items: BRIDGE },
  },
  required: ['uptime', 'connections', 'subscriptions', 'readers', 'embedded_brokers', 'bridges'],
  additionalProperties: false,
} as const satisfies Schema;

/** Counts since each thing was made, except where it says "now" or is a rate. */
export type Statistics = ValueOf<typeof STATISTICS_SCHEMA>;

export interface CountedParts {
  brokers: Brokers;
  subscriptions: Subscriptions;
  live: Live;
  sources: GatewaySources;
  rosNames: RosNames;
  /** Of `performance.now()`. */
  startedAt: number;
}

/** All that is counted, as it is now. */
export async function collectStatistics(parts: CountedParts): Promise<Statistics> {
  const { brokers, subscriptions, live, sources, rosNames, startedAt } = parts;
  const { readers, feeds, sent, missed, cutOff, held } = live.statistics;
  const [embedded, bridges] = await Promise.all([
    Promise.all([...(sources.embeddedBrokers?.() ?? [])].map((each) => ofEmbedded(each, rosNames))),
    Promise.all([...(sources.bridges?.() ?? [])].map(ofBridge)),
  ]);
  return {
    uptime: (performance.now() - startedAt) / 1000,
    connections: [...brokers.all()].map(({ id, name, status, link }) => {
      const { connection, ...counts } = link.statistics;
      return {
        broker_id: id,
        name,
        state: status.state,
        published: counts.published,
        published_bytes: counts.publishedBytes,
        published_rate: counts.publishedPerSecond,
        failed: counts.failed,
        received: counts.received,
        received_bytes: counts.receivedBytes,
        received_rate: counts.receivedPerSecond,
        latency: counts.latency,
        ...(connection !== undefined && {
          waiting: connection.waiting,
          waiting_bytes: connection.waitingBytes,
          in_flight: connection.inFlight,
        }),
        dropped: withoutZeros({
          queue: connection?.dropped,
          expired: connection?.expired,
          unprocessed: connection?.unprocessedDropped,
          unrouted: connection?.unrouted,
        }),
      };
    }),
    subscriptions: [...subscriptions.all()].map(({ settings, statistics, ring }) => ({
      subscription_id: settings.id,
      broker_id: settings.brokerId,
      topic: settings.filter,
      received: statistics.received,
      received_bytes: statistics.receivedBytes,
      received_rate: statistics.receivedPerSecond,
      kept: ring.size,
      kept_bytes: ring.bytes,
      dropped: ring.dropped,
    })),
    readers: { connected: readers, topics: feeds, sent, missed, cut_off: cutOff, waiting_bytes: held },
    embedded_brokers: embedded,
    bridges,
  };
}

async function ofEmbedded(
  { id, name, broker }: KnownEmbeddedBroker,
  rosNames: RosNames,
): Promise<ValueOf<typeof EMBEDDED>> {
  const state = { id, name, state: broker.status.state };
  const { administration } = broker;
  const counts = await within(ANSWER_TIMEOUT, administration.statistics()).catch(() => undefined);
  if (counts === undefined) return state;
  const topics = rosNames.none
    ? undefined
    : await within(ANSWER_TIMEOUT, rosTopics(administration, rosNames)).catch(() => undefined);
  return {
    ...state,
    ...(Object.fromEntries(EMBEDDED_NAMES.map((each) => [each, counts[EMBEDDED_COUNTS[each]]])) as Record<
      EmbeddedCount,
      number
    >),
    received_rate: counts.receivedPerSecond,
    latency: { p50: percentile(counts.latencies, 0.5), p99: percentile(counts.latencies, 0.99) },
    dropped: withoutZeros({
      limit: counts.dropped,
      expired: counts.expired,
      refused: counts.publishRefused,
      looped: counts.looped,
    }),
    ...(topics !== undefined && { ros_topics: topics }),
  };
}

/** In the order in which they were first published to, so that the same ones are told each time. */
async function rosTopics(
  administration: Pick<BrokerThread['administration'], 'topics'>,
  rosNames: RosNames,
): Promise<ValueOf<typeof ROS_TOPIC>[]> {
  const found: ValueOf<typeof ROS_TOPIC>[] = [];
  for (let next: number | undefined = 0; next !== undefined && found.length < MOST_TOPICS; ) {
    const page: Page<PublishedTopic> = await administration.topics({ offset: next, limit: TOPICS_PAGE });
    for (const { topic, messages, bytes, lastAt } of page.entries) {
      const ros = rosNames.of(topic);
      // What belongs to a bridge itself is none.
      if (ros === undefined || ros.kind !== undefined) continue;
      const { domain, rosName } = ros;
      const { node, messageType } = rosNameParts(rosName);
      const named = { topic, domain, name: rosName, node, message_type: messageType };
      found.push({ ...named, messages, bytes, last_at: lastAt });
    }
    next = page.next;
  }
  return found.slice(0, MOST_TOPICS);
}

async function ofBridge({ id, name, bridge }: KnownBridge): Promise<ValueOf<typeof BRIDGE>> {
  const { state } = bridge;
  if (state.state !== 'open') return { id, name, state: state.state, routes: [] };
  const routes = await within(ANSWER_TIMEOUT, bridge.listRoutes()).catch(() => state.routes);
  return {
    id,
    name,
    state: state.state,
    backend: state.backend,
    rate: state.messagesPerSecond,
    domains: state.domains.map(({ domain, participants, nodes }) => ({ domain, participants, nodes })),
    routes: routes.map(ofRoute),
  };
}

function ofRoute(route: RouteStatus): ValueOf<typeof ROUTE> {
  const { kind, domain, rosName, type, direction, counts, latency, problem } = route;
  return {
    kind,
    domain,
    name: rosName,
    type,
    direction,
    ...(counts !== undefined && {
      ros_received: counts.rosReceived,
      ros_received_bytes: counts.rosReceivedBytes,
      ros_lost: counts.rosLost,
      ros_published: counts.rosPublished,
      ros_published_bytes: counts.rosPublishedBytes,
      mqtt_received: counts.mqttReceived,
      mqtt_received_bytes: counts.mqttReceivedBytes,
      mqtt_published: counts.mqttPublished,
      mqtt_published_bytes: counts.mqttPublishedBytes,
    }),
    ...(latency !== undefined && { latency: { p50: latency.p50, p99: latency.p99 } }),
    dropped: withoutZeros(counts?.dropped ?? {}),
    ...(problem !== undefined && { problem }),
  };
}

function withoutZeros(counts: Record<string, number | undefined>): Record<string, number> {
  const present = Object.entries(counts).filter(([, count]) => count !== undefined && count > 0);
  return Object.fromEntries(present) as Record<string, number>;
}
