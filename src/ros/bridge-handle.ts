import { EventEmitter } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import type { RosTopic } from '../topic/ros-topic';
import type { BridgeEvent } from './bridge-events';
import { type BridgeMessage, bridgeMessage } from './bridge-message';
import { type BridgeSettings, BridgeSettingsError, type RouteRow } from './bridge-settings';
import { BridgeTopics, LEVEL_OF } from './bridge-topics';
import { splitFrames } from './frames';
import type { GraphDescription } from './graph-description';
import type { PatternName, PatternSettings } from './name-patterns';
import type {
  BridgeReport,
  BridgeStatus,
  FlowFacts,
  RosWorkerRequest,
  RouteName,
  RouteRequest,
  RouteRowName,
  RouteStatus,
} from './ros-worker-messages';
import { RouteRows } from './route-rows';
import { type WorkerQuestion, WorkerRequests } from './worker-requests';

/** How a bridge fares; while it is open also with its routes. */
export type BridgeState =
  | { state: 'opening' }
  | ({ state: 'open' } & BridgeStatus)
  /** The worker ended with this reason and is started again. */
  | { state: 'restarting'; reason: string }
  | { state: 'closed' };

export interface BridgeHandleEvents {
  message: [BridgeMessage];
  event: [BridgeEvent];
  status: [BridgeState];
  /** What the user of the machine can repair, in words. */
  warning: [string];
  /** A fault in words that names what it is about. */
  problem: [Error];
}

/** What a handle needs of the thread that runs its bridge. */
export interface BridgeHost {
  /** Posts to the worker; nothing happens while none is running. */
  post(request: RosWorkerRequest, transfer?: ArrayBuffer[]): void;
  /** Whether a worker is running that can answer. */
  readonly running: boolean;
  /** Calls `workerStarted` now, or when there is a worker. */
  attach(handle: BridgeHandle): void;
  /** Resolves when the worker has ended, if this was its last bridge. */
  detach(handle: BridgeHandle): Promise<void>;
}

export interface BridgeHandleOptions {
  /** The host's number for the bridge. */
  key: number;
  settings: BridgeSettings;
  /** Whether samples are wanted as `message` events. */
  flowOutput: boolean;
  /** Hands one end of a stream to the embedded broker; throws when that is impossible. */
  brokerPort: ((port: MessagePort) => void) | undefined;
  /** The password for the broker as it is now; throws with the reason why there is none. */
  password: (() => string) | undefined;
}

/**
 * A bridge that runs in the ROS worker, as its owner in the flows' thread sees it: `open`, `publish`, `close`, and the
 * events `message`, `status`, `warning` and `problem`. It outlives the worker: after a crash it is opened again in the
 * next one.
 */
export class BridgeHandle extends EventEmitter<BridgeHandleEvents> {
  readonly key: number;
  /** Its routes are those that there were first. */
  #settings: BridgeSettings;
  /** Once some were added or removed, these as well. */
  #rows: RouteRows<RouteRow> | undefined;
  /** The topic names of these, once they are asked for. */
  #topics: BridgeTopics | undefined;
  readonly #host: BridgeHost;
  readonly #brokerPort: BridgeHandleOptions['brokerPort'];
  readonly #password: BridgeHandleOptions['password'];
  readonly #requests: WorkerRequests;
  /** The worker's routes by their keys. */
  readonly #routes = new Map<number, RouteName>();
  #flowOutput: boolean;
  #brokerFault: string | undefined;
  #state: BridgeState = { state: 'closed' };
  #opening: { resolve(): void; reject(error: Error): void } | undefined;
  #closing: Promise<void> | undefined;
  #closed: (() => void) | undefined;

  constructor(options: BridgeHandleOptions, host: BridgeHost) {
    super();
    this.key = options.key;
    this.#settings = options.settings;
    this.#flowOutput = options.flowOutput;
    this.#brokerPort = options.brokerPort;
    this.#password = options.password;
    this.#host = host;
    this.#requests = new WorkerRequests(options.key, host);
  }

  get state(): BridgeState {
    return this.#state;
  }

