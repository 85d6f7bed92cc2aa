import type { RouteSettings, TopicRouteSettings } from './bridge-settings';
import type { RosDomain } from './ros-backend';
import type { DropReason, RouteCounts } from './route-counts';
import { typesInRos } from './route-peers';

/** Why nothing is carried. */
export type SilenceReason =
  | 'mqtt-not-connected'
  | 'mqtt-not-granted'
  | 'incompatible'
  | 'other-domain'
  | 'no-publisher'
  | 'no-subscription'
  | 'no-data'
  | 'kept-back'
  | 'dropped'
  | 'not-acknowledged'
  /** Of what a route calls. */
  | 'no-server'
  | 'other-type'
  | 'no-match'
  | 'two-dialects'
  | 'no-answer'
  /** Of what is answered for ROS. */
  | 'no-client'
  /** Of what is for the flow alone. */
  | 'not-wired'
  /** Of a topic whose type is left open. */
  | 'no-type';

/** A route that should carry messages and does not. */
export interface RouteSilence {
  reason: SilenceReason;
  /** In words that start with the route's name. */
  text: string;
}

/** A route that carried nothing for so long is silent, in ms. */
export const SILENT_AFTER = 5000;

/** What is known of a route that carries nothing. */
export interface SilenceFacts {
  settings: TopicRouteSettings;
  /** `undefined` without a broker. */
  mqttConnected: boolean | undefined;
  /** Whether the broker has granted what the route subscribes; `undefined` where it takes nothing from MQTT. */
  subscribed: boolean | undefined;
  publishers: number;
  subscriptions: number;
  /** The same of other bridges in this process, between which nothing is lost. */
  neighbours: { publishers: number; subscriptions: number };
  /** Why an endpoint of another does not match, in words that start with the route's name. */
  incompatible: string | undefined;
  /** Those of the bridge's other domains in which a publisher (or a subscription) has the route's name. */
  domainsOfPublishers(): readonly number[];
  domainsOfSubscriptions(): readonly number[];
  /** Whether ROS has said anything since the route was opened, and lately. */
  everHeard: boolean;
  heardLately: boolean;
  /** Whether MQTT or the flow has said anything lately. */
  toldLately: boolean;
  /** Why a message was dropped last, where that was lately. */
  droppedLately: DropReason | undefined;
  /** Whether what ROS says comes to anybody: the broker, or the flow. */
  hasTaker: boolean;
}

const WHY_DROPPED: Partial<Record<DropReason, string>> = {
  invalid: 'it is not of its type, or too large',
  empty: 'its payload is empty, which only clears what the broker has stored',
  echo: 'it has come from where it would go',
  ring: 'it has come back over other bridges',
  'in-flight': 'more waits for the broker than the bridge keeps',
  unacknowledged: 'the broker does not take it',
  flow: 'the flows do not keep up',
};

/** Says why a route is silent; `undefined` where nothing is wrong but that nobody says anything. */
export function silenceOf(facts: SilenceFacts): RouteSilence | undefined {
  const { settings, mqttConnected, subscribed, incompatible } = facts;
  const { rosName, direction } = settings;
  const silence = (reason: SilenceReason, words: string): RouteSilence => ({
    reason,
    text: `${rosName}: ${words}`,
  });
  if (mqttConnected === false) return silence('mqtt-not-connected', 'MQTT is not connected');
  if (subscribed === false) return silence('mqtt-not-granted', 'the broker has not granted its subscription');
  if (incompatible !== undefined) return { reason: 'incompatible', text: incompatible };
  if (facts.heardLately || facts.toldLately) {
    const [reason, words] = lossOf(facts) ?? [];
    return reason && { reason, text: `${rosName}: ${words}` };
  }
  const fromRos = direction !== 'mqtt-to-ros';
  const toRos = direction !== 'ros-to-mqtt';
  if (fromRos && facts.publishers > 0) {
    if (facts.everHeard) return undefined;
    const known =
      facts.publishers === 1 ? '1 publisher is known' : `${facts.publishers} publishers are known`;
    return silence(
      'no-data',
      `${known}, but nothing came yet: it says nothing, or a firewall keeps back UDP`,
    );
  }
  const { neighbours } = facts;
  if (toRos && facts.subscriptions + neighbours.subscriptions > 0) return undefined;
  if (fromRos && neighbours.publishers > 0) return undefined;
  if (fromRos) {
    const elsewhere = domainWords(facts.domainsOfPublishers());
    if (elsewhere !== undefined) return silence('other-domain', `no publisher here, but in ${elsewhere}`);
    if (!toRos) return silence('no-publisher', 'no publisher in ROS');
  }
  const elsewhere = domainWords(facts.domainsOfSubscriptions());
  if (elsewhere !== undefined) return silence('other-domain', `no subscription here, but in ${elsewhere}`);
  return fromRos
    ? silence('no-publisher', 'no publisher and no subscription in ROS')
    : silence('no-subscription', 'no subscription in ROS');
}

