import type { Duplex } from 'node:stream';
import { RosTopicMapping } from '../topic/ros-topic';
import { BridgeConnection } from './bridge-connection';
import type { BridgeRoute, RouteContext } from './bridge-route';
import {
  type BridgeSettings,
  BridgeSettingsError,
  checkBridge,
  checkRoute,
  type RouteSettings,
} from './bridge-settings';
import type { InterfaceLibrary } from './interface-library';
import { parseInterfaces } from './interface-text';
import { UnknownTypeError } from './message-codec';
import type { MessageDefinition } from './message-definition';
import { ProblemReports } from './problem-reports';
import type { RosBackend, RosDomain } from './ros-backend';
import type { BridgeStatus, DomainStatus, RouteStatus } from './ros-worker-messages';
import { countDrop } from './route-counts';
import type { SampleFrame } from './sample-frame';
import { TopicRoute } from './topic-route';
import { TypeInquiry } from './type-inquiry';

/** How often a changed count is told, in ms. */
const STATUS_INTERVAL = 1000;

/** What a bridge is made of and whom it tells. */
export interface BridgeParts {
  backend: RosBackend;
  library: InterfaceLibrary;
  /** Makes the stream to the embedded broker, for the settings that ask for it. */
  openBrokerStream: () => Duplex;
  /** The password as it is now; rejects with the reason why there is none. */
  askPassword: () => Promise<string>;
  /** A message for the flow. */
  onSample(sample: SampleFrame): void;
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
  readonly #settings: BridgeSettings;
  readonly #parts: BridgeParts;
  readonly #problems: ProblemReports;
  readonly #domains = new Map<number, RosDomain>();
  readonly #domainProblems = new Map<number, string>();
  /** By their place in the settings. */
  readonly #routes = new Map<number, BridgeRoute>();
  readonly #refused = new Map<number, string>();
  /** Routes whose type nobody here knows, with how it is asked for. */
  readonly #unknown = new Map<number, TypeInquiry>();
  #mapping: RosTopicMapping | undefined;
  #library: InterfaceLibrary;
  #connection: BridgeConnection | undefined;
  #flowOutput = false;
  #timer: NodeJS.Timeout | undefined;
  #statusScheduled = false;
  #carried = 0;
  #countedAt = 0;
  #messagesPerSecond = 0;
  #lastStatus = '';

  constructor(settings: BridgeSettings, parts: BridgeParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#library = parts.library;
    this.#problems = new ProblemReports(parts.onProblem);
  }