  /**
   * Opens the bridge. Rejects with BridgeSettingsError when its settings are refused as a whole; routes and domains
   * that do not work are `problem` events and stand in the status.
   */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.#setState({ state: 'opening' });
      this.#host.attach(this);
    });
  }

  /** Resolves when the bridge has left ROS and the broker; also when it was closed before. */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#state.state === 'closed') return;
    this.#opening?.reject(new Error('the bridge was closed before it was open'));
    this.#opening = undefined;
    this.#requests.reject('the bridge was closed');
    if (this.#host.running) {
      const closed = new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      this.#host.post({ type: 'close', bridge: this.key });
      await closed;
    }
    await this.#end();
  }

  /** Whether samples are wanted as `message` events; without that they stay in the worker. */
  set flowOutput(wanted: boolean) {
    if (wanted === this.#flowOutput) return;
    this.#flowOutput = wanted;
    this.#host.post({ type: 'flow-output', bridge: this.key, wanted });
  }

  /**
   * Publishes on the ROS topic, or calls the ROS service, that an MQTT topic name maps to: text or bytes in the route's
   * format, or a value in the form of the route's type. Resolves when the ROS publisher has it, with `undefined`, or with
   * the service's response; rejects with an Error that names the topic or the path in the payload and the fault. While
   * the bridge opens, messages wait.
   */
  async publish(topic: string, payload: unknown, facts: FlowFacts = {}): Promise<unknown> {
    this.#checkTakesRequests(`topic "${topic}": `);
    return this.#requests.publish(topic, payload, facts);
  }

  /**
   * The MQTT topic name by which `publish` reaches a ROS topic or service. Throws an Error that names the fault when the
   * domain or the name is invalid.
   */
  topicOf(kind: 'topic' | 'service', domain: number, rosName: string): string {
    this.#topics ??= BridgeTopics.for(this.#present);
    const topics = this.#topics.of({ kind, domain, rosName });
    const level = LEVEL_OF[kind];
    return level === undefined ? topics.name : topics.below(level);
  }

  /**
   * What an MQTT topic name stands for in the bridge's domains, by its aliases, its namespaces and the topics that routes
   * have of their own; `undefined` where it stands for nothing.
   */
  rosOf(topic: string): RosTopic | undefined {
    try {
      this.#topics ??= BridgeTopics.for(this.#present);
    } catch {
      // With such settings the bridge does not open.
      return undefined;
    }
    const ros = this.#topics.toRos(topic);
    if (ros === undefined || 'fault' in ros || !this.#settings.domains.includes(ros.domain)) return undefined;
    return ros;
  }

  /** The numbers of its ROS domains. */
  get domains(): readonly number[] {
    return this.#settings.domains;
  }

  /** What others have in a domain. Rejects with an Error that says why it is not known. */
  async graph(domain: number): Promise<GraphDescription> {
    return (await this.#ask({ type: 'graph', domain })) as GraphDescription;
  }

  /**
   * Opens one more route, or one in each domain. Rejects with an Error that names the fault; faults that may pass stand in
   * the status.
   */
  async addRoute(route: RouteRow): Promise<void> {
    await this.#askForRoutes({ action: 'add', route });
    this.#changeableRows().add(route);
  }

  /**
   * Closes a route of the settings, or one that was added, or those of each domain. Rejects with an Error where there is
   * none.
   */
  async removeRoute({ kind = 'topic', domain, rosName }: RouteRowName): Promise<void> {
    const route = { kind, rosName, ...(domain !== undefined && { domain }) };
    await this.#askForRoutes({ action: 'remove', route });
    this.#changeableRows().remove(route);
  }

  /** How all routes fare, those among them that patterns have opened. */
  async listRoutes(): Promise<RouteStatus[]> {
    return (await this.#askForRoutes({ action: 'list' })) as RouteStatus[];
  }

  /**
   * Has one more pattern, behind the others. Rejects with an Error that names the row among them and the fault.
   */
  async addPattern(pattern: PatternSettings): Promise<void> {
    await this.#changePatterns({ action: 'add-pattern', pattern });
  }

  /**
   * Closes what only such patterns allow, those of the settings among them. Rejects with an Error where there is none.
   */
  async removePattern(pattern: PatternName): Promise<void> {
    await this.#changePatterns({ action: 'remove-pattern', pattern });
  }

  /** The patterns that there are now, in their order. */
  get patterns(): readonly PatternSettings[] {
    return this.#settings.patterns ?? [];
  }

  async #changePatterns(request: RouteRequest): Promise<void> {
    const patterns = (await this.#askForRoutes(request)) as PatternSettings[];
    this.#settings = { ...this.#settings, patterns };
  }

  /** With the routes and patterns that were added and removed since, which a new worker is to have as well. */
  get #present(): BridgeSettings {
    return this.#rows === undefined ? this.#settings : { ...this.#settings, routes: [...this.#rows] };
  }

  #changeableRows(): RouteRows<RouteRow> {
    this.#topics = undefined;
    this.#rows ??= new RouteRows(this.#settings.routes, this.#settings);
    return this.#rows;
  }

  #askForRoutes(request: RouteRequest): Promise<unknown> {
    return this.#ask({ type: 'routes', request });
  }

  async #ask(question: WorkerQuestion): Promise<unknown> {
    this.#checkTakesRequests();
    return this.#requests.ask(question);
  }

  /** The worker answers nothing that comes while it closes the bridge. */
  #checkTakesRequests(about = ''): void {
    const { state } = this.#state;
    if (this.#closing !== undefined) throw new Error(`${about}the bridge is being closed`);
    if (state !== 'open' && state !== 'opening') throw new Error(`${about}the bridge is ${state}`);
  }

  /** A report of the worker for this bridge; for the host. */
  receive(report: BridgeReport): void {
    switch (report.type) {
      case 'opened':
        this.#opening?.resolve();
        this.#opening = undefined;
        break;
      case 'refused':
        void this.#refuse(new BridgeSettingsError(report.message));
        break;
      case 'closed':
        this.#closed?.();
        break;
      case 'published':
        for (const result of report.results) this.#requests.answer(result);
        break;
      case 'route-opened':
        this.#routes.set(report.name.key, report.name);
        this.#tellRoute('route-opened', report.name);
        break;
      case 'route-closed':
        this.#tellRoute('route-closed', this.#routes.get(report.key));
        this.#routes.delete(report.key);
        break;
      case 'event':
        this.emit('event', report.event);
        break;
      case 'samples':
        for (const frame of splitFrames(report.joined)) {
          const message = bridgeMessage(frame, this.#routes);
          if (message !== undefined) this.emit('message', message);
        }
        this.#host.post({ type: 'read', bridge: this.key });
        break;
      case 'status':
        if (this.#closed === undefined) this.#setState({ state: 'open', ...this.#named(report.status) });
        break;
      case 'warning':
        this.emit('warning', report.message);
        break;
      case 'problem':
        this.emit('problem', new Error(report.message));
        break;
      case 'password-wanted':
        this.#host.post({ type: 'password', bridge: this.key, id: report.id, ...this.#presentPassword() });
        break;
      case 'broker-port':
        this.#handOutPort(report.port);
    }
  }

  /** The worker has ended by itself and will be started again; for the host. */
  workerEnded(reason: string): void {
    this.#requests.reject(reason);
    if (this.#closed !== undefined) {
      this.#closed();
      return;
    }
    this.emit('problem', new Error(reason));
    this.#setState({ state: 'restarting', reason });
  }

  /** There is a new worker; for the host. */
  workerStarted(): void {
    this.#routes.clear();
    this.#setState({ state: 'opening' });
    this.#host.post({
      type: 'open',
      bridge: this.key,
      settings: this.#present,
      flowOutput: this.#flowOutput,
    });
  }

  #tellRoute(event: 'route-opened' | 'route-closed', name: RouteName | undefined): void {
    if (name === undefined) return;
    const { domain, rosName, type, topic } = name;
    this.emit('event', { event, domain, rosName, rosType: type, topic });
  }

  /** The worker only sees that the embedded broker's end of its port is closed; here it is known why. */
  #named(status: BridgeStatus): BridgeStatus {
    const { mqtt } = status;
    return mqtt?.state === 'reconnecting' && this.#brokerFault !== undefined
      ? { ...status, mqtt: { ...mqtt, reason: this.#brokerFault } }
      : status;
  }

  #presentPassword(): { password: string } | { error: string } {
    try {
      if (this.#password === undefined) throw new Error('nobody knows the password');
      return { password: this.#password() };
    } catch (error) {
      return { error: (error as Error).message };
    }
  }

  #handOutPort(port: MessagePort): void {
    try {
      if (this.#brokerPort === undefined) throw new Error('no embedded broker belongs to the bridge');
      this.#brokerPort(port);
      this.#brokerFault = undefined;
    } catch (error) {
      // The worker's end closes with it, and its connection tries again, which may well end alike.
      port.close();
      const fault = `embedded broker: ${(error as Error).message}`;
      if (fault !== this.#brokerFault) this.emit('problem', new Error(fault));
      this.#brokerFault = fault;
    }
  }

  async #refuse(error: Error): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#requests.reject(error.message);
    await this.#end();
    if (opening === undefined) this.emit('problem', error);
    else opening.reject(error);
  }

  #end(): Promise<void> {
    this.#closed = undefined;
    this.#setState({ state: 'closed' });
    return this.#host.detach(this);
  }

  #setState(state: BridgeState): void {
    this.#state = state;
    this.#requests.open = state.state === 'open';
    this.emit('status', state);
  }
}
