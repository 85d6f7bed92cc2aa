import type { RosTopic, RosTopicMapping } from '../topic/ros-topic';
import type { RouteConnection } from './bridge-connection';
import type { BridgeRoute, RouteContext } from './bridge-route';
import { type BridgeSettings, checkRoute, type RouteKind, type RouteSettings } from './bridge-settings';
import { HeldMemory } from './early-messages';
import type { InterfaceLibrary } from './interface-library';
import type { MessageDefinition } from './message-definition';
import type { RosDomain } from './ros-backend';
import type { RouteName } from './ros-worker-messages';
import { RouteEntry } from './route-entry';
import type { SampleFrame } from './sample-frame';
import { ServiceCallRoute } from './service-call-route';
import { TopicRoute } from './topic-route';
import { TypeTable } from './type-table';

/** What the routes of a bridge have of it. */
export interface RouteTableParts {
  settings: BridgeSettings;
  mapping: RosTopicMapping;
  library: InterfaceLibrary;
  /** The open domains by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  /** Absent for a bridge without a broker. */
  connection: RouteConnection | undefined;
  /** Whether anybody in the flow takes messages now. */
  flowOutput(): boolean;
  /** A message for the flow, of a route that was told of with `opened`. */
  onSample(sample: SampleFrame): void;
  opened(name: RouteName): void;
  report(problem: string): void;
  /** Something that the status shows has changed. */
  changed(): void;
}

/** The routes of a bridge, each known by a key that no later one gets again. */
export class RouteTable {
  readonly #parts: RouteTableParts;
  readonly #entries = new Map<number, RouteEntry>();
  readonly #byName = new Map<string, RouteEntry>();
  readonly #typeTable: TypeTable;
  readonly #memory = new HeldMemory();
  #library: InterfaceLibrary;
  #nextKey = 0;

  constructor(parts: RouteTableParts) {
    this.#parts = parts;
    this.#library = parts.library;
    this.#typeTable = new TypeTable(parts.settings.typeTable ?? []);
  }

  /** Opens a route; one that cannot work is reported, and stays in the table with the reason. */
  open(settings: RouteSettings, label: string): void {
    const key = this.#nextKey++;
    const { settings: bridge, mapping, connection } = this.#parts;
    const { domain: id, rosName } = settings;
    const entry = new RouteEntry(key, settings, label, {
      bridgeId: bridge.id,
      connection,
      typeTable: this.#typeTable,
      memory: this.#memory,
      patience: bridge.typePatience,
      domain: () => this.#domainOf(settings),
      topics: () => ({ messages: mapping.toMqtt(id, rosName), meta: mapping.toMqtt(id, rosName, 'meta') }),
      make: (typed, domain, as) => makeRoute(typed, this.#contextOf(key, domain, as)),
      learn: (definitions) => this.#learn(definitions),
      opened: (name) => this.#parts.opened(name),
      report: (problem) => this.#parts.report(problem),
      changed: () => this.#parts.changed(),
    });
    this.#entries.set(key, entry);
    // The first of a name has it; others are refused.
    const name = nameKey(settings.kind, id, rosName);
    if (!this.#byName.has(name)) this.#byName.set(name, entry);
    entry.open();
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.close();
    this.#entries.clear();
    this.#byName.clear();
  }

  /** All routes, in the order in which they were opened. */
  entries(): Iterable<RouteEntry> {
    return this.#entries.values();
  }

  get(key: number): RouteEntry | undefined {
    return this.#entries.get(key);
  }

  /** The route of an MQTT topic: a topic and a service may have one name, and then the kind tells them apart. */
  find({ domain, rosName, kind }: RosTopic): RouteEntry | undefined {
    const [topic, service] = (['topic', 'service'] as const).map((each) =>
      this.#byName.get(nameKey(each, domain, rosName)),
    );
    return kind === undefined ? (topic ?? service) : (service ?? topic);
  }

  /** The ROS graph has changed. */
  look(): void {
    for (const entry of this.#entries.values()) entry.look();
  }

  #domainOf(route: RouteSettings): RosDomain {
    checkRoute(route, this.#parts.settings);
    const domain = this.#parts.domains.get(route.domain);
    if (domain === undefined) throw new Error(`domain ${route.domain} is not open`);
    return domain;
  }

  #contextOf(key: number, domain: RosDomain, connection: RouteConnection | undefined): RouteContext {
    const { settings, mapping, flowOutput, onSample, report, changed } = this.#parts;
    return {
      bridgeId: settings.id,
      mapping,
      library: this.#library,
      domain,
      connection,
      get flowOutput() {
        return flowOutput();
      },
      toFlow: (sample) => onSample({ route: key, ...sample }),
      report,
      changed,
    };
  }

  /** Adds definitions to what this bridge knows; those of other bridges' robots may differ. */
  #learn(definitions: MessageDefinition[]): void {
    if (this.#library === this.#parts.library) this.#library = this.#library.with(definitions);
    else this.#library.add(...definitions);
  }
}

function nameKey(kind: RouteKind = 'topic', domain: number, rosName: string): string {
  return `${kind} ${domain}${rosName}`;
}

function makeRoute(settings: RouteSettings, context: RouteContext): BridgeRoute {
  return settings.kind === 'service'
    ? new ServiceCallRoute(settings, context)
    : new TopicRoute(settings, context);
}
