import { isDeepStrictEqual } from 'node:util';
import type { RosTopic, RosTopicMapping } from '../topic/ros-topic';
import type { IncomingMessage, RouteConnection } from './bridge-connection';
import type { BridgeSettings, RouteKind, RouteSettings } from './bridge-settings';
import { type BridgeTopics, ROUTE_KIND_OF, ROUTE_KINDS } from './bridge-topics';
import { DomainFilter } from './domain-filter';
import { NamePatterns, type PatternSettings, type Way } from './name-patterns';
import type { RosDomain } from './ros-backend';
import type { PatternStatus } from './ros-worker-messages';
import type { RouteEntry } from './route-entry';
import { nameKey } from './route-rows';
import type { RouteTable } from './route-table';
import { nodesWithParameters, servedNames } from './served-names';

/** Routes that patterns may open. */
const MAX_ROUTES = 500;
/** How long a route stays that carries nothing, in ms. */
const IDLE_TIMEOUT = 60_000;
/** By which the topics of requests about parameters end. */
const OPERATIONS: ReadonlySet<string | undefined> = new Set(['get', 'set', 'list']);

export interface PatternRoutesParts {
  settings: BridgeSettings;
  mapping: RosTopicMapping;
  topics: BridgeTopics;
  /** The open domains by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  connection: RouteConnection | undefined;
  table: RouteTable;
  report(problem: string): void;
  changed(): void;
}

/** What patterns may open a route for. */
interface Named {
  kind: RouteKind;
  domain: number;
  rosName: string;
}

/** What others have of it: of a service or an action whether they serve it. */
interface InRos extends Named {
  isServed?: boolean;
}

interface PatternRoute {
  readonly entry: RouteEntry;
  /** It takes its messages from the filter of its domain. */
  readonly isFiltered: boolean;
  /** How much it had carried and dropped when it was last looked at, and since when that is so (`performance.now()`). */
  carried: number;
  since: number;
  /** Somebody else serves it in ROS: it is closed as soon as it is not busy. */
  isLeft: boolean;
}

/**
 * The routes that patterns allow, opened when they come into use and closed when they have carried nothing for a while: of
 * topics one for each way, when a ROS publisher appears or a message comes from MQTT or the flow; of services and actions
 * those that call, when somebody does, and those that answer, while ROS has a client and no server; of parameters one for
 * each node. What has a route of its own is left to that.
 */
export class PatternRoutes {
  readonly #parts: PatternRoutesParts;
  #patterns: NamePatterns;
  readonly #limit: number;
  readonly #idleTimeout: number;
  readonly #routes = new Map<string, PatternRoute>();
  readonly #filters = new Map<number, DomainFilter>();
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  /** Topics with publishers in ROS for which there is no room. */
  #left = 0;
  /** The first topic for which there was no room, until there is. */
  #first: string | undefined;
  /** Why the broker brings nothing for the patterns, by domains. */
  readonly #refusals = new Map<number, string>();
  /** What was reported last, of topic names and of room. */
  #fault: string | undefined;
  #reported: string | undefined;

  constructor(parts: PatternRoutesParts) {
    this.#parts = parts;
    const { patterns = [], maxPatternRoutes = MAX_ROUTES, idleTimeout = IDLE_TIMEOUT } = parts.settings;
    this.#patterns = new NamePatterns(patterns);
    this.#limit = maxPatternRoutes;
    this.#idleTimeout = idleTimeout;
  }

  get status(): PatternStatus {
    const { problem } = this;
    return {
      routes: this.#routes.size,
      left: this.#left,
      dropped: this.#dropped,
      ...(this.#filters.size > 0 && {
        subscribed: [...this.#filters.values()].every(({ granted }) => granted),
      }),
      ...(problem !== undefined && { problem }),
    };
  }

