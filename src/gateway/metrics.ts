import type { Statistics } from './statistics-schema';

type Labels = Readonly<Record<string, string | number>>;

/** Of the Prometheus text exposition format, version 0.0.4. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Metrics in the text format of Prometheus, https://prometheus.io/docs/instrumenting/exposition_formats/. */
class MetricsText {
  readonly #families = new Map<string, { help: string; type: string; samples: string[] }>();

  /** @param name a total of a counter ends in `_total`; times are seconds */
  add(
    type: 'counter' | 'gauge',
    name: string,
    help: string,
    labels: Labels,
    value: number | undefined,
  ): void {
    if (value === undefined) return;
    const family = this.#families.get(name) ?? { help, type, samples: [] };
    this.#families.set(name, family);
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`);
    family.samples.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
  }

  /** Two quantiles as gauges: what they are of is forgotten, so they have neither sum nor count. */
  latency(
    name: string,
    help: string,
    labels: Labels,
    latency: { p50: number; p99: number } | undefined,
  ): void {
    for (const [quantile, time] of [
      ['0.5', latency?.p50],
      ['0.99', latency?.p99],
    ] as const) {
      this.add('gauge', name, help, { ...labels, quantile }, time === undefined ? undefined : time / 1000);
    }
  }

  toString(): string {
    return [...this.#families]
      .map(([name, { help, type, samples }]) =>
        [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ''].join('\n'),
      )
      .join('');
  }
}

/** The statistics as Prometheus reads them. */
export function metricsText(statistics: Statistics, version: string): string {
  const text = new MetricsText();
  text.add('gauge', 'mqtt_ros_info', 'The version of the package, with 1 as value.', { version }, 1);
  text.add('gauge', 'mqtt_ros_uptime_seconds', 'Since the gateway began.', {}, statistics.uptime);
  addConnections(text, statistics);
  addSubscriptions(text, statistics);
  addReaders(text, statistics);
  addEmbedded(text, statistics);
  addBridges(text, statistics);
  return text.toString();
}

function addConnections(text: MetricsText, { connections }: Statistics): void {
  for (const each of connections) {
    const labels = { broker: each.broker_id, name: each.name };
    const add = (type: 'counter' | 'gauge', name: string, help: string, value: number | undefined) =>
      text.add(type, `mqtt_ros_connection_${name}`, help, labels, value);
    add('gauge', 'up', 'Whether the broker is connected.', each.state === 'connected' ? 1 : 0);
    add('counter', 'published_messages_total', 'Messages that callers have published.', each.published);
    add('counter', 'published_bytes_total', 'Bytes of their payloads.', each.published_bytes);
    add('counter', 'publish_failures_total', 'Messages that were not published.', each.failed);
    add('counter', 'received_messages_total', 'Messages that callers have subscribed to.', each.received);
    add('counter', 'received_bytes_total', 'Bytes of their payloads.', each.received_bytes);
    add('gauge', 'waiting_messages', 'Messages that wait to be sent.', each.waiting);
    add('gauge', 'waiting_bytes', 'Memory that they take.', each.waiting_bytes);
    add('gauge', 'in_flight_messages', 'Messages that are not acknowledged.', each.in_flight);
    text.latency(
      'mqtt_ros_connection_publish_latency_seconds',
      'From a publish to its acknowledgement.',
      labels,
      each.latency,
    );
    addDropped(text, 'mqtt_ros_connection_dropped_messages_total', labels, each.dropped);
  }
}

function addSubscriptions(text: MetricsText, { subscriptions }: Statistics): void {
  for (const each of subscriptions) {
    const labels = { broker: each.broker_id, subscription: each.subscription_id, topic: each.topic };
    const add = (type: 'counter' | 'gauge', name: string, help: string, value: number) =>
      text.add(type, `mqtt_ros_subscription_${name}`, help, labels, value);
    add('counter', 'received_messages_total', 'Messages that have come.', each.received);
    add('counter', 'received_bytes_total', 'Bytes of their payloads.', each.received_bytes);
    add('gauge', 'kept_messages', 'Messages that the history has.', each.kept);
    add('gauge', 'kept_bytes', 'Memory that they take.', each.kept_bytes);
    add('counter', 'dropped_messages_total', 'Messages that the history had to drop.', each.dropped);
  }
}

function addReaders(text: MetricsText, { readers }: Statistics): void {
  const add = (type: 'counter' | 'gauge', name: string, help: string, value: number) =>
    text.add(type, `mqtt_ros_reader${name}`, help, {}, value);
  add('gauge', 's', 'WebSockets that are connected.', readers.connected);
  add('counter', '_sent_messages_total', 'Messages that readers were sent.', readers.sent);
  add('counter', '_missed_messages_total', 'Messages that readers were too slow for.', readers.missed);
  add('counter', '_cut_offs_total', 'Readers that were cut off.', readers.cut_off);
  add('gauge', '_waiting_bytes', 'Bytes that wait for readers.', readers.waiting_bytes);
}

/** What is a total, and what is as it is now. */
const EMBEDDED_METRICS = [
  ['gauge', 'clients', 'clients', 'Clients that are connected.'],
  ['gauge', 'subscriptions', 'subscriptions', 'Subscriptions of all sessions.'],
  ['gauge', 'retained_messages', 'retained', 'Retained messages.'],
  ['gauge', 'held_bytes', 'held_bytes', 'Memory held for clients.'],
  ['counter', 'clients_accepted_total', 'clients_accepted', 'CONNECT packets that were accepted.'],
  ['counter', 'connections_opened_total', 'connections_opened', 'Connections that were opened.'],
  [
    'counter',
    'connections_refused_total',
    'connections_refused',
    'Connections that ended before they spoke MQTT.',
  ],
  ['counter', 'logins_failed_total', 'logins_failed', 'Passwords and tokens that were wrong.'],
  ['counter', 'messages_received_total', 'messages_received', 'PUBLISH packets received.'],
  ['counter', 'messages_sent_total', 'messages_sent', 'PUBLISH packets sent.'],
  ['counter', 'packets_received_total', 'packets_received', 'Packets received.'],
  ['counter', 'packets_sent_total', 'packets_sent', 'Packets sent.'],
  ['counter', 'received_bytes_total', 'bytes_received', 'Bytes received.'],
  ['counter', 'sent_bytes_total', 'bytes_sent', 'Bytes sent.'],
  ['counter', 'payload_received_bytes_total', 'payload_bytes_received', 'Bytes of payloads received.'],
  ['counter', 'payload_sent_bytes_total', 'payload_bytes_sent', 'Bytes of payloads sent.'],
  ['counter', 'denied_total', 'denied', 'What the access rules did not allow.'],
  ['counter', 'sessions_expired_total', 'sessions_expired', 'Sessions whose time ran out.'],
] as const;

function addEmbedded(text: MetricsText, { embedded_brokers }: Statistics): void {
  for (const each of embedded_brokers) {
    const labels = { broker: each.id, name: each.name };
    const up = each.state === 'running' ? 1 : 0;
    text.add('gauge', 'mqtt_ros_broker_up', 'Whether the embedded broker runs.', labels, up);
    for (const [type, name, count, help] of EMBEDDED_METRICS) {
      text.add(type, `mqtt_ros_broker_${name}`, help, labels, each[count]);
    }
    text.latency(
      'mqtt_ros_broker_latency_seconds',
      'How long the turns took in which messages were sent.',
      labels,
      each.latency,
    );
    addDropped(text, 'mqtt_ros_broker_dropped_messages_total', labels, each.dropped ?? {});
    for (const { topic, domain, name, messages, bytes } of each.ros_topics ?? []) {
      const of = { ...labels, topic, domain, ros_name: name };
      text.add('counter', 'mqtt_ros_topic_messages_total', 'Messages to a topic of ROS.', of, messages);
      text.add('counter', 'mqtt_ros_topic_bytes_total', 'Bytes of their payloads.', of, bytes);
    }
  }
}

function addBridges(text: MetricsText, { bridges }: Statistics): void {
  for (const each of bridges) {
    const bridge = { bridge: each.id, name: each.name };
    const up = each.state === 'open' ? 1 : 0;
    text.add('gauge', 'mqtt_ros_bridge_up', 'Whether the bridge is open.', bridge, up);
    for (const { domain, participants, nodes } of each.domains ?? []) {
      const labels = { ...bridge, domain };
      text.add('gauge', 'mqtt_ros_bridge_participants', 'Other participants.', labels, participants);
      text.add('gauge', 'mqtt_ros_bridge_nodes', 'ROS nodes of others.', labels, nodes);
    }
    for (const route of each.routes) {
      const { kind, domain, name: ros_name, type } = route;
      const labels = { ...bridge, kind, domain, ros_name, type };
      const add = (name: string, help: string, value: number | undefined) =>
        text.add('counter', `mqtt_ros_route_${name}`, help, labels, value);
      add('ros_received_messages_total', 'Messages from ROS.', route.ros_received);
      add('ros_received_bytes_total', 'Bytes of CDR from ROS.', route.ros_received_bytes);
      add('ros_lost_messages_total', 'What publishers sent and never came.', route.ros_lost);
      add('ros_published_messages_total', 'Messages to ROS.', route.ros_published);
      add('ros_published_bytes_total', 'Bytes of CDR to ROS.', route.ros_published_bytes);
      add('mqtt_received_messages_total', 'Messages from MQTT.', route.mqtt_received);
      add('mqtt_received_bytes_total', 'Bytes of payloads from MQTT.', route.mqtt_received_bytes);
      add('mqtt_published_messages_total', 'Messages to MQTT.', route.mqtt_published);
      add('mqtt_published_bytes_total', 'Bytes of payloads to MQTT.', route.mqtt_published_bytes);
      text.latency(
        'mqtt_ros_route_latency_seconds',
        'From a ROS publisher, by its clock.',
        labels,
        route.latency,
      );
      addDropped(text, 'mqtt_ros_route_dropped_messages_total', labels, route.dropped);
    }
  }
}

function addDropped(
  text: MetricsText,
  name: string,
  labels: Labels,
  dropped: Readonly<Record<string, number>>,
): void {
  for (const [reason, count] of Object.entries(dropped)) {
    text.add('counter', name, 'Messages that were dropped, by reason.', { ...labels, reason }, count);
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