/** What becomes of that which comes and is not carried. */
function lossOf(facts: SilenceFacts): [SilenceReason, string] | undefined {
  const { settings, droppedLately, heardLately, hasTaker, mqttConnected } = facts;
  const why = droppedLately && WHY_DROPPED[droppedLately];
  if (why !== undefined) return ['dropped', `all that comes is dropped: ${why}`];
  if (heardLately && !hasTaker) return ['not-wired', 'nothing is wired to the output of the bridge'];
  // What waits for its turn is not dropped yet.
  const { rate, deadband } = settings;
  if (rate !== undefined || deadband !== undefined)
    return ['kept-back', 'all that comes is kept back by its rate limit or deadband'];
  const waits = heardLately && droppedLately === undefined && mqttConnected;
  return waits ? ['not-acknowledged', 'the broker has not acknowledged what it was sent'] : undefined;
}

/** Says why a route has no type yet that is to find it in ROS. @param domains of the bridge that are open */
export function untypedSilenceOf(
  settings: RouteSettings,
  domains: ReadonlyMap<number, RosDomain>,
): RouteSilence {
  const { kind, domain, rosName, direction } = settings;
  const others = [...domains].filter(([id, other]) => id !== domain && typesInRos(settings, other).size > 0);
  const elsewhere = domainWords(others.map(([id]) => id));
  const silence = (reason: SilenceReason, words: string) => ({ reason, text: `${rosName}: ${words}` });
  if (elsewhere !== undefined)
    return silence('other-domain', `nobody has it in ROS here, but in ${elsewhere}`);
  if (kind === undefined || kind === 'topic')
    return silence('no-type', 'its type is not known: nobody has it in ROS');
  return direction === 'mqtt-to-ros'
    ? silence('no-server', 'no server in ROS')
    : silence('no-client', 'no client in ROS');
}

/** `undefined` for none. */
export function domainWords(domains: readonly number[]): string | undefined {
  if (domains.length === 0) return undefined;
  return `${domains.length === 1 ? 'domain' : 'domains'} ${domains.join(', ')}`;
}

/** In which of the domains, but that of the route, somebody has the name of it. */
export function domainsOf(
  kind: 'publisher' | 'subscription',
  { domain, rosName }: RouteSettings,
  domains: ReadonlyMap<number, RosDomain>,
): number[] {
  const hasName = (other: RosDomain) =>
    [...other.endpoints(rosName)].some((endpoint) => endpoint.kind === kind);
  return [...domains].filter(([id, other]) => id !== domain && hasName(other)).map(([id]) => id);
}

/** Why a message was dropped last. */
export class DropWatch {
  readonly #known: RouteCounts['dropped'] = {};
  #last: { reason: DropReason; at: number } | undefined;

  /** The reason, where something was seen to be dropped in the time after which a route is silent. @param now as of `CountWatch` */
  lately(dropped: RouteCounts['dropped'], now: number): DropReason | undefined {
    for (const [reason, count] of Object.entries(dropped) as Array<[DropReason, number]>) {
      if (count === this.#known[reason]) continue;
      this.#known[reason] = count;
      this.#last = { reason, at: now };
    }
    return this.#last !== undefined && now - this.#last.at < SILENT_AFTER ? this.#last.reason : undefined;
  }
}

/** Since when a count has been what it is. */
export class CountWatch {
  #count = 0;
  #changedAt: number;

  /** @param now in ms of any steady clock */
  constructor(now: number) {
    this.#changedAt = now;
  }

  /** How long ago, in ms, it was seen to change, or else was first looked at. */
  unchangedFor(count: number, now: number): number {
    if (count !== this.#count) {
      this.#count = count;
      this.#changedAt = now;
    }
    return now - this.#changedAt;
  }
}