  /** The first thing in words that keeps a topic from being carried that patterns allow. */
  get problem(): string | undefined {
    for (const refusal of this.#refusals.values()) return refusal;
    if (this.#first !== undefined) {
      return `patterns: ${this.#limit} routes are open, which is the most; ${this.#first} is the first topic that is left`;
    }
    for (const { entry } of this.#routes.values()) if (entry.problem !== undefined) return entry.problem;
    return undefined;
  }

  open(): void {
    this.#followPatterns();
    this.#timer = setInterval(() => this.#closeIdle(), this.#idleTimeout / 4);
    this.look();
  }

  /** Has other patterns from now on: what they do not allow, or with other options, is closed. */
  change(patterns: readonly PatternSettings[]): void {
    this.#patterns = new NamePatterns(patterns);
    for (const [key, { entry, isFiltered }] of this.#routes) {
      const { kind = 'topic', domain, rosName, direction } = entry.settings;
      const way = direction === 'both' ? 'ros-to-mqtt' : direction;
      const allowed = this.#allowed({ kind, domain, rosName }, way);
      // One that only reads parameters is opened again, without the filter.
      const losesFilter = isFiltered && !this.#patterns.any(domain, 'mqtt-to-ros');
      if (losesFilter || !isDeepStrictEqual(entry.settings, allowed)) this.#close(key);
    }
    this.#followPatterns();
    this.look();
  }

  /** Subscribes for the domains in which patterns allow messages from MQTT. */
  #followPatterns(): void {
    const { domains, connection, mapping, report, changed } = this.#parts;
    for (const domain of domains.keys()) {
      const isWanted = this.#patterns.any(domain, 'mqtt-to-ros');
      const present = this.#filters.get(domain);
      if (present !== undefined && !isWanted) {
        present.close();
        this.#filters.delete(domain);
        this.#refusals.delete(domain);
      }
      if (connection === undefined || !isWanted || present !== undefined) continue;
      const filter = new DomainFilter(connection, {
        unclaimed: (message) => this.#receive(message),
        result: (error) => {
          if (error === undefined) this.#refusals.delete(domain);
          else {
            const refusal = `patterns: ${error.message}`;
            this.#refusals.set(domain, refusal);
            report(refusal);
          }
          changed();
        },
      });
      this.#filters.set(domain, filter);
      filter.open(mapping.filterFor(domain));
    }
  }

  /** The routes themselves are the table's to close. */
  close(): void {
    clearInterval(this.#timer);
    for (const filter of this.#filters.values()) filter.close();
  }

  /** The ROS graph has changed: publishers may have appeared. */
  look(): void {
    const left = new Set<string>();
    // What had to wait, and closed or left, waits no more.
    this.#first = undefined;
    for (const found of this.#inRos()) {
      const { kind, domain, rosName } = found;
      if (this.#take(found) === 'full') left.add(nameKey(kind, domain, rosName));
    }
    this.#left = left.size;
  }

  /** Something has its route of its own no more. */
  take({ kind = 'topic', domain, rosName }: Pick<RouteSettings, 'kind' | 'domain' | 'rosName'>): void {
    for (const found of this.#ofKind(kind, domain, rosName)) this.#take(found);
  }

  #take({ isServed = false, ...name }: InRos): RouteEntry | 'full' | undefined {
    if (this.#leaveServed(keyOf(name, 'ros-to-mqtt'), isServed)) return undefined;
    return this.#find(name, 'ros-to-mqtt');
  }

  /**
   * Leaves what somebody serves in ROS to them, and takes it back when they are gone: a route with requests under way
   * answers these first. Returns whether it is served.
   */
  #leaveServed(key: string, isServed: boolean): boolean {
    const route = this.#routes.get(key);
    if (route !== undefined && isServed !== route.isLeft) {
      route.isLeft = isServed;
      route.entry.leaveToOthers(isServed);
      if (isServed && !hasCarried(route)) this.#close(key);
    }
    return isServed;
  }

  /** The route for a message of the flow; `undefined` where no pattern allows it, or there is no room for more. */
  find(topic: RosTopic): RouteEntry | undefined {
    const kind = kindTaking(topic);
    const found = this.#answering(topic)?.entry ?? (kind && this.#find({ ...topic, kind }, 'mqtt-to-ros'));
    return found === 'full' ? undefined : found;
  }

  /** Leaves something to the route of its own that it gets. */
  leave(route: Pick<RouteSettings, 'kind' | 'domain' | 'rosName'>): void {
    for (const way of ['ros-to-mqtt', 'mqtt-to-ros'] as const) this.#close(keyOf(route, way));
  }

  #receive({ topic, via }: IncomingMessage): void {
    // A pattern may allow the way back.
    if (via.at(-1) === this.#parts.settings.id) return;
    const ros = this.#parts.topics.toRos(topic);
    if (ros === undefined) return;
    if ('fault' in ros) {
      this.#dropped++;
      // Whoever publishes there does so again and again.
      if (ros.fault !== this.#fault) this.#parts.report(ros.fault);
      this.#fault = ros.fault;
    } else {
      // What another bridge asks for ROS, which this one would as well, is not for ROS.
      const isAsked = this.#answering(ros)?.isLeft === false;
      const kind = isAsked ? undefined : kindTaking(ros);
      if (kind !== undefined && this.#find({ ...ros, kind }, 'mqtt-to-ros') === 'full') this.#dropped++;
    }
    this.#parts.changed();
  }

  /** What others have in ROS of which something may come; services and actions unless they are served there. */
  *#inRos(): Iterable<InRos> {
    for (const domain of this.#parts.domains.keys())
      for (const kind of ROUTE_KINDS) yield* this.#ofKind(kind, domain);
  }

  /** The same of one kind in one domain, and of one name where it is given. */
  *#ofKind(kind: RouteKind, domain: number, wanted?: string): Iterable<InRos> {
    const ros = this.#parts.domains.get(domain);
    if (ros === undefined || !this.#patterns.any(domain, 'ros-to-mqtt', kind)) return;
    if (kind === 'topic') {
      for (const { kind: of, rosName } of ros.endpoints(wanted))
        if (of === 'publisher') yield { kind, domain, rosName };
    } else if (kind === 'parameters')
      for (const rosName of nodesWithParameters(ros, wanted)) yield { kind, domain, rosName };
    else
      for (const [rosName, isServed] of servedNames(kind, ros, wanted))
        yield { kind, domain, rosName, isServed };
  }

  /** The route that answers for ROS what has this topic; `undefined` where none does. */
  #answering({ kind, domain, rosName }: RosTopic): PatternRoute | undefined {
    const of = kind && ROUTE_KIND_OF[kind];
    if (of !== 'service' && of !== 'action') return undefined;
    return this.#routes.get(keyOf({ kind: of, domain, rosName }, 'ros-to-mqtt'));
  }

  /** The route of one way of something, opened now where there was none; `undefined` where no pattern allows it. */
  #find({ kind, domain, rosName }: Named, way: Way): RouteEntry | 'full' | undefined {
    const { table } = this.#parts;
    const name = { kind, domain, rosName };
    // One route has both ways of parameters.
    const key = keyOf(name, kind === 'parameters' ? 'ros-to-mqtt' : way);
    const present = this.#routes.get(key);
    if (present !== undefined) return present.entry;
    if (table.lists(kind, domain, rosName)) return undefined;
    const settings = this.#allowed(name, way);
    if (settings === undefined) return undefined;
    if (this.#routes.size >= this.#limit) {
      this.#leave(rosName);
      return 'full';
    }
    // The filter knows no topics that go on with any one level, as those of answers do.
    const takes = way === 'mqtt-to-ros' || kind === 'parameters';
    const filter = takes ? this.#filters.get(domain) : undefined;
    const entry = table.openByPattern(settings, filter);
    const isFiltered = filter !== undefined;
    this.#routes.set(key, { entry, isFiltered, carried: 0, since: performance.now(), isLeft: false });
    return entry;
  }

  /** What a route for it is to be; `undefined` where no pattern allows it. */
  #allowed({ kind, domain, rosName }: Named, way: Way): RouteSettings | undefined {
    const allowing = (of: Way) => this.#patterns.allowing(domain, rosName, of, kind);
    const isOfParameters = kind === 'parameters';
    const options = allowing(isOfParameters ? 'ros-to-mqtt' : way);
    if (options === undefined) return undefined;
    const ofParameters = allowing('mqtt-to-ros') === undefined ? 'ros-to-mqtt' : 'both';
    const direction = isOfParameters ? ofParameters : way;
    return { ...options, kind, domain, rosName, type: '', direction } as RouteSettings;
  }

  #closeIdle(): void {
    const now = performance.now();
    const inRos = [...this.#inRos()].filter(({ isServed }) => !isServed);
    const published = new Set(inRos.map((name) => keyOf(name, 'ros-to-mqtt')));
    for (const [key, route] of this.#routes) {
      if (hasCarried(route) || published.has(key)) {
        route.carried = route.entry.carried;
        route.since = now;
      } else if (route.isLeft || now - route.since >= this.#idleTimeout) this.#close(key);
    }
    // There may be room now.
    this.look();
    this.#parts.changed();
  }

  #close(key: string): void {
    const route = this.#routes.get(key);
    if (route === undefined) return;
    this.#routes.delete(key);
    this.#parts.table.remove(route.entry);
  }

  #leave(rosName: string): void {
    if (this.#first !== undefined) return;
    this.#first = rosName;
    const problem = this.problem as string;
    if (problem !== this.#reported) this.#parts.report(problem);
    this.#reported = problem;
  }
}

/** Whether it has done anything since it was looked at, or is about to. */
function hasCarried({ entry, carried }: PatternRoute): boolean {
  return entry.isBusy || entry.carried !== carried;
}

function keyOf(
  { kind, domain, rosName }: Pick<RouteSettings, 'kind' | 'domain' | 'rosName'>,
  way: Way,
): string {
  return `${way} ${nameKey(kind, domain, rosName)}`;
}

/** Which kind of route takes what comes at a topic; none where patterns open nothing for it. */
function kindTaking({ kind, rest = [] }: RosTopic): RouteKind | undefined {
  if (kind === undefined) return 'topic';
  if (kind === 'req') return 'service';
  if (kind === 'param') return OPERATIONS.has(rest[0]) ? 'parameters' : undefined;
  return kind === 'action' && (rest[0] === 'goal' || rest[0] === 'cancel') ? 'action' : undefined;
}
