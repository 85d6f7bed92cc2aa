import type { RosEndpoint, RosQos } from './ros-backend';

/** What a route says of quality of service; what is left out follows the other side. Spans in milliseconds. */
export interface RouteQosSettings {
  /** Of our ROS publisher and subscription. */
  reliability?: RosQos['reliability'];
  durability?: RosQos['durability'];
  depth?: number;
  /** A message is offered, or expected, at least this often. */
  deadline?: number;
  /** How long what our publisher says is of use. */
  lifespan?: number;
  mqtt?: 0 | 1 | 2;
  /** Whether the broker stores what ROS says, and what it has stored goes to ROS. */
  retain?: boolean;
}

/** Samples that a publisher or subscription may be told to keep. */
const MAX_DEPTH = 10_000;
/** Longest span that is taken, in ms: a year. */
const MAX_SPAN = 366 * 24 * 3600 * 1000;

/** What a subscription keeps, as the default of ROS 2's. */
const SUBSCRIPTION_DEPTH = 10;
/** What a volatile publisher keeps: a burst until it is acknowledged. */
const PUBLISHER_DEPTH = 1000;

/** Says which field cannot be used, its value and what was expected, or `undefined`. */
export function routeQosFault(qos: RouteQosSettings): string | undefined {
  const { reliability, durability, depth, deadline, lifespan, mqtt, retain } = qos;
  const fault = (field: string, value: unknown, expected: string) =>
    `${field}: expected ${expected}, got ${typeof value === 'number' ? value : JSON.stringify(value)}`;
  if (![undefined, 'reliable', 'best-effort'].includes(reliability))
    return fault('reliability', reliability, 'reliable or best-effort');
  if (![undefined, 'volatile', 'transient-local'].includes(durability))
    return fault('durability', durability, 'volatile or transient-local');
  if (depth !== undefined && !isBetween(depth, 1, MAX_DEPTH))
    return fault('depth', depth, `a whole number from 1 to ${MAX_DEPTH}`);
  for (const [field, value] of Object.entries({ deadline, lifespan })) {
    if (value !== undefined && !isBetween(value, 1, MAX_SPAN))
      return fault(field, value, `whole milliseconds from 1 to ${MAX_SPAN}`);
  }
  if (![undefined, 0, 1, 2].includes(mqtt)) return fault('MQTT QoS', mqtt, '0, 1 or 2');
  if (![undefined, true, false].includes(retain)) return fault('retain', retain, 'true or false');
  return undefined;
}

/**
 * What our subscription asks for: what the route says, else the strongest that still matches every given publisher,
 * because a subscription may ask for no more than the weakest of them offers (DDS 1.4, 2.2.3, "requested / offered"),
 * and asking for less would lose samples that were to be had.
 */
export function subscriptionQos(chosen: RouteQosSettings, publishers: readonly RosEndpoint[]): RosQos {
  const every = (offers: (qos: RosQos) => boolean) => publishers.every(({ qos }) => offers(qos));
  const some = publishers.length > 0;
  return {
    reliability:
      chosen.reliability ?? (every((qos) => qos.reliability === 'reliable') ? 'reliable' : 'best-effort'),
    durability:
      chosen.durability ??
      (some && every((qos) => qos.durability === 'transient-local') ? 'transient-local' : 'volatile'),
    depth: chosen.depth ?? SUBSCRIPTION_DEPTH,
    deadline:
      chosen.deadline ?? Math.max(...publishers.map(({ qos }) => span(qos.deadline)), some ? 0 : none),
    ownership: some && every((qos) => qos.ownership === 'exclusive') ? 'exclusive' : 'shared',
  };
}

/**
 * What our publisher offers: what the route says, else what serves every given subscription: always reliable; transient
 * local, a deadline and a lease where one asks for them. It never offers less than `before`, because each change costs
 * a publisher, and a subscription that has gone may come back.
 */
export function publisherQos(
  chosen: RouteQosSettings,
  subscriptions: readonly RosEndpoint[],
  before?: RosQos,
): RosQos {
  const asked = subscriptions.map(({ qos }) => qos);
  const durability =
    chosen.durability ??
    (before?.durability === 'transient-local' || asked.some((qos) => qos.durability === 'transient-local')
      ? 'transient-local'
      : 'volatile');
  const exclusive = asked.length > 0 && asked.every((qos) => qos.ownership === 'exclusive');
  return {
    reliability: chosen.reliability ?? 'reliable',
    durability,
    depth: chosen.depth ?? (durability === 'volatile' ? PUBLISHER_DEPTH : latchedDepth(asked, before)),
    deadline: chosen.deadline ?? Math.min(span(before?.deadline), ...asked.map((qos) => span(qos.deadline))),
    livelinessLease: Math.min(
      span(before?.livelinessLease),
      ...asked.map((qos) => span(qos.livelinessLease)),
    ),
    lifespan: chosen.lifespan ?? none,
    ownership: exclusive ? 'exclusive' : 'shared',
  };
}

/** Whether the two are the same to all who may match. */
export function isSameQos(one: RosQos, other: RosQos): boolean {
  return (
    one.reliability === other.reliability &&
    one.durability === other.durability &&
    one.depth === other.depth &&
    span(one.deadline) === span(other.deadline) &&
    span(one.livelinessLease) === span(other.livelinessLease) &&
    span(one.lifespan) === span(other.lifespan) &&
    (one.ownership ?? 'shared') === (other.ownership ?? 'shared')
  );
}

const none = Number.POSITIVE_INFINITY;

function span(milliseconds: number | undefined): number {
  return milliseconds ?? none;
}

/** As much as the greediest of those who ask for old samples keeps, as far as they tell; a retained message is one. */
function latchedDepth(asked: readonly RosQos[], before: RosQos | undefined): number {
  const depths = asked.filter((qos) => qos.durability === 'transient-local').map(({ depth }) => depth);
  if (before?.durability === 'transient-local') depths.push(before.depth);
  return Math.min(Math.max(1, ...depths.filter(Number.isFinite)), PUBLISHER_DEPTH);
}

function isBetween(value: number, lowest: number, highest: number): boolean {
  return Number.isInteger(value) && value >= lowest && value <= highest;
}
