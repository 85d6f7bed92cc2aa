import { filtersOverlap } from '../../client/filter-overlap';
import { topicFilterFault } from '../../topic/topic-filter';
import { topicNameFault } from '../../topic/topic-name';
import type { QoS } from '../codec/packet-type';

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

/** A filter or topic name behind a prefix of whole levels. */
export function joined(prefix: string, rest: string): string {
  return leading(prefix) + rest;
}

/** A prefix as it stands before other levels. */
export const leading = (prefix: string): string =>
  prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;

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

/** Says what is wrong with a list of routes, or `undefined`. */
export function routesFault(routes: readonly UpstreamRoute[]): string | undefined {
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
