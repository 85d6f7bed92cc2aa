import type { RouteSettings } from './bridge-settings';
import { servicesOf } from './ros-action';
import type { RosDomain, RosServiceEndpoint } from './ros-backend';
import { domainWords, type RouteSilence, type SilenceReason } from './route-silence';

/** A client that others have under the name of a route. */
type FoundClient = Pick<RosServiceEndpoint, 'type'>;

/** What is known of the clients of a route that answers for ROS. */
export interface ClientFacts {
  settings: RouteSettings;
  /** `undefined` without a broker. */
  mqttConnected: boolean | undefined;
  /** Whether the broker has granted what the route subscribes; `undefined` without a broker. */
  subscribed: boolean | undefined;
  /** Whether what ROS asks comes to anybody who could answer: the broker, or the flow. */
  heard: boolean;
  /** Whether anybody has asked since the route was opened. */
  everAsked: boolean;
  /** Whether nobody has answered what was asked last. */
  unanswered: boolean;
  /** Those that are known in the domain of the route. */
  found: readonly FoundClient[];
  /** Those of the bridge's other domains in which somebody has a client of the name. */
  domainsOfClients(): readonly number[];
}

/** Says why a service or an action that the bridge has for ROS is not called or not answered; `undefined` where nothing is wrong. */
export function clientSilenceOf(facts: ClientFacts): RouteSilence | undefined {
  const [reason, words] = reasonOf(facts) ?? [];
  return reason && { reason, text: `${facts.settings.rosName}: ${words}` };
}

function reasonOf(facts: ClientFacts): [SilenceReason, string] | undefined {
  const { settings, mqttConnected, subscribed, found } = facts;
  if (mqttConnected === false) return ['mqtt-not-connected', 'MQTT is not connected'];
  if (subscribed === false) return ['mqtt-not-granted', 'the broker has not granted its subscription'];
  if (!facts.heard) return ['not-wired', 'nothing is wired to the output, from where it would be answered'];
  if (facts.unanswered) return ['no-answer', 'nobody has answered the last request of ROS'];
  // A client may be there for one call alone, as that of `ros2 service call`.
  if (facts.everAsked) return undefined;
  const others = found.map(({ type }) => type).filter((type) => type !== settings.type);
  if (found.length > others.length) return undefined;
  if (others.length > 0)
    return ['other-type', `its client has another type: ${[...new Set(others)].join(', ')}`];
  const elsewhere = domainWords(facts.domainsOfClients());
  if (elsewhere !== undefined) return ['other-domain', `no client here, but in ${elsewhere}`];
  return ['no-client', 'no client in ROS'];
}

/** The clients that others have under the name of a route in a domain. */
export function clientsFor({ kind, rosName }: RouteSettings, domain: RosDomain): FoundClient[] {
  const all = servicesOf(kind === 'action' ? kind : 'service', domain, rosName);
  return [...all].filter((other) => other.kind === 'client');
}
