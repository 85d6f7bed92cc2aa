import type { RouteSettings } from './bridge-settings';
import { sendGoalOf, servicesOf } from './ros-action';
import type { RosDomain, RosEndpoint } from './ros-backend';

/** The name of what in a ROS graph the counterparts of a route are known by; each node with parameters has that service. */
export function nameInGraph({ kind, rosName }: Pick<RouteSettings, 'kind' | 'rosName'>): string {
  if (kind === 'action') return sendGoalOf(rosName);
  return kind === 'parameters' ? `${rosName}/get_parameters` : rosName;
}

/** What others have on the ROS name of a route now, of its type. */
export interface RoutePeers {
  /** Of a topic. */
  publishers?: number;
  subscriptions?: number;
  /** Of a service or an action; of parameters the nodes that have them. */
  servers?: number;
  clients?: number;
}

/** Counts in a domain, or nothing in one that is not open. */
export function routePeers(
  { kind, rosName, type }: RouteSettings,
  domain: RosDomain | undefined,
): RoutePeers {
  if (kind === 'service' || kind === 'action') {
    const all = domain === undefined ? [] : servicesOf(kind, domain, rosName);
    const others = [...all].filter((other) => other.type === type);
    const servers = others.filter((other) => other.kind === 'server').length;
    return { servers, clients: others.length - servers };
  }
  if (kind === 'parameters') {
    const services = domain?.services(nameInGraph({ kind, rosName })) ?? [];
    return { servers: [...services].filter((other) => other.kind === 'server').length };
  }
  return topicPeers({ rosName, type }, domain);
}

/** The publishers and subscriptions of a topic, of those that are wanted. */
export function topicPeers(
  { rosName, type }: Pick<RouteSettings, 'rosName' | 'type'>,
  domain: RosDomain | undefined,
  isWanted: (other: RosEndpoint) => boolean = () => true,
): { publishers: number; subscriptions: number } {
  const counts = { publishers: 0, subscriptions: 0 };
  for (const other of domain?.endpoints(rosName) ?? [])
    if (other.type === type && isWanted(other)) counts[`${other.kind}s`]++;
  return counts;
}

/** The types of what others have on the ROS name of a route now, with which it would carry. */
export function typesInRos(
  { kind = 'topic', rosName, direction }: RouteSettings,
  domain: RosDomain,
): Set<string> {
  const types = new Set<string>();
  if (kind === 'topic') {
    for (const { type } of domain.endpoints(rosName)) types.add(type);
    return types;
  }
  const counterpart = direction === 'mqtt-to-ros' ? 'server' : 'client';
  for (const other of servicesOf(kind === 'action' ? kind : 'service', domain, rosName))
    if (other.kind === counterpart) types.add(other.type);
  return types;
}
