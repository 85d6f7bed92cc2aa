import type { RouteSettings } from './bridge-settings';
import { servicesOf } from './ros-action';
import type { RosDomain, RosServiceEndpoint } from './ros-backend';
import { domainWords, type RouteSilence, type SilenceReason } from './route-silence';
import { CYCLONE_DDS, TRIED_VENDORS } from './service-dialect';

/** A server that others have under the name of a route. */
type FoundServer = Pick<RosServiceEndpoint, 'type' | 'vendor' | 'isNeighbour'>;

/** What is known of the servers of a route that calls a service, an action or the services of a node's parameters. */
export interface ServerFacts {
  settings: RouteSettings;
  /** `undefined` without a broker. */
  mqttConnected: boolean | undefined;
  /** Whether the broker has granted what the route subscribes; `undefined` without a broker. */
  subscribed: boolean | undefined;
  /** How many can be called now. */
  reached: number;
  /** Those that are known in the domain of the route. */
  found: readonly FoundServer[];
  /** Those of the bridge's other domains in which somebody serves the name. */
  domainsOfServers(): readonly number[];
  /** Whether the last call was sent, and had no answer. */
  unanswered: boolean;
}

/** Says why calls come to nothing; `undefined` where nothing is wrong. */
export function serverSilenceOf(facts: ServerFacts): RouteSilence | undefined {
  const [reason, words] = reasonOf(facts) ?? [];
  return reason && { reason, text: `${facts.settings.rosName}: ${words}` };
}

/** More than a call that was never sent or answered tells itself; `undefined` where there is no more. */
export function serverWords(status: 'unavailable' | 'timeout', facts: ServerFacts): string | undefined {
  if (status === 'timeout') {
    const untried = untriedVendor(facts.found);
    return untried && dialectWords(untried);
  }
  // Whoever called, the call has come as far as ROS.
  const inRos = { ...facts, mqttConnected: undefined, subscribed: undefined, unanswered: false };
  const [reason, words] = reasonOf(inRos) ?? [];
  return reason === 'other-type' || reason === 'other-domain' ? words : undefined;
}

function reasonOf(facts: ServerFacts): [SilenceReason, string] | undefined {
  const { settings, mqttConnected, subscribed, reached, found } = facts;
  if (mqttConnected === false) return ['mqtt-not-connected', 'MQTT is not connected'];
  if (subscribed === false) return ['mqtt-not-granted', 'the broker has not granted its subscription'];
  const vendors = new Set(found.filter((server) => !server.isNeighbour).map(({ vendor }) => vendor));
  if (reached > 1 && vendors.has(CYCLONE_DDS) && vendors.size > 1) {
    return [
      'two-dialects',
      'it has servers on Cyclone DDS and on another DDS, which cannot be called together',
    ];
  }
  if (facts.unanswered) {
    const untried = untriedVendor(found);
    const vendor = untried === undefined ? '' : `; ${dialectWords(untried)}`;
    return ['no-answer', `its server has not answered the last call${vendor}`];
  }
  if (reached > 0) return undefined;
  const others = found.map(({ type }) => type).filter((type) => type !== settings.type);
  if (found.length > others.length) {
    const words = 'a server is known, but its requests and responses do not both match those of the bridge';
    return ['no-match', words];
  }
  if (others.length > 0)
    return ['other-type', `its server has another type: ${[...new Set(others)].join(', ')}`];
  const elsewhere = domainWords(facts.domainsOfServers());
  if (elsewhere !== undefined) return ['other-domain', `no server here, but in ${elsewhere}`];
  return [
    'no-server',
    settings.kind === 'parameters' ? 'no node of this name has parameters' : 'no server in ROS',
  ];
}

/** The servers that others have under the name of a route in a domain. */
export function serversFor({ kind, rosName, type }: RouteSettings, domain: RosDomain): FoundServer[] {
  // Every node that has parameters serves this one.
  const name = kind === 'parameters' ? `${rosName}/get_parameters` : rosName;
  return [...servicesOf(kind === 'action' ? kind : 'service', domain, name)]
    .filter((other) => other.kind === 'server')
    .map((server) => ({ ...server, type: kind === 'parameters' ? type : server.type }));
}

function untriedVendor(found: readonly FoundServer[]): string | undefined {
  return found.find(({ vendor }) => vendor !== undefined && !TRIED_VENDORS.includes(vendor))?.vendor;
}

function dialectWords(vendor: string): string {
  return `it is on ${vendor}, and was called as one on Fast DDS is`;
}
