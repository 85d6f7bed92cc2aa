import type { ConnectionOptions } from 'node:tls';
import { settingsFault } from '../../client/endpoint';
import { filtersOverlap } from '../../client/filter-overlap';
import { topicFilterFault } from '../../topic/topic-filter';
import { topicNameFault } from '../../topic/topic-name';
import type { QoS } from '../codec/packet-type';
import { joined } from './topic-mapping';

/**
 * Topics that a broker exchanges with an upstream broker. `filter` stands behind `localPrefix` here and behind
 * `remotePrefix` there: with filter `temperature/#`, local prefix `plant` and remote prefix `site1` the topic
 * `plant/temperature/oven` here is `site1/temperature/oven` there. Prefixes are whole levels, or empty; a slash at their
 * end does not matter.
 */
export interface UpstreamRoute {
  /** `out`: from here to there; `in`: from there to here. */
  direction: 'in' | 'out' | 'both';
  filter: string;
  localPrefix: string;
  remotePrefix: string;
  /** A message of a higher QoS crosses with this one. */
  qos: QoS;
}

/** A broker that this one joins, as its client. Nothing in it is a function: it crosses threads. */
export interface UpstreamSettings {
  /** Tells it from others of the same broker; one topic level. */
  name: string;
  /** `mqtt:`, `mqtts:`, `ws:` or `wss:` URL without credentials. */
  url: string;
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5;
  /** Of its own among all brokers that are joined, as it also tells messages that have come round in a ring. */
  clientId: string;
  /** Seconds, 1 to 65535. */
  keepAlive: number;
  username?: string;
  password?: string;
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  routes: UpstreamRoute[];
  /** Whether it is joined as soon as the broker runs. */
  start: boolean;
}

/** Client identifiers of the broker's own sessions, which no client can have. */
const SESSIONS = '$upstream/';

/** The client identifier of an upstream's session in this broker. */
export const sessionId = (name: string): string => SESSIONS + name;

/** Whether only an upstream can have this client identifier. */
export const isUpstreamSession = (clientId: string): boolean => clientId.startsWith(SESSIONS);

/** Upstream brokers that cannot be joined, and the message says why. */
export class UpstreamSettingsError extends Error {
  override readonly name = 'UpstreamSettingsError';
}

/** @throws UpstreamSettingsError one cannot be used, or two cannot be told apart */
export function checkUpstreams(upstreams: readonly UpstreamSettings[]): void {
  const taken = { name: new Set<string>(), clientId: new Set<string>() };
  for (const upstream of upstreams) {
    const fault = upstreamFault(upstream);
    if (fault !== undefined) throw new UpstreamSettingsError(fault);
    for (const field of ['name', 'clientId'] as const) {
      if (taken[field].has(upstream[field])) {
        throw new UpstreamSettingsError(`two upstreams have the ${field} "${upstream[field]}"`);
      }
      taken[field].add(upstream[field]);
    }
  }
}

/** One direction of a route, with its filters on both sides. */
export interface DirectedRoute {
  local: string;
  remote: string;
  localPrefix: string;
  remotePrefix: string;
  qos: QoS;
}

/** The routes that messages take one way. */
export function routesOf(routes: readonly UpstreamRoute[], direction: 'in' | 'out'): DirectedRoute[] {
  return routes
    .filter((route) => route.direction === direction || route.direction === 'both')
    .map(({ filter, localPrefix, remotePrefix, qos }) => ({
      local: joined(localPrefix, filter),
      remote: joined(remotePrefix, filter),
      localPrefix,
      remotePrefix,
      qos,
    }));
}

/** Says what makes these settings unusable whatever the upstream broker does, or `undefined`. */
export function upstreamFault(settings: UpstreamSettings): string | undefined {
  const { name, url, routes, clientId, keepAlive } = settings;
  if (topicNameFault(name) !== undefined || name.includes('/')) {
    return `upstream name "${name}" is not one topic level`;
  }
  const fault = connectionFault(settings) ?? routesFault(routes);
  return fault === undefined ? undefined : `upstream "${name}": ${fault}`;

  function connectionFault({ protocolVersion, tls }: UpstreamSettings): string | undefined {
    // Without it the end of a link that was cut would go unnoticed.
    if (keepAlive === 0) return 'keep alive is 0, expected whole seconds from 1 to 65535';
    return settingsFault({
      endpoint: { url },
      protocolVersion,
      clientId,
      keepAlive,
      cleanStart: false,
      ...(tls !== undefined && { tls }),
    });
  }
}

function routesFault(routes: readonly UpstreamRoute[]): string | undefined {
  if (routes.length === 0) return 'there is no route';
  for (const route of routes) {
    const fault = routeFault(route);
    if (fault !== undefined) return `route "${route.filter}": ${fault}`;
  }
  // A broker may send one message once for each of them [MQTT-3.3.5-1], which nobody could tell from two messages.
  const incoming = routesOf(routes, 'in').map(({ remote }) => remote);
  for (const [index, filter] of incoming.entries()) {
    const other = incoming.slice(0, index).find((before) => filtersOverlap(before, filter));
    if (other !== undefined) return `routes in of "${other}" and "${filter}" there overlap`;
  }
  return undefined;
}

/** Says what is wrong with one route, or `undefined`. */
export function routeFault(route: UpstreamRoute): string | undefined {
  const { direction, filter, localPrefix, remotePrefix } = route;
  const fault = topicFilterFault(filter);
  if (fault !== undefined) return fault;
  for (const prefix of [localPrefix, remotePrefix]) {
    const prefixFault = prefix === '' ? undefined : topicNameFault(prefix);
    if (prefixFault !== undefined) return `prefix: ${prefixFault}`;
  }
  for (const joinedFilter of [joined(localPrefix, filter), joined(remotePrefix, filter)]) {
    const joinedFault = topicFilterFault(joinedFilter);
    if (joinedFault !== undefined) return joinedFault;
    if (/^\$share(\/|$)/.test(joinedFilter)) return 'shared subscriptions cannot be joined';
  }
  if (direction !== 'out' && /^\$SYS(\/|$)/.test(joined(localPrefix, filter))) {
    return 'what comes in cannot be published below $SYS';
  }
  return undefined;
}

/** What goes out by one route and would come in by the same or another one, as filters there; or `undefined`. */
export function echoingRoutes(routes: readonly UpstreamRoute[]): { out: string; in: string } | undefined {
  for (const { remote: out } of routesOf(routes, 'out')) {
    const back = routesOf(routes, 'in').find(({ remote }) => filtersOverlap(out, remote));
    if (back !== undefined) return { out, in: back.remote };
  }
  return undefined;
}
