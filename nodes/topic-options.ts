import type { DeadbandSettings } from '../src/ros/deadband';
import type { RateLimitSettings, RatePolicy } from '../src/ros/rate-limit';
import type { RouteQosSettings } from '../src/ros/route-qos';

/** The options of a topic's route, as the flow file keeps them; what is absent or blank follows from the other side. */
export interface TopicOptionRow {
  reliability?: 'reliable' | 'best-effort' | '';
  durability?: 'volatile' | 'transient-local' | '';
  depth?: number | string;
  /** In seconds, as `lifespan` and `maxSilence`. */
  deadline?: number | string;
  lifespan?: number | string;
  mqttQos?: number | string;
  retain?: 'yes' | 'no' | '';
  /** Messages per second. */
  rate?: number | string;
  ratePolicy?: RatePolicy | '';
  deadbandPath?: string;
  deadbandThreshold?: number | string;
  maxSilence?: number | string;
}

/** By name, what the form has an input for. */
export const TOPIC_OPTIONS = [
  'reliability',
  'durability',
  'depth',
  'deadline',
  'lifespan',
  'mqttQos',
  'retain',
  'rate',
  'ratePolicy',
  'deadbandPath',
  'deadbandThreshold',
  'maxSilence',
] as const satisfies readonly (keyof TopicOptionRow)[];

export interface TopicOptions {
  qos?: RouteQosSettings;
  rate?: RateLimitSettings;
  deadband?: DeadbandSettings;
}

/** What a route is told of its options; text that is no number becomes NaN, which the route refuses. */
export function topicOptionsOf(row: TopicOptionRow): TopicOptions {
  const qos: RouteQosSettings = {
    ...(row.reliability && { reliability: row.reliability }),
    ...(row.durability && { durability: row.durability }),
    ...(isThere(row.depth) && { depth: Number(row.depth) }),
    ...(isThere(row.deadline) && { deadline: milliseconds(row.deadline) }),
    ...(isThere(row.lifespan) && { lifespan: milliseconds(row.lifespan) }),
    ...(isThere(row.mqttQos) && { mqtt: Number(row.mqttQos) as 0 | 1 | 2 }),
    // Any other text is refused for what it is.
    ...(row.retain && {
      retain: row.retain === 'yes' || (row.retain === 'no' ? false : (row.retain as never)),
    }),
  };
  return {
    ...(Object.keys(qos).length > 0 && { qos }),
    ...(isThere(row.rate) && { rate: { perSecond: Number(row.rate), policy: row.ratePolicy || 'latest' } }),
    ...([row.deadbandPath, row.deadbandThreshold, row.maxSilence].some(isThere) && {
      deadband: {
        path: row.deadbandPath ?? '',
        threshold: isThere(row.deadbandThreshold) ? Number(row.deadbandThreshold) : 0,
        ...(isThere(row.maxSilence) && { maxSilence: milliseconds(row.maxSilence) }),
      },
    }),
  };
}

function isThere(value: number | string | undefined): boolean {
  return value !== undefined && String(value).trim() !== '';
}

function milliseconds(seconds: number | string | undefined): number {
  return Math.round(Number(seconds) * 1000);
}
