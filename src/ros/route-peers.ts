import type { RouteSettings } from './bridge-settings';
import type { RosDomain } from './ros-backend';

/** What others have on the ROS name of a route now, of its type. */
export interface RoutePeers {
  /** Of a topic. */
  publishers?: number;
  subscriptions?: number;
  /** Of a service. */
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
  if (kind === 'service') {
    const others = [...(domain?.services() ?? [])].filter(isOfRoute);
    const servers = others.filter((other) => other.kind === 'server').length;
    return { servers, clients: others.length - servers };
  }
  const others = [...(domain?.endpoints() ?? [])].filter(isOfRoute);
  const publishers = others.filter((other) => other.kind === 'publisher').length;
  return { publishers, subscriptions: others.length - publishers };
}
