import type { Duplex } from 'node:stream';
import type { RosTopicMapping } from '../topic/ros-topic';
import { shown } from '../topic/topic-name';
import { BridgeConnection } from './bridge-connection';
import { BridgeDescriptions } from './bridge-descriptions';
import { BridgeDomains } from './bridge-domains';
import { type BridgeEvent, EventGate, SilentRoutes } from './bridge-events';
import {
  type BridgeSettings,
  BridgeSettingsError,
  checkBridge,
  checkPatterns,
  type RouteRow,
} from './bridge-settings';
import { BridgeTopics, mappingOf } from './bridge-topics';
import { routesOf } from './domain-template';
import { describeGraph } from './graph-description';
import type { InterfaceLibrary } from './interface-library';
import { parseInterfaces } from './interface-text';
import type { LearnedTypes } from './learned-types';
import { isPattern, type PatternSettings } from './name-patterns';
import { Paced } from './paced';
import { PatternRoutes } from './pattern-routes';
import { ProblemReports } from './problem-reports';
import type { RosBackend } from './ros-backend';
import type { BridgeStatus, FlowFacts, RouteName, RouteRequest, RouteStatus } from './ros-worker-messages';
import { addedRoutes, listedRoutes, RouteRows } from './route-rows';
import { RouteTable } from './route-table';
import type { SampleFrame } from './sample-frame';
import { Standby } from './standby';

/** How often a changed count is told, in ms. */
const STATUS_INTERVAL = 1000;

/** What a bridge is made of and whom it tells. */
export interface BridgeParts {
  backend: RosBackend;
  library: InterfaceLibrary;
  /** What robots have told to any bridge. */
  learned: LearnedTypes;
  /** Makes the stream to the embedded broker, for the settings that ask for it. */
  openBrokerStream: () => Duplex;
  /** The password as it is now; rejects with the reason why there is none. */
  askPassword: () => Promise<string>;
  /** A message for the flow. */
  onSample(sample: SampleFrame): void;
  /** Comes before the first message of the route. */
  onRouteOpened(name: RouteName): void;
  onRouteClosed(key: number): void;
  /** A bounded number in a second. */
  onEvent(event: BridgeEvent): void;
  onStatus(status: BridgeStatus): void;
  /** What the user of the machine can repair, in words. */
  onWarning(message: string): void;
  /** One fault in words, a bounded number in a second. */
  onProblem(message: string): void;
}

/**
 * Joins ROS topics with MQTT topics and with a flow, by a list of routes. A route or a domain that cannot work is
 * reported and leaves the others alone.
 */
export class Bridge {
  #settings: BridgeSettings;
  /** With those that were added and removed since it was opened. */
  #rows: RouteRows<RouteRow> | undefined;
  readonly #parts: BridgeParts;
  readonly #problems: ProblemReports;
  readonly #events: EventGate;
  readonly #domains: BridgeDomains;
  #routes: RouteTable | undefined;
  #patterns: PatternRoutes | undefined;
  #standby: Standby | undefined;
  #descriptions: BridgeDescriptions | undefined;
  #mapping: RosTopicMapping | undefined;
  #topics: BridgeTopics | undefined;
  #connection: BridgeConnection | undefined;
  #flowOutput = false;
  #timer: NodeJS.Timeout | undefined;
  /** Discovery finds many endpoints in one turn. */
  readonly #looking = new Paced(() => this.#look());
  readonly #status = new Paced(() => this.#tellStatus());
  readonly #silent = new SilentRoutes((event) => this.#events.tell(event));
  #carried = 0;
  #countedAt = 0;
  #messagesPerSecond = 0;
  /** What was told last. */
  #lastRoutes: readonly RouteStatus[] | undefined;
  #lastOfBridge = '';

