import { Multimap } from '../rtps/multimap';
import type { RosTopic } from '../topic/ros-topic';
import { ActionCallRoute } from './action-call-route';
import { ActionServeRoute } from './action-serve-route';
import type { RouteConnection } from './bridge-connection';
import type { BridgeEvent } from './bridge-events';
import type { BridgeRoute, HeardTopic, RouteContext } from './bridge-route';
import { type BridgeSettings, checkRoute, type RouteKind, type RouteSettings } from './bridge-settings';
import { type BridgeTopics, ROUTE_KIND_OF, ROUTE_KINDS } from './bridge-topics';
import { HeldMemory } from './early-messages';
import type { InterfaceLibrary } from './interface-library';
import type { LearnedTypes } from './learned-types';
import type { MessageDefinition } from './message-definition';
import { ParametersRoute } from './parameters-route';
import type { RosDomain } from './ros-backend';
import type { RouteName, RouteStatus } from './ros-worker-messages';
import { RouteEntry, type RoutePlace } from './route-entry';
import { nameKey } from './route-rows';
import type { SampleFrame } from './sample-frame';
import { ServiceCallRoute } from './service-call-route';
import { ServiceServeRoute } from './service-serve-route';
import type { Standby } from './standby';
import { TopicRoute } from './topic-route';
import { TypeTable } from './type-table';
import { UntypedCallRoute } from './untyped-call-route';

type ListedName = Pick<RouteSettings, 'kind' | 'domain' | 'rosName'>;

/** What the routes of a bridge have of it. */
export interface RouteTableParts {
  settings: BridgeSettings;
  topics: BridgeTopics;
  library: InterfaceLibrary;
  /** What robots have told to any bridge. */
  learned: LearnedTypes;
  /** The open domains by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  /** Absent for a bridge without a broker. */
  connection: RouteConnection | undefined;
  /** Says which of several bridges carries a route. */
  standby: Standby;
  /** Whether anybody in the flow takes messages now. */
  flowOutput(): boolean;
  /** A message for the flow, of a route that was told of with `opened`. */
  onSample(sample: SampleFrame): void;
  opened(name: RouteName): void;
  closed(key: number): void;
  report(problem: string): void;
  /** Something that happened. */
  tell(event: BridgeEvent): void;
  /** Something that the status shows has changed. */
  changed(): void;
}

/** The routes of a bridge, each known by a key that no later one gets again. */
export class RouteTable {
  readonly #parts: RouteTableParts;
  readonly #entries = new Map<number, RouteEntry>();
  /** Those that are listed, by kind, domain and name. */
  readonly #listed = new Map<string, RouteEntry>();
  readonly #byPattern = new Set<RouteEntry>();
  /** Those that were removed, until other bridges carry. */
  readonly #leaving = new Set<RouteEntry>();
  /** What routes hear in ROS, by kind, domain and name. */
  readonly #heard = new Map<string, HeardTopic>();
  /** Who follows that, by the same. */
  readonly #following = new Multimap<string, () => void>();
  readonly #typeTable: TypeTable;
  readonly #memory = new HeldMemory();
  #library: InterfaceLibrary;
  #nextKey = 0;
  #carriedBefore = 0;
  #status: readonly RouteStatus[] = [];

  constructor(parts: RouteTableParts) {
    this.#parts = parts;
    this.#library = parts.library;
    this.#typeTable = new TypeTable(parts.settings.typeTable ?? []);
  }

