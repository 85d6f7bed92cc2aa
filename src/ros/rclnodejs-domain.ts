import { Backoff } from '../client/backoff';
import type {
  EndpointOptions,
  FoundEndpoint,
  FoundService,
  GraphChange,
  Payload,
  ProcessReport,
  SampleNotes,
} from '../rclnodejs/process-messages';
import type { RclnodejsProcess } from '../rclnodejs/rclnodejs-process';
import { bridgeIdOfNode } from './bridge-node';
import { FoundEndpoints } from './found-endpoints';
import { GraphListeners } from './graph-listeners';
import { QosComparison } from './qos-comparison';
import { unusedPolicies, unusedSettings, usedQos } from './rclnodejs-lacks';
import { type NodeLink, RclnodejsPublisher } from './rclnodejs-publisher';
import { RclnodejsServiceClient, RclnodejsServiceServer } from './rclnodejs-service';
import type {
  RosDomain,
  RosDomainOptions,
  RosEndpoint,
  RosEndpointOptions,
  RosNode,
  RosPublisher,
  RosSample,
  RosServiceClient,
  RosServiceEndpoint,
  RosServiceHandler,
  RosServiceOptions,
  RosServiceServer,
  RosSubscription,
} from './ros-backend';
import { SERVICE_QOS } from './ros-service';

/** The largest message unless the options say another, in bytes. */
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** Warnings that a late listener is told. */
const MAX_WARNINGS = 20;

/** Something of ours in the child process, which is made anew when that was started again. */
interface LocalEndpoint {
  options: EndpointOptions;
  /** It is made in another process than before. */
  madeAgain?(): void;
  payload?(payload: Payload): void;
  lostSamples?: ((count: number) => void) | undefined;
  unanswered?(report: ProcessReport & { type: 'unanswered' }): void;
  /** Its process has ended. */
  lost?(reason: string): void;
  /** The graph has changed. */
  graphChanged?(): void;
  onProblem: ((reason: string) => void) | undefined;
}

export interface DomainHost {
  /** The ids of the other bridges in this domain that use the same process. */
  bridges(): ReadonlySet<string>;
  /** The domain was closed. */
  left(): Promise<void>;
}

/** One user's node in the child process. */
export class RclnodejsDomain implements RosDomain {
  readonly domain: number;
  readonly bridgeId: string;
  readonly #number: number;
  readonly #options: RosDomainOptions;
  readonly #host: DomainHost;
  readonly #link: NodeLink;
  readonly #locals = new Map<number, LocalEndpoint>();
  readonly #endpoints = new FoundEndpoints<FoundEndpoint>();
  readonly #services = new FoundEndpoints<FoundService>();
  #nodes: readonly string[] = [];
  /** The ids of those that are bridges of other processes. */
  #bridges: ReadonlySet<string> = new Set();
  readonly #graphListeners = new GraphListeners();
  readonly #warningListeners = new Set<(warning: string) => void>();
  readonly #warnings = new Set<string>();
  #process: RclnodejsProcess | undefined;
  #problem: string | undefined;
  #nextEndpoint = 0;
  #settle: ((error?: Error) => void) | undefined;
  /** For a domain that was left with a process, and that its successor cannot join at once. */
  readonly #backoff = new Backoff();
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(number: number, options: RosDomainOptions, host: DomainHost) {
    this.domain = options.domain;
    this.bridgeId = options.bridgeId;
    this.#number = number;
    this.#options = options;
    this.#host = host;
    this.#link = {
      maxBytes: options.maxSampleBytes ?? DEFAULT_MAX_BYTES,
      send: (payload) => {
        if (this.#problem !== undefined) throw new Error(`it is being started again: ${this.#problem}`);
        this.#process?.sendPayload({ ...payload, node: number });
      },
    };
    for (const warning of unusedSettings(options)) this.#warnings.add(warning);
  }

