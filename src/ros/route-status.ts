import type { BridgeRoute } from './bridge-route';
import type { RouteSettings } from './bridge-settings';
import type { EarlyMessages } from './early-messages';
import type { RosDomain } from './ros-backend';
import type { RouteStatus } from './ros-worker-messages';
import { countsMark, type RouteCounts } from './route-counts';
import type { RoutePlace } from './route-entry';
import { routePeers } from './route-peers';
import { type RouteSilence, SILENT_AFTER, untypedSilenceOf } from './route-silence';

/** What there is of a route that a bridge is asked for. */
export interface RouteFacts {
  settings: RouteSettings;
  /** The settings with the type that was found last. */
  typed: RouteSettings;
  /** None of a route that cannot work. */
  place: RoutePlace | undefined;
  /** All open domains of the bridge, by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  route: BridgeRoute | undefined;
  /** What holds messages in its place. */
  early: EarlyMessages | undefined;
  /** Why there is no route. */
  refusal: string | undefined;
  /** Why none of several types is taken. */
  ambiguity: string | undefined;
  /** Since when its type is looked for (`performance.now()`), where its settings leave it open. */
  searchedSince: number | undefined;
}

/** In words, while something keeps it from carrying, or its last message was refused. */
export function routeProblem({ refusal, route, ambiguity }: RouteFacts): string | undefined {
  return refusal ?? route?.problem ?? ambiguity ?? (route && ringOf(route));
}

/** How it fares, made anew. */
export function routeStatus(facts: RouteFacts): RouteStatus {
  const { settings, typed, place, route } = facts;
  const problem = routeProblem(facts);
  const standby = standbyOf(route?.turns ?? {});
  const subscribed = subscribedOf(facts);
  const counts = countsOf(facts);
  return {
    ...typed,
    kind: settings.kind ?? 'topic',
    ...(place !== undefined && { mqttTopic: place.topics.name }),
    ...routePeers(typed, place?.domain),
    ...(problem !== undefined && { problem }),
    ...route?.details,
    ...(problem === undefined && standby === undefined && untypedSilence(facts)),
    ...(counts !== undefined && { counts: { ...counts, dropped: { ...counts.dropped } } }),
    ...(subscribed !== undefined && { subscribed }),
    ...(standby !== undefined && { standby }),
  };
}

/**
 * How a route fares, made anew only when it may be another: what can be compared at once is compared each time, of the
 * rest it is told, and for as long as time alone may change it after a change it is made each time.
 */
export class KeptStatus {
  #status: RouteStatus | undefined;
  #text = '';
  /** By what it was made. */
  #mark: readonly unknown[] = [];
  #isTouched = true;
  /** Time alone changes nothing any more. */
  #isAtRest = false;
  #changedAt = 0;

  /** Something has changed of what its turns, its details and its counterparts in ROS are made of. */
  touch(): void {
    this.#isTouched = true;
  }

  /** As of now; the same object as before where it says the same. To be called about once a second. */
  look(facts: RouteFacts): RouteStatus {
    const mark = markOf(facts);
    const isTouched = this.#isTouched || mark.some((part, index) => part !== this.#mark[index]);
    if (this.#status !== undefined && this.#isAtRest && !isTouched) return this.#status;
    this.#mark = mark;
    this.#isTouched = false;
    const begun = performance.now();
    const status = routeStatus(facts);
    const text = JSON.stringify(status);
    if (isTouched || text !== this.#text) this.#changedAt = performance.now();
    this.#isAtRest = begun - this.#changedAt >= SILENT_AFTER && !isAging(status, facts);
    if (this.#status === undefined || text !== this.#text) this.#status = status;
    this.#text = text;
    return this.#status;
  }
}

function markOf(facts: RouteFacts): readonly unknown[] {
  const { typed, route, refusal, ambiguity } = facts;
  const counts = countsOf(facts);
  const carried = counts && countsMark(counts);
  return [typed, route, refusal, ambiguity, route?.problem, subscribedOf(facts), carried];
}

/** What is measured, and messages that come in a ring, are forgotten after some time. */
function isAging({ latency }: RouteStatus, { route }: RouteFacts): boolean {
  return latency !== undefined || (route !== undefined && ringOf(route) !== undefined);
}

function countsOf({ route, early }: RouteFacts): RouteCounts | undefined {
  return route?.counts ?? early?.counts;
}

function subscribedOf({ route, early }: RouteFacts): boolean | undefined {
  return (route ?? early)?.subscribed;
}

function ringOf({ turns }: BridgeRoute): string | undefined {
  return Object.values(turns).find(({ problem }) => problem !== undefined)?.problem;
}

/** While its type is looked for. */
function untypedSilence({ settings, typed, domains, searchedSince }: RouteFacts): {
  silence?: RouteSilence;
} {
  if (searchedSince === undefined || typed.type !== '') return {};
  if (performance.now() - searchedSince < SILENT_AFTER) return {};
  return { silence: untypedSilenceOf(settings, domains) };
}

/** Which bridge carries the ways that this one does not. */
function standbyOf(turns: BridgeRoute['turns']): RouteStatus['standby'] {
  const others = Object.entries(turns).filter(([, { active }]) => !active);
  if (others.length === 0) return undefined;
  return Object.fromEntries(others.map(([way, { standbyFor }]) => [way, standbyFor]));
}
