import type { RouteSettings } from './bridge-settings';
import { actionsAmong } from './ros-action';
import type { RosDomain, RosEndpoint, RosServiceEndpoint } from './ros-backend';

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
  const isOfRoute = (other: { rosName: string; type: string }) =>
    other.rosName === rosName && other.type === type;
  if (kind === 'service' || kind === 'action') {
    const services = domain?.services() ?? [];
    const others = [...(kind === 'action' ? actionsAmong(services) : services)].filter(isOfRoute);
    const servers = others.filter((other) => other.kind === 'server').length;
    return { servers, clients: others.length - servers };
  }
  if (kind === 'parameters') {
    const service = `${rosName}/get_parameters`;
    const isNode = (other: RosServiceEndpoint) => other.kind === 'server' && other.rosName === service;
    return { servers: [...(domain?.services() ?? [])].filter(isNode).length };
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
  for (const other of domain?.endpoints() ?? []) {
    if (other.rosName !== rosName || other.type !== type || !isWanted(other)) continue;
    counts[`${other.kind}s`]++;
  }
  return counts;
}

/** The types of what others have on the ROS name of a route now, with which it would carry. */
export function typesInRos(
  { kind = 'topic', rosName, direction }: RouteSettings,
  domain: RosDomain,
): Set<string> {
  const types = new Set<string>();
  if (kind === 'topic') {
    for (const other of domain.endpoints()) if (other.rosName === rosName) types.add(other.type);
    return types;
  }
  const others = kind === 'action' ? actionsAmong(domain.services()) : domain.services();
  const counterpart = direction === 'mqtt-to-ros' ? 'server' : 'client';
  for (const other of others)
    if (other.rosName === rosName && other.kind === counterpart) types.add(other.type);
  return types;
}