  /** Joins the domain. Rejects when the library cannot. */
  open(process: RclnodejsProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
      this.processStarted(process);
    });
  }

  /** A process has taken the place of the one that ended. */
  processStarted(process: RclnodejsProcess): void {
    this.#process = process;
    const { domain, range, peers, nodeName } = this.#options;
    process.send({
      type: 'open',
      node: this.#number,
      domain,
      range,
      peers: peers.map((peer) => peer.replace(/:\d+$/, '')),
      name: nodeName,
      maxBytes: this.#link.maxBytes,
    });
  }

  processEnded(reason: string): void {
    this.#process = undefined;
    // Each attempt may end alike: once is enough. It is not kept either, as `problem` says it as long as it is so.
    if (reason !== this.#problem) {
      for (const listener of [...this.#warningListeners]) listener(`${reason}; it is started again`);
    }
    this.#problem = reason;
    this.#settle?.(new Error(reason));
    this.#settle = undefined;
    for (const local of [...this.#locals.values()]) local.lost?.(reason);
    const names = new Set([...this.#endpoints.of(), ...this.#services.of()].map(({ rosName }) => rosName));
    this.#endpoints.clear();
    this.#services.clear();
    this.#setNodes([]);
    this.#graphChanged(names);
  }

  report(report: ProcessReport): void {
    switch (report.type) {
      case 'opened':
        this.#problem = undefined;
        this.#backoff.reset();
        for (const local of this.#locals.values()) this.#make(local);
        this.#settle?.();
        this.#settle = undefined;
        this.#graphChanged();
        break;
      case 'refused':
        this.#problem = report.reason;
        if (this.#settle === undefined) this.#tryAgain();
        this.#settle?.(new Error(report.reason));
        this.#settle = undefined;
        this.#graphChanged();
        break;
      case 'failed':
        this.#tellProblem(this.#locals.get(report.endpoint), report.reason);
        break;
      case 'graph':
        this.#change(report.change);
        break;
      case 'warning':
        this.#warn(report.warning);
        break;
      case 'lost':
        this.#locals.get(report.endpoint)?.lostSamples?.(report.count);
        break;
      case 'unanswered':
        for (const local of this.#locals.values()) local.unanswered?.(report);
    }
  }

  payload(payload: Payload): void {
    this.#locals.get(payload.endpoint)?.payload?.(payload);
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** The library knows no participants: they are counted by their nodes, or by the first halves of their GUIDs. */
  get participants(): number {
    const prefixes = new Set([...this.#endpoints.of()].map(({ guid }) => guid.slice(0, 24)));
    return Math.max(this.#nodes.length, prefixes.size);
  }

  bridges(): ReadonlySet<string> {
    return new Set([...this.#bridges, ...this.#host.bridges()]);
  }

  bridgesOf(endpointGuid: string): readonly string[] {
    const id = bridgeIdOfNode(this.#endpoints.get(endpointGuid)?.node ?? '');
    return id === undefined || id === this.bridgeId ? [] : [id];
  }

  endpoints(rosName?: string): Iterable<RosEndpoint> {
    return this.#endpoints.of(rosName);
  }

  services(rosName?: string): Iterable<RosServiceEndpoint> {
    return this.#services.of(rosName);
  }

  *nodes(): Iterable<RosNode> {
    const endpoints = new Map(this.#nodes.map((name) => [name, [] as string[]]));
    for (const found of [this.#endpoints, this.#services]) {
      for (const { guid, node } of found.of()) endpoints.get(node)?.push(guid);
    }
    for (const [name, guids] of endpoints) yield { name, endpoints: guids };
  }

  onGraphChange(listener: () => void, rosName?: string): () => void {
    return this.#graphListeners.add(listener, rosName);
  }

  onWarning(listener: (warning: string) => void): () => void {
    for (const warning of this.#warnings) listener(warning);
    this.#warningListeners.add(listener);
    return () => this.#warningListeners.delete(listener);
  }

  tellTimes(duration: number): void {
    this.#process?.send({ type: 'time', node: this.#number, duration });
  }

  createPublisher(options: RosEndpointOptions): RosPublisher {
    const comparison = new QosComparison('publisher', usedQos(options), this);
    const lacking = unusedPolicies(options.qos);
    if (lacking.length > 0) {
      this.#warn(`${options.rosName}: with rclnodejs a publisher has no ${lacking.join(' and no ')}`);
    }
    const [number, close] = this.#add('publisher', options, {
      onProblem: options.onProblem,
      madeAgain: () => publisher.publishKept(),
      graphChanged: () => comparison.run(),
    });
    const publisher: RclnodejsPublisher = new RclnodejsPublisher(number, options.qos, this.#link);
    comparison.run();
    return { publish: (cdr, via) => publisher.publish(cdr, via), close };
  }

  createSubscription(options: RosEndpointOptions, onSample: (sample: RosSample) => void): RosSubscription {
    const comparison = new QosComparison('subscription', usedQos(options), this);
    const [, close] = this.#add('subscription', options, {
      onProblem: options.onProblem,
      payload: ({ cdr, notes }) => onSample(this.#sample(cdr, notes as SampleNotes | undefined)),
      lostSamples: options.onLost,
      graphChanged: () => comparison.run(),
    });
    comparison.run();
    return { close };
  }

  createServiceClient(options: RosServiceOptions, onServersChange?: () => void): RosServiceClient {
    const servers = () =>
      [...this.#services.of(options.rosName)].filter(
        ({ kind, type }) => kind === 'server' && type === options.type,
      ).length;
    let known = servers();
    const [number, close] = this.#add(
      'client',
      { ...options, qos: SERVICE_QOS },
      {
        onProblem: options.onProblem,
        payload: ({ number: call, cdr }) => client.answer(call, cdr),
        unanswered: ({ call, status, reason }) => client.unanswered(call, status, reason),
        lost: (reason) => client.lost(reason),
        graphChanged: () => {
          if (servers() === known) return;
          known = servers();
          onServersChange?.();
        },
      },
    );
    const client: RclnodejsServiceClient = new RclnodejsServiceClient(number, options.rosName, this.#link);
    return {
      get servers() {
        return servers();
      },
      call: (request, timeout) => client.call(request, timeout),
      close: () => {
        close();
        client.lost('the client was closed');
      },
    };
  }

  createServiceServer(options: RosServiceOptions, handler: RosServiceHandler): RosServiceServer {
    const [number, close] = this.#add(
      'server',
      { ...options, qos: SERVICE_QOS },
      {
        onProblem: options.onProblem,
        payload: ({ number: request, cdr }) => void server.answer(request, cdr),
        lost: () => server.lost(),
      },
    );
    const server: RclnodejsServiceServer = new RclnodejsServiceServer(number, handler, this.#link);
    return { withdraw: () => server.withdraw(close), close };
  }

  // The child process says nothing of acknowledgements.
  async delivered(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const local of [...this.#locals.values()]) local.lost?.('the domain was closed');
    this.#locals.clear();
    this.#graphListeners.clear();
    this.#warningListeners.clear();
    this.#process?.send({ type: 'close', node: this.#number });
    this.#process = undefined;
    await this.#host.left();
  }

  #tryAgain(): void {
    const process = this.#process;
    this.#retry = setTimeout(() => {
      if (process !== undefined && process === this.#process) this.processStarted(process);
    }, this.#backoff.next());
  }

  #sample(cdr: Buffer, { via, guid, sequence, stamp, identity }: SampleNotes = {}): RosSample {
    // Some middlewares tell a number of their own in the place of a GUID.
    const writerGuid = guid !== undefined && this.#endpoints.get(guid) !== undefined ? guid : undefined;
    const sourceTimestamp = stamp === undefined ? undefined : BigInt(stamp);
    return { payload: cdr, writerGuid, sequence, sourceTimestamp, identity, ...(via && { via }) };
  }

  #add(
    kind: EndpointOptions['kind'],
    { rosName, type, action, qos }: Pick<EndpointOptions, 'rosName' | 'type' | 'action' | 'qos'>,
    local: Omit<LocalEndpoint, 'options'>,
  ): [number: number, close: () => void] {
    const endpoint = this.#nextEndpoint++;
    const { reliability, durability, depth } = qos;
    const made = {
      ...local,
      options: {
        node: this.#number,
        endpoint,
        kind,
        rosName,
        type,
        ...(action !== undefined && { action }),
        qos: { reliability, durability, depth },
      },
    };
    this.#locals.set(endpoint, made);
    if (this.#problem === undefined) this.#process?.send({ type: 'create', options: made.options });
    const close = () => {
      if (this.#locals.delete(endpoint))
        this.#process?.send({ type: 'destroy', node: this.#number, endpoint });
    };
    return [endpoint, close];
  }

  #make(local: LocalEndpoint): void {
    this.#process?.send({ type: 'create', options: local.options });
    try {
      local.madeAgain?.();
    } catch (error) {
      this.#tellProblem(local, (error as Error).message);
    }
  }

  #tellProblem(local: LocalEndpoint | undefined, reason: string): void {
    if (local?.onProblem !== undefined) local.onProblem(reason);
    else this.#warn(`${local?.options.rosName}: ${reason}`);
  }

  #change({ foundEndpoints, foundServices, lost, nodes }: GraphChange): void {
    const names = new Set<string>();
    for (const guid of lost) {
      const found = this.#endpoints.delete(guid) ?? this.#services.delete(guid);
      if (found !== undefined) names.add(found.rosName);
    }
    for (const endpoint of foundEndpoints) {
      names.add(endpoint.rosName);
      this.#endpoints.set(endpoint);
    }
    for (const service of foundServices) {
      names.add(service.rosName);
      this.#services.set(service);
    }
    if (nodes !== undefined) this.#setNodes(nodes);
    this.#graphChanged(names);
  }

  #setNodes(names: readonly string[]): void {
    this.#nodes = names;
    const ids = new Set(names.flatMap((name) => bridgeIdOfNode(name) ?? []));
    ids.delete(this.bridgeId);
    this.#bridges = ids;
  }

  /** @param rosNames see `GraphListeners.tell` */
  #graphChanged(rosNames?: Iterable<string>): void {
    // First: a subscription that follows the publishers must not be told of what it is about to follow.
    this.#graphListeners.tell(rosNames);
    for (const local of [...this.#locals.values()]) local.graphChanged?.();
  }

  #warn(warning: string): void {
    if (this.#warnings.size < MAX_WARNINGS) this.#warnings.add(warning);
    for (const listener of [...this.#warningListeners]) listener(warning);
  }
}
