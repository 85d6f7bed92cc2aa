import { isBridgeNode } from './bridge-node';
import { servicesOf } from './ros-action';
import type { RosDomain } from './ros-backend';
import { BRIDGE } from './service-dialect';

const OF_NODE_WITH_PARAMETERS = '/get_parameters';

/**
 * The services or actions that others have in a domain, each with whether anybody serves it; bridges, which stand for others,
 * do not count.
 * @param wanted the name of those that are wanted; all where absent
 */
export function servedNames(
  kind: 'service' | 'action',
  domain: RosDomain,
  wanted?: string,
): Map<string, boolean> {
  const ofBridges = bridgeEndpoints(domain);
  const names = new Map<string, boolean>();
  for (const { guid, kind: role, rosName, vendor } of servicesOf(kind, domain, wanted)) {
    if (vendor === BRIDGE || ofBridges.has(guid)) continue;
    names.set(rosName, role === 'server' || names.get(rosName) === true);
  }
  return names;
}

/** The nodes of others that have parameters; of one name where it is given. */
export function nodesWithParameters(domain: RosDomain, wanted?: string): Set<string> {
  const nodes = new Set<string>();
  for (const { kind, rosName } of domain.services(wanted && `${wanted}${OF_NODE_WITH_PARAMETERS}`)) {
    if (kind === 'server' && rosName.endsWith(OF_NODE_WITH_PARAMETERS))
      nodes.add(rosName.slice(0, -OF_NODE_WITH_PARAMETERS.length));
  }
  return nodes;
}

function bridgeEndpoints(domain: RosDomain): Set<string> {
  const guids = new Set<string>();
  for (const { name, endpoints } of domain.nodes())
    if (isBridgeNode(name)) for (const guid of endpoints) guids.add(guid);
  return guids;
}
