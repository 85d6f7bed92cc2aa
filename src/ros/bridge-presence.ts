import { createHash } from 'node:crypto';
import { MAX_DOMAIN } from '../topic/ros-topic';
import type { Way } from './name-patterns';

/** What of a bridge's routes others need to know: the keys of their MQTT topics (`topicKey`), by domain. */
export type CarriedTopics = ReadonlyMap<number, ReadonlySet<string>>;

/**
 * What a bridge says of itself at `<prefix>/<domain>/@bridge/<id>`, retained: whether it is there and what it carries.
 * As JSON: `{"state":"online","domains":[0],"toMqtt":{"0":"<keys>"},"toRos":{"0":"<keys>"}}`, the keys of 8 characters
 * one behind the other, and `"mqtt":4` where it uses MQTT 3.1.1. `"from"` stands beside it, also where it says that it
 * leaves.
 */
export interface BridgePresence {
  /** `broken`: the broker says so by the will. */
  state: 'online' | 'offline' | 'broken';
  domains: readonly number[];
  protocolVersion: 4 | 5;
  carried: Readonly<Record<Way, CarriedTopics>>;
  /**
   * Of what changes by this word from ROS to MQTT between bridges that all say it, those carry who did before what ROS
   * publishes before this time, and the others what it publishes from then on; in ms since the epoch.
   */
  from?: number;
}

export const NOTHING_CARRIED: BridgePresence['carried'] = {
  'ros-to-mqtt': new Map(),
  'mqtt-to-ros': new Map(),
};

/** Routes of one way that a presence tells of; what a bridge has beyond is not compared with others. */
export const MAX_TOLD_ROUTES = 4096;
const KEY_LENGTH = 8;
const MAX_PAYLOAD_BYTES = 128 * 1024;
const FIELDS = { 'ros-to-mqtt': 'toMqtt', 'mqtt-to-ros': 'toRos' } as const;

/** Stands for a topic name in a presence: 48 bits of its digest in base64url, so that thousands take little. */
export function topicKey(topic: string): string {
  return createHash('sha256')
    .update(topic)
    .digest()
    .toString('base64url', 0, (KEY_LENGTH * 6) / 8);
}

export function encodePresence({ state, domains, protocolVersion, carried, from }: BridgePresence): string {
  if (state !== 'online') return JSON.stringify({ state, from });
  const told = Object.entries(FIELDS).flatMap(([way, field]) => {
    const byDomain = [...carried[way as Way]].map(([domain, keys]) => [domain, [...keys].join('')]);
    return byDomain.length === 0 ? [] : [[field, Object.fromEntries(byDomain)]];
  });
  return JSON.stringify({
    state,
    domains,
    ...(protocolVersion === 4 && { mqtt: 4 }),
    ...Object.fromEntries(told),
    from,
  });
}

/** `undefined` for what is no presence. */
export function decodePresence(payload: Buffer): BridgePresence | undefined {
  if (payload.length > MAX_PAYLOAD_BYTES) return undefined;
  const said = parsed(payload);
  if (!isRecord(said)) return undefined;
  const { state, domains = [], mqtt, from } = said;
  if (state !== 'online' && state !== 'offline' && state !== 'broken') return undefined;
  if (!Array.isArray(domains) || domains.length > MAX_DOMAIN + 1 || !domains.every(isDomain))
    return undefined;
  const toMqtt = decodeCarried(said.toMqtt);
  const toRos = decodeCarried(said.toRos);
  if (toMqtt === undefined || toRos === undefined) return undefined;
  const carried = { 'ros-to-mqtt': toMqtt, 'mqtt-to-ros': toRos };
  const protocolVersion = mqtt === 4 ? 4 : 5;
  return { state, domains, protocolVersion, carried, ...(isTime(from) && { from }) };
}

function decodeCarried(value: unknown = {}): CarriedTopics | undefined {
  if (!isRecord(value)) return undefined;
  const carried = new Map<number, ReadonlySet<string>>();
  let left = MAX_TOLD_ROUTES;
  for (const [domain, keys] of Object.entries(value)) {
    if (!isDomain(Number(domain)) || typeof keys !== 'string' || keys.length % KEY_LENGTH !== 0)
      return undefined;
    left -= keys.length / KEY_LENGTH;
    if (left < 0) return undefined;
    carried.set(Number(domain), new Set(keys.match(/.{8}/gs)));
  }
  return carried;
}

function parsed(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isDomain(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_DOMAIN;
}