  constructor(settings: BridgeSettings, parts: BridgeParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#problems = new ProblemReports(parts.onProblem);
    this.#events = new EventGate((event) => parts.onEvent(event));
    this.#domains = new BridgeDomains({
      settings,
      backend: parts.backend,
      graphChanged: (domain) => this.#noteGraph(domain),
      tell: (event) => this.#events.tell(event),
      warn: (message) => parts.onWarning(message),
      report: (problem) => this.#problems.report(problem),
    });
  }

  /** Opens domains, routes and the MQTT connection. Rejects with `BridgeSettingsError` when nothing could work. */
  async open(): Promise<void> {
    const { domains, routes, definitions = '' } = this.#settings;
    this.#mapping = makeMapping(this.#settings);
    checkBridge(this.#settings);
    this.#rows = new RouteRows(routes, this.#settings);
    const topics = new BridgeTopics(this.#mapping, domains);
    this.#topics = topics;
    // Bridges without definitions of their own share what was compiled.
    const library =
      definitions.trim() === '' ? this.#parts.library : libraryWith(this.#parts.library, definitions);
    await this.#domains.open();
    this.#connection = this.#makeConnection();
    const standby = this.#makeStandby(this.#connection);
    this.#standby = standby;
    const table = this.#makeTable(topics, library, standby);
    this.#routes = table;
    for (const domain of this.#domains.opened.keys()) standby.fellowsIn(domain).onChange(() => table.touch());
    for (const { route, row } of listedRoutes(routes, this.#settings)) table.open(route, `route ${row + 1}`);
    this.#patterns = this.#makePatterns(this.#mapping, topics, table);
    this.#patterns?.open();
    this.#descriptions = this.#makeDescriptions(this.#mapping, table, standby);
    this.#descriptions?.open();
    this.#connection?.open();
    this.#countedAt = performance.now();
    this.#timer = setInterval(() => this.#count(), this.#settings.statusInterval ?? STATUS_INTERVAL);
    this.#status.run();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#looking.close();
    this.#status.close();
    this.#problems.close();
    this.#events.close();
    this.#patterns?.close();
    // Carrying ends where others take over.
    await this.#connection?.known.leave();
    await this.#standby?.changedOver();
    await this.#domains.delivered();
    this.#standby?.close();
    this.#routes?.close();
    await this.#connection?.close();
    await this.#domains.close();
  }

  /** Whether samples go to the flow. */
  set flowOutput(wanted: boolean) {
    this.#flowOutput = wanted;
    this.#routes?.touch();
  }

  /**
   * Takes a flow's message for the ROS name of an MQTT topic name: text or bytes in the route's format, or an already
   * parsed value. Throws, or rejects with, an Error that names the topic and the fault. Where the message has an answer,
   * resolves with its JSON text.
   */
  publish(topic: string, payload: unknown, facts: FlowFacts = {}): Promise<string | undefined> | undefined {
    const ros = (this.#topics as BridgeTopics).toRos(topic);
    if (ros === undefined) {
      const { prefix } = this.#settings;
      throw new Error(
        `topic "${topic}" is neither below the bridge's prefix "${prefix}" nor that of a route`,
      );
    }
    if ('fault' in ros) throw new Error(ros.fault);
    const entry = this.#routes?.find(ros) ?? this.#patterns?.find(ros);
    if (entry === undefined) throw new Error(`topic "${topic}": the bridge has no route for it`);
    return entry.publish(ros, payload, facts);
  }

  /** Adds, removes or lists routes, or patterns. Returns what is asked for; throws an Error that names the fault. */
  changeRoutes(request: RouteRequest): RouteStatus[] | PatternSettings[] | undefined {
    const table = this.#routes;
    if (table === undefined) throw new Error('the bridge is not open');
    switch (request.action) {
      case 'list':
        return table.list();
      case 'remove': {
        const removed = routesOf(request.route, this.#settings);
        table.removeListed(removed);
        this.#rows?.remove(request.route);
        // A pattern may allow it.
        for (const route of removed) this.#patterns?.take(route);
        this.#looking.schedule();
        break;
      }
      case 'add':
        this.#addRow(request.route, table);
        break;
      case 'add-pattern':
        return this.#changePatterns([...(this.#settings.patterns ?? []), request.pattern]);
      case 'remove-pattern': {
        const { patterns = [] } = this.#settings;
        const left = patterns.filter((each) => !isPattern(request.pattern, each));
        if (left.length === patterns.length)
          throw new Error(`the bridge has no such pattern "${shown(request.pattern.pattern)}"`);
        return this.#changePatterns(left);
      }
    }
    this.#status.schedule();
    return undefined;
  }

  #addRow(row: RouteRow, table: RouteTable): void {
    const { routes, replaced } = addedRoutes(
      row,
      this.#rows ?? [],
      this.#settings,
      ({ kind, domain, rosName }) => table.lists(kind, domain, rosName),
    );
    table.add(routes, replaced);
    this.#rows?.add(row);
    for (const route of routes) this.#patterns?.leave(route);
  }

  /** Throws BridgeSettingsError where they cannot work, and leaves those that there were. */
  #changePatterns(patterns: PatternSettings[]): PatternSettings[] {
    const settings = { ...this.#settings, patterns };
    checkPatterns(settings);
    this.#settings = settings;
    if (this.#patterns !== undefined) this.#patterns.change(patterns);
    else if (this.#mapping !== undefined && this.#topics !== undefined && this.#routes !== undefined) {
      this.#patterns = this.#makePatterns(this.#mapping, this.#topics, this.#routes);
      this.#patterns?.open();
    }
    this.#status.schedule();
    return patterns;
  }

  /** JSON of what others have in a domain, as `@graph` tells it; throws an Error that says why it is not known. */
  describeGraph(domain: number): string {
    const opened = this.#domains.opened.get(domain);
    if (opened !== undefined) return describeGraph(opened);
    throw new Error(this.#domains.problemOf(domain) ?? `domain ${domain} is not one of the bridge`);
  }

  /** A sample that was given to `onSample` did not reach the flow. */
  droppedFlowSample(key: number): void {
    this.#routes?.get(key)?.droppedFlowSample();
  }

  #makeStandby(connection: BridgeConnection | undefined): Standby {
    const { id, mqtt } = this.#settings;
    const protocolVersion = mqtt?.protocolVersion ?? 5;
    const standby = new Standby({ id, protocolVersion }, connection?.known, (problem) =>
      this.#report(problem),
    );
    for (const domain of this.#domains.opened.values()) standby.addDomain(domain);
    return standby;
  }

  #makeTable(topics: BridgeTopics, library: InterfaceLibrary, standby: Standby): RouteTable {
    return new RouteTable({
      settings: this.#settings,
      topics,
      library,
      learned: this.#parts.learned,
      domains: this.#domains.opened,
      connection: this.#connection,
      standby,
      flowOutput: () => this.#flowOutput,
      onSample: (sample) => this.#parts.onSample(sample),
      opened: (name) => this.#parts.onRouteOpened(name),
      closed: (key) => this.#parts.onRouteClosed(key),
      report: (problem) => this.#report(problem),
      tell: (event) => this.#events.tell(event),
      changed: () => this.#status.schedule(),
    });
  }

  #makePatterns(
    mapping: RosTopicMapping,
    topics: BridgeTopics,
    table: RouteTable,
  ): PatternRoutes | undefined {
    const { patterns = [] } = this.#settings;
    if (patterns.length === 0) return undefined;
    return new PatternRoutes({
      settings: this.#settings,
      mapping,
      topics,
      table,
      domains: this.#domains.opened,
      connection: this.#connection,
      report: (problem) => this.#report(problem),
      changed: () => this.#status.schedule(),
    });
  }

  #makeDescriptions(
    mapping: RosTopicMapping,
    table: RouteTable,
    standby: Standby,
  ): BridgeDescriptions | undefined {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    const { meta = true, graph = true } = this.#settings;
    return new BridgeDescriptions({
      meta,
      graph,
      bridgeId: this.#settings.id,
      mapping,
      connection,
      domains: this.#domains.opened,
      table,
      standby,
      report: (problem) => this.#report(problem),
    });
  }

  #makeConnection(): BridgeConnection | undefined {
    const { mqtt, domains, id, bothWaysOverMqtt311 = false } = this.#settings;
    if (mqtt === undefined) return undefined;
    const mapping = this.#mapping as RosTopicMapping;
    const connection = new BridgeConnection({
      settings: mqtt,
      expectsEchoes: bothWaysOverMqtt311,
      // One connection has one will, so one topic stands for all domains of the bridge.
      presence: {
        id,
        domains,
        protocolVersion: mqtt.protocolVersion,
        isTimed: this.#parts.backend.capabilities.sourceTimestamp,
        topic: mapping.toMqtt(domains[0] as number, '', 'bridge', [id]),
        filter: mapping.filterForBridges,
      },
      onKnown: () => this.#standby?.look(),
      onStoodStill: (time) => this.#standby?.stoodStill(time),
      onWarning: (warning) => this.#parts.onWarning(`MQTT connection: ${warning}`),
      openBrokerStream: this.#parts.openBrokerStream,
      askPassword: this.#parts.askPassword,
    });
    let reported: string | undefined;
    connection.onStatus(({ state, reason }) => {
      this.#routes?.touch();
      this.#status.schedule();
      // Each attempt of a connection that is refused ends alike: once is enough.
      if (state === 'connected') reported = undefined;
      if (state !== 'error' || reason === reported) return;
      reported = reason;
      this.#problems.report(`MQTT connection: ${reason}`);
    });
    return connection;
  }

  #noteGraph(domain: number): void {
    this.#descriptions?.graphChanged(domain);
    this.#looking.schedule();
  }

  #report(message: string): void {
    this.#problems.report(message);
    this.#status.schedule();
  }

  #count(): void {
    const now = performance.now();
    const carried = this.#routes?.carried ?? 0;
    this.#messagesPerSecond = Math.round(((carried - this.#carried) * 1000) / (now - this.#countedAt));
    this.#carried = carried;
    this.#countedAt = now;
    this.#descriptions?.tell();
    this.#status.schedule();
  }

  /** By now what was found in the graph is matched with what there is here. */
  #look(): void {
    if (this.#timer === undefined) return;
    this.#domains.lookForNodes();
    this.#routes?.look();
    this.#patterns?.look();
    this.#status.schedule();
  }

  #tellStatus(): void {
    if (this.#timer === undefined) return;
    const routes = this.#routes?.status ?? [];
    const problem = this.#connection?.known.problem;
    const ofBridge: Omit<BridgeStatus, 'routes'> = {
      backend: this.#parts.backend.name,
      ...(this.#connection && { mqtt: this.#connection.status }),
      ...(problem !== undefined && { problem }),
      domains: this.#domains.status,
      ...(this.#patterns && { patterns: this.#patterns.status }),
      messagesPerSecond: this.#messagesPerSecond,
    };
    const text = JSON.stringify(ofBridge);
    if (routes === this.#lastRoutes && text === this.#lastOfBridge) return;
    this.#silent.look(routes);
    this.#lastRoutes = routes;
    this.#lastOfBridge = text;
    this.#parts.onStatus({ ...ofBridge, routes });
  }
}

function makeMapping(settings: BridgeSettings): RosTopicMapping {
  try {
    return mappingOf(settings);
  } catch (error) {
    throw new BridgeSettingsError((error as Error).message);
  }
}

function libraryWith(library: InterfaceLibrary, definitions: string): InterfaceLibrary {
  try {
    return library.with(parseInterfaces(definitions, 'definitions'));
  } catch (error) {
    throw new BridgeSettingsError((error as Error).message);
  }
}
