import type { PublishedTopic } from '../broker/administration-calls';
import type { BrokerThread } from '../broker/broker-thread';
import { percentile } from '../broker/latency-histogram';
import type { Page } from '../broker/page';
import type { RouteStatus } from '../ros/ros-worker-messages';
import { rosNameParts } from '../topic/parse-ros-topic';
import type { RosTopic } from '../topic/ros-topic';
import type { Brokers } from './brokers';
import { within } from './deadline';
import type { GatewaySources, KnownBridge, KnownEmbeddedBroker } from './gateway-settings';
import type { Live } from './live';
import type { RosNames } from './ros-names';
import {
  type BridgeCounts,
  EMBEDDED_COUNTS,
  EMBEDDED_NAMES,
  type EmbeddedCount,
  type EmbeddedCounts,
  MOST_TOPICS,
  type RosTopicCounts,
  type RouteCounts,
  type Statistics,
} from './statistics-schema';
import type { Subscriptions } from './subscriptions';

/** How long a broker's or a bridge's thread may take to answer, ms; without an answer its counts are left out. */
const ANSWER_TIMEOUT = 2000;

/** Topics asked for at once. */
const TOPICS_PAGE = 1000;

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
): Promise<EmbeddedCounts> {
  const state = { id, name, state: broker.status.state };
  const { administration } = broker;
  const counts = await within(ANSWER_TIMEOUT, administration.statistics()).catch(() => undefined);
  if (counts === undefined) return state;
  const topics = rosNames.none(id)
    ? undefined
    : await within(
        ANSWER_TIMEOUT,
        rosTopics(administration, (topic) => rosNames.of(topic, id)),
      ).catch(() => undefined);
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
  rosOf: (topic: string) => RosTopic | undefined,
): Promise<RosTopicCounts[]> {
  const found: RosTopicCounts[] = [];
  for (let next: number | undefined = 0; next !== undefined && found.length < MOST_TOPICS; ) {
    const page: Page<PublishedTopic> = await administration.topics({ offset: next, limit: TOPICS_PAGE });
    for (const { topic, messages, bytes, lastAt } of page.entries) {
      const ros = rosOf(topic);
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

async function ofBridge({ id, name, bridge }: KnownBridge): Promise<BridgeCounts> {
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

function ofRoute(route: RouteStatus): RouteCounts {
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