  /** Opens a route; one that cannot work is reported, and stays in the table with the reason. */
  open(settings: RouteSettings, label: string): void {
    const { kind, domain, rosName } = settings;
    const name = nameKey(kind, domain, rosName);
    const isTaken = this.#listed.has(name);
    const entry = this.#make(settings, label, this.#parts.connection, () => {
      if (isTaken) throw takenError(settings);
    });
    // The first of a name has it; others are refused.
    if (!isTaken) this.#listed.set(name, entry);
    entry.open();
  }

  /**
   * Opens routes while the bridge runs; where one cannot work none, and throws an Error that names the fault.
   * @param replaced listed routes that give way to them
   */
  add(routes: readonly RouteSettings[], replaced: readonly ListedName[]): void {
    const { topics } = this.#parts;
    const before = this.#listedAmong(replaced);
    this.#unlist(before);
    const taken: RouteSettings[] = [];
    try {
      for (const settings of routes) {
        const { kind, domain, rosName } = settings;
        this.#domainOf(settings);
        if (this.#listed.has(nameKey(kind, domain, rosName))) throw takenError(settings);
        topics.take(settings);
        taken.push(settings);
      }
    } catch (error) {
      for (const settings of taken) topics.release(settings);
      this.#listAgain(before);
      throw error;
    }
    for (const entry of before) this.remove(entry);
    for (const settings of routes) this.open(settings, 'added route');
  }

  /** Removes listed routes. Throws an Error where there is none of them. */
  removeListed(names: readonly ListedName[]): void {
    const present = this.#listedAmong(names);
    const [first] = names;
    if (present.length === 0 && first !== undefined) {
      const { kind = 'topic', domain, rosName } = first;
      throw new Error(`the bridge has no route for the ${kind} ${rosName} of domain ${domain}`);
    }
    this.#unlist(present);
    for (const entry of present) this.remove(entry);
  }

  #listedAmong(names: readonly ListedName[]): RouteEntry[] {
    return names.flatMap(
      ({ kind, domain, rosName }) => this.#listed.get(nameKey(kind, domain, rosName)) ?? [],
    );
  }

  /** Takes names and topics from routes, which stay open. */
  #unlist(entries: readonly RouteEntry[]): void {
    for (const { settings } of entries) {
      this.#listed.delete(nameKey(settings.kind, settings.domain, settings.rosName));
      this.#parts.topics.release(settings);
    }
  }

  #listAgain(entries: readonly RouteEntry[]): void {
    for (const entry of entries) {
      const { kind, domain, rosName } = entry.settings;
      this.#listed.set(nameKey(kind, domain, rosName), entry);
      // One that was refused had no topics.
      if (entry.topics !== undefined) this.#parts.topics.take(entry.settings);
    }
  }

  /**
   * Opens a route that nobody has listed: it may share its name with others.
   * @param filter what brings its messages from MQTT, where it is to take any
   */
  openByPattern(settings: RouteSettings, filter: RouteConnection | undefined): RouteEntry {
    const entry = this.#make(settings, 'route by pattern', filter ?? this.#parts.connection);
    this.#byPattern.add(entry);
    entry.open();
    return entry;
  }

  remove(entry: RouteEntry): void {
    this.#entries.delete(entry.key);
    this.#byPattern.delete(entry);
    this.#leaving.add(entry);
    entry.leave(() => {
      if (!this.#leaving.delete(entry)) return;
      this.#carriedBefore += entry.carried;
      entry.close();
      this.#parts.closed(entry.key);
    });
  }

  close(): void {
    for (const entry of [...this.#entries.values(), ...this.#leaving]) entry.close();
    this.#entries.clear();
    this.#leaving.clear();
    this.#listed.clear();
  }

  /**
   * How the listed routes fare, as of now, in the order in which they were opened. What fares as before is the same
   * object, and all of it where that is so of each.
   */
  get status(): readonly RouteStatus[] {
    const status: RouteStatus[] = [];
    for (const entry of this.#entries.values()) if (!this.#byPattern.has(entry)) status.push(entry.status);
    const isSame =
      status.length === this.#status.length && status.every((each, index) => each === this.#status[index]);
    if (!isSame) this.#status = status;
    return this.#status;
  }

  /** How all routes fare. */
  list(): RouteStatus[] {
    return [...this.#entries.values()].map((entry) => ({
      ...entry.status,
      ...(this.#byPattern.has(entry) && { byPattern: true }),
    }));
  }

  /** Messages that were carried, either way, since the bridge opened. */
  get carried(): number {
    let carried = this.#carriedBefore;
    for (const entry of this.#entries.values()) carried += entry.carried;
    for (const entry of this.#leaving) carried += entry.carried;
    return carried;
  }

  entries(): Iterable<RouteEntry> {
    return this.#entries.values();
  }

  get(key: number): RouteEntry | undefined {
    return this.#entries.get(key);
  }

  /** The route of an MQTT topic: different things may have one name, and then the kind tells them apart. */
  find({ domain, rosName, kind }: RosTopic): RouteEntry | undefined {
    const entry = (of: RouteKind) => this.#listed.get(nameKey(of, domain, rosName));
    const wanted = kind && ROUTE_KIND_OF[kind];
    return (wanted && entry(wanted)) ?? ROUTE_KINDS.map(entry).find((each) => each !== undefined);
  }

  /** Whether something has a route of its own. */
  lists(kind: RouteKind | undefined, domain: number, rosName: string): boolean {
    return this.#listed.has(nameKey(kind, domain, rosName));
  }

  /** Something has changed that all routes may show in their status. */
  touch(): void {
    for (const entry of this.#entries.values()) entry.touch();
  }

  /** The ROS graph has changed. */
  look(): void {
    for (const entry of this.#entries.values()) entry.look();
  }

  #make(
    settings: RouteSettings,
    label: string,
    connection: RouteConnection | undefined,
    check: () => void = () => {},
  ): RouteEntry {
    const key = this.#nextKey++;
    const { settings: bridge, topics, opened, report, tell, changed } = this.#parts;
    const entry = new RouteEntry(key, settings, label, {
      bridgeId: bridge.id,
      connection,
      domains: this.#parts.domains,
      typeTable: this.#typeTable,
      learned: this.#parts.learned,
      memory: this.#memory,
      patience: bridge.typePatience,
      place: () => {
        const domain = this.#domainOf(settings);
        check();
        return { domain, topics: topics.take(settings) };
      },
      make: (typed, place, as) => makeRoute(typed, this.#contextOf(key, typed, place, as)),
      makeUntyped: (untyped, place, as, why) =>
        new UntypedCallRoute(untyped, this.#contextOf(key, untyped, place, as), why),
      learn: (definitions) => this.#learn(definitions),
      opened,
      report,
      tell,
      changed,
    });
    this.#entries.set(key, entry);
    return entry;
  }

  #domainOf(route: RouteSettings): RosDomain {
    checkRoute(route, this.#parts.settings);
    const domain = this.#parts.domains.get(route.domain);
    if (domain === undefined) throw new Error(`domain ${route.domain} is not open`);
    return domain;
  }

  #contextOf(
    key: number,
    { kind, domain: id, rosName, direction }: RouteSettings,
    { domain, topics }: RoutePlace,
    connection: RouteConnection | undefined,
  ): RouteContext {
    const { settings, standby, flowOutput, onSample, tell } = this.#parts;
    const changed = () => {
      this.#entries.get(key)?.touch();
      this.#parts.changed();
    };
    const report = (problem: string) => {
      this.#entries.get(key)?.touch();
      this.#parts.report(problem);
    };
    const name = nameKey(kind, id, rosName);
    const heard = this.#heard;
    const following = this.#following;
    return {
      bridgeId: settings.id,
      topics,
      library: this.#library,
      domain,
      fellows: standby.fellowsIn(id),
      domains: this.#parts.domains,
      connection,
      mqttVersion: settings.mqtt?.protocolVersion,
      // Patterns may open a route for the other way.
      storedMayBeOwn:
        settings.mqtt?.protocolVersion === 4 &&
        settings.bothWaysOverMqtt311 === true &&
        (direction === 'both' || !this.#listed.has(name)),
      join: (way, topic, turnChanged, isTimed = false) =>
        standby.join(
          { way, domain: id, topic, rosName, isTimed },
          {
            changed: () => {
              turnChanged?.();
              changed();
            },
            report,
          },
        ),
      passOn: (filter, message) => this.#entries.get(key)?.passOn(filter, message) === true,
      hear: (topic) => {
        heard.set(name, topic);
        return () => {
          // Another may have taken its place.
          if (heard.get(name) === topic) heard.delete(name);
        };
      },
      get heard() {
        return heard.get(name);
      },
      stateSaid: () => {
        for (const listener of [...following.get(name)]) listener();
      },
      onStateSaid: (listener) => {
        following.add(name, listener);
        return () => void following.delete(name, listener);
      },
      get flowOutput() {
        return flowOutput();
      },
      toFlow: (sample) => onSample({ route: key, ...sample }),
      report,
      tell,
      changed,
    };
  }

  /** Adds definitions to what this bridge knows; those of other bridges' robots may differ. */
  #learn(definitions: MessageDefinition[]): void {
    if (this.#library === this.#parts.library) this.#library = this.#library.with(definitions);
    else this.#library.add(...definitions);
  }
}

function makeRoute(settings: RouteSettings, context: RouteContext): BridgeRoute {
  switch (settings.kind) {
    case 'service':
      return settings.direction === 'mqtt-to-ros'
        ? new ServiceCallRoute(settings, context)
        : new ServiceServeRoute(settings, context);
    case 'action':
      return settings.direction === 'mqtt-to-ros'
        ? new ActionCallRoute(settings, context)
        : new ActionServeRoute(settings, context);
    case 'parameters':
      return new ParametersRoute(settings, context);
    default:
      return new TopicRoute(settings, context);
  }
}

function takenError({ kind = 'topic', domain, rosName }: RouteSettings): Error {
  return new Error(`ROS name: expected one route for each ${kind} of domain ${domain}, got "${rosName}"`);
}