  /** Opens domains, routes and the MQTT connection. Rejects with `BridgeSettingsError` when nothing could work. */
  async open(): Promise<void> {
    const { prefix, aliases, domains, routes, definitions = '' } = this.#settings;
    this.#mapping = makeMapping({ prefix, aliases });
    checkBridge(this.#settings);
    // Bridges without definitions of their own share what was compiled.
    if (definitions.trim() !== '') this.#library = libraryWith(this.#parts.library, definitions);
    await Promise.all(domains.map((domain) => this.#openDomain(domain)));
    this.#connection = this.#makeConnection();
    routes.forEach((route, index) => {
      this.#openRoute(route, index);
    });
    this.#connection?.open();
    this.#countedAt = performance.now();
    this.#timer = setInterval(() => this.#count(), STATUS_INTERVAL);
    this.#sendStatus();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#problems.close();
    for (const route of this.#routes.values()) route.close();
    await this.#connection?.close();
    await Promise.all([...this.#domains.values()].map((domain) => domain.close()));
    this.#domains.clear();
  }

  /** The MQTT topic names of the routes by their place in the settings; none for a refused one. */
  get topics(): Array<string | undefined> {
    return this.#settings.routes.map(({ domain, rosName }, index) =>
      this.#routes.has(index) || this.#unknown.has(index)
        ? this.#mapping?.toMqtt(domain, rosName)
        : undefined,
    );
  }

  /** Whether samples go to the flow. */
  set flowOutput(wanted: boolean) {
    this.#flowOutput = wanted;
  }

  /**
   * Publishes a flow's message on the ROS topic of an MQTT topic name: JSON as text or bytes, or an already parsed
   * value. Throws an Error that names the topic and the fault.
   */
  publish(topic: string, payload: unknown): void {
    const ros = (this.#mapping as RosTopicMapping).toRos(topic);
    if (ros === undefined) {
      throw new Error(`topic "${topic}" is not below the bridge's prefix "${this.#settings.prefix}"`);
    }
    if ('fault' in ros) throw new Error(ros.fault);
    const index = this.#settings.routes.findIndex(
      ({ domain, rosName }) => domain === ros.domain && rosName === ros.rosName,
    );
    const route = this.#routes.get(index);
    if (route === undefined) {
      throw new Error(this.#refused.get(index) ?? `topic "${topic}": the bridge has no route for it`);
    }
    route.publish(ros, payload);
  }

  /** A sample that was given to `onSample` did not reach the flow. */
  droppedFlowSample(index: number): void {
    const route = this.#routes.get(index);
    if (route === undefined) return;
    route.counts.flowPublished--;
    countDrop(route.counts, 'flow');
  }

  async #openDomain(domain: number): Promise<void> {
    const { range, interfaces, peers, id } = this.#settings;
    const nodeName = `mqtt_ros_bridge_${id.replace(/[^A-Za-z0-9]/g, '_')}`;
    try {
      const opened = await this.#parts.backend.openDomain({ domain, range, interfaces, peers, nodeName });
      this.#domains.set(domain, opened);
      opened.onGraphChange(() => {
        this.#lookForTypes();
        this.#scheduleStatus();
      });
      opened.onWarning((warning) => this.#parts.onWarning(`domain ${domain}: ${warning}`));
    } catch (error) {
      const problem = `domain ${domain}: ${(error as Error).message}`;
      this.#domainProblems.set(domain, problem);
      this.#problems.report(problem);
    }
  }

  #openRoute(settings: RouteSettings, index: number): void {
    try {
      checkRoute(settings, this.#settings);
      const domain = this.#domains.get(settings.domain);
      if (domain === undefined) throw new Error(`domain ${settings.domain} is not open`);
      const route = new TopicRoute(settings, this.#contextOf(index, domain));
      route.open();
      this.#routes.set(index, route);
    } catch (error) {
      const domain = this.#domains.get(settings.domain);
      const { message } = error as Error;
      if (error instanceof UnknownTypeError && domain !== undefined) {
        this.#refuse(index, `${message}; a robot that has it will be asked (ROS 2 Iron or later)`);
        this.#inquire(settings, index, domain);
      } else this.#refuse(index, message);
    }
  }

  #contextOf(index: number, domain: RosDomain): RouteContext {
    const bridge = this;
    return {
      bridgeId: this.#settings.id,
      mapping: this.#mapping as RosTopicMapping,
      library: this.#library,
      domain,
      connection: this.#connection,
      get flowOutput() {
        return bridge.#flowOutput;
      },
      toFlow: (sample) => this.#parts.onSample({ route: index, ...sample }),
      report: (problem) => this.#report(problem),
      changed: () => this.#scheduleStatus(),
    };
  }

  #refuse(index: number, reason: string): void {
    const problem = `route ${index + 1} (${this.#settings.routes[index]?.rosName}): ${reason}`;
    this.#refused.set(index, problem);
    this.#problems.report(problem);
  }

  /** Has the nodes of the robot asked for the route's type, now and when they appear. */
  #inquire(settings: RouteSettings, index: number, domain: RosDomain): void {
    const inquiry = new TypeInquiry(domain, {
      found: (definitions) => {
        if (this.#timer === undefined || !this.#unknown.delete(index)) return;
        try {
          this.#learn(definitions);
        } catch (error) {
          this.#refuse(index, (error as Error).message);
          return;
        }
        this.#refused.delete(index);
        this.#openRoute(settings, index);
        this.#scheduleStatus();
      },
      failed: (reason) => {
        if (this.#timer === undefined) return;
        this.#refuse(index, `its type ${settings.type} was asked from the robot: ${reason}`);
        this.#scheduleStatus();
      },
    });
    this.#unknown.set(index, inquiry);
    inquiry.look(settings.rosName, settings.type);
  }

  #lookForTypes(): void {
    for (const [index, inquiry] of this.#unknown) {
      const { rosName, type } = this.#settings.routes[index] as RouteSettings;
      inquiry.look(rosName, type);
    }
  }

  /** Adds definitions to what this bridge knows; those of other bridges' robots may differ. */
  #learn(definitions: MessageDefinition[]): void {
    if (this.#library === this.#parts.library) this.#library = this.#library.with(definitions);
    else this.#library.add(...definitions);
  }

  #makeConnection(): BridgeConnection | undefined {
    const { mqtt, domains, id } = this.#settings;
    if (mqtt === undefined) return undefined;
    const connection = new BridgeConnection({
      settings: mqtt,
      // One connection has one will, so one topic stands for all domains of the bridge.
      presence: {
        topic: (this.#mapping as RosTopicMapping).toMqtt(domains[0] as number, '', 'bridge', [id]),
        online: JSON.stringify({ state: 'online', domains }),
        offline: JSON.stringify({ state: 'offline' }),
      },
      openBrokerStream: this.#parts.openBrokerStream,
      askPassword: this.#parts.askPassword,
    });
    let reported: string | undefined;
    connection.onStatus(({ state, reason }) => {
      this.#scheduleStatus();
      // Each attempt of a connection that is refused ends alike: once is enough.
      if (state === 'connected') reported = undefined;
      if (state !== 'error' || reason === reported) return;
      reported = reason;
      this.#problems.report(`MQTT connection: ${reason}`);
    });
    return connection;
  }

  #report(message: string): void {
    this.#problems.report(message);
    this.#scheduleStatus();
  }

  #count(): void {
    const now = performance.now();
    let carried = 0;
    for (const { counts } of this.#routes.values()) carried += counts.rosReceived + counts.rosPublished;
    this.#messagesPerSecond = Math.round(((carried - this.#carried) * 1000) / (now - this.#countedAt));
    this.#carried = carried;
    this.#countedAt = now;
    this.#sendStatus();
  }

  // Discovery finds many endpoints in one turn.
  #scheduleStatus(): void {
    if (this.#statusScheduled) return;
    this.#statusScheduled = true;
    setImmediate(() => {
      this.#statusScheduled = false;
      if (this.#timer !== undefined) this.#sendStatus();
    });
  }

  #sendStatus(): void {
    const status: BridgeStatus = {
      backend: this.#parts.backend.name,
      ...(this.#connection && { mqtt: this.#connection.status }),
      domains: this.#settings.domains.map((domain) => this.#domainStatus(domain)),
      routes: this.#settings.routes.map((settings, index) => this.#routeStatus(settings, index)),
      messagesPerSecond: this.#messagesPerSecond,
    };
    const text = JSON.stringify(status);
    if (text === this.#lastStatus) return;
    this.#lastStatus = text;
    this.#parts.onStatus(status);
  }

  #domainStatus(domain: number): DomainStatus {
    const problem = this.#domainProblems.get(domain);
    const opened = this.#domains.get(domain);
    return {
      domain,
      participants: opened?.participants ?? 0,
      nodes: [...(opened?.nodes() ?? [])].length,
      ...(problem !== undefined && { problem }),
    };
  }

  #routeStatus(settings: RouteSettings, index: number): RouteStatus {
    const route = this.#routes.get(index);
    const problem = route === undefined ? this.#refused.get(index) : route.problem;
    const others = [...(this.#domains.get(settings.domain)?.endpoints() ?? [])].filter(
      ({ rosName, type }) => rosName === settings.rosName && type === settings.type,
    );
    return {
      ...settings,
      publishers: others.filter(({ kind }) => kind === 'publisher').length,
      subscriptions: others.filter(({ kind }) => kind === 'subscription').length,
      ...(problem !== undefined && { problem }),
      ...(route !== undefined && { counts: route.counts }),
      ...(route?.subscribed !== undefined && { subscribed: route.subscribed }),
    };
  }
}

function makeMapping(options: { prefix: string; aliases: Record<string, number> }): RosTopicMapping {
  try {
    return new RosTopicMapping(options);
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
