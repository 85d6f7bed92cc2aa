import { EndpointFailure } from './endpoint-failure';
import { fullName, GraphWatch } from './graph-watch';
import {
  BEST_EFFORT,
  KEEP_LAST,
  type RclAddon,
  type RclGuardCondition,
  type RclLibrary,
  type RclNode,
  type RclPublisher,
  RELIABLE,
  type ServiceClass,
  TRANSIENT_LOCAL,
  VOLATILE,
} from './library';
import type { LocalPublisher } from './local-samples';
import type {
  EndpointOptions,
  NodeOptions,
  Payload,
  ProcessReport,
  Qos,
  SampleNotes,
} from './process-messages';
import { RawActions } from './raw-action';
import { MIN_CDR_BYTES } from './raw-class';
import {
  type RawClient,
  type RawServer,
  RawServiceClient,
  RawServiceServer,
  type RequestHandler,
} from './raw-service';
import { RawSubscription } from './raw-subscription';
import type { RosContext } from './ros-context';
import { ServiceCall, type UnansweredError } from './service-call';

/** Of a wait, in ms: the library sets each up anew, with all that the node has. A guard condition ends it before. */
const SPIN_TIMEOUT = 1000;
/** Samples that wait for this process in a subscription, at least. */
const MIN_DEPTH = 1000;
/** Requests of others that may wait for our replies in one server. */
const MAX_REQUESTS = 1000;
/** Different warnings that one node gives. */
const MAX_WARNINGS = 100;

type Endpoint =
  | { kind: 'publisher'; publisher: RclPublisher; local: LocalPublisher }
  | { kind: 'subscription'; destroy(): void }
  | { kind: 'client'; rosName: string; client: RawClient; calls: Set<ServiceCall>; destroy(): void }
  | { kind: 'server'; rosName: string; requests: Map<number, (response: Buffer) => void>; destroy(): void };

export interface RosNodeListener {
  report(report: ProcessReport): void;
  payload(payload: Payload): void;
}

/** One user's node: its publishers, subscriptions, clients and servers, by the parent's numbers. */
export class RosNode {
  static #isStopping = false;
  readonly #library: RclLibrary;
  readonly #addon: RclAddon;
  readonly #context: RosContext;
  readonly #options: NodeOptions;
  readonly #listener: RosNodeListener;
  readonly #node: RclNode;
  /** Wakes what waits, which is to be stopped. */
  readonly #guard: RclGuardCondition;
  readonly #fullName: string;
  readonly #graph: GraphWatch;
  readonly #actions: RawActions;
  readonly #endpoints = new Map<number, Endpoint>();
  /** By the handles that the library says to be ready. */
  readonly #subscriptions = new Map<object, RawSubscription>();
  /** Until when samples tell when they were published (`performance.now()`). */
  #timedUntil = Number.NEGATIVE_INFINITY;
  readonly #warned = new Set<string>();
  /** What is done while the spin is stopped. */
  readonly #changes: Array<() => void> = [];
  #changing = false;
  #closed = false;
  #nextRequest = 0;

  constructor(
    library: RclLibrary,
    addon: RclAddon,
    context: RosContext,
    options: NodeOptions,
    listener: RosNodeListener,
  ) {
    this.#library = library;
    this.#addon = addon;
    this.#context = context;
    this.#options = options;
    this.#listener = listener;
    this.#fullName = fullName(options.name, '/');
    this.#node = new library.Node(options.name, '', context.context, {
      startParameterServices: false,
      enableRosout: false,
      startTypeDescriptionService: false,
    });
    this.#guard = this.#node.createGuardCondition(() => {});
    // All changes are made while the spin is stopped, and it reads the handles when it starts: not after each as well.
    Object.defineProperty(this.#node, 'syncHandles', { value: () => {} });
    const execute = this.#node.execute;
    this.#node.execute = (handles) => {
      const others = handles.filter((handle) => !this.#takeFrom(handle));
      this.#guarded('what was received', () => execute.call(this.#node, others));
    };
    context.nodes.add(this.#fullName);
    this.#actions = new RawActions(library, addon, this.#node);
    this.#graph = new GraphWatch(
      this.#node,
      (name) => context.nodes.has(name),
      (change) => listener.report({ type: 'graph', node: options.node, change }),
      (fault) => this.#warn(`the ROS graph: ${text(fault)}`),
    );
  }

  open(): void {
    this.#node.spin(SPIN_TIMEOUT);
    this.#graph.start();
  }

  /** For good: the process ends. Runs the event loop inside itself. */
  halt(): void {
    this.#graph.stop();
    this.#guarded('the spin', () => this.#stop());
  }

  /** Calls back when it is done, which may be later. */
  close(done: () => void): void {
    this.#graph.stop();
    this.#change(() => {
      this.#closed = true;
      this.#context.nodes.delete(this.#fullName);
      for (const [number, endpoint] of this.#endpoints) this.#destroy(number, endpoint);
      this.#guarded('the node', () => this.#node.destroy());
      done();
    });
  }

  create(options: EndpointOptions): void {
    const make = () => {
      if (this.#closed) return;
      try {
        this.#endpoints.set(options.endpoint, this.#make(options));
      } catch (error) {
        const { node, endpoint } = options;
        const { message } = new EndpointFailure(options, error);
        this.#listener.report({ type: 'failed', node, endpoint, reason: message });
      }
    };
    // What is published at once must find it.
    if (options.kind === 'publisher') make();
    else this.#change(make);
  }

  destroy(number: number): void {
    const destroy = () => {
      const endpoint = this.#endpoints.get(number);
      if (endpoint !== undefined) this.#destroy(number, endpoint);
    };
    if (this.#endpoints.get(number)?.kind === 'publisher') destroy();
    else this.#change(destroy);
  }

  /** @param duration for which samples tell when they were published, in ms */
  time(duration: number): void {
    this.#timedUntil = performance.now() + duration;
  }

  take(payload: Payload): void {
    switch (payload.kind) {
      case 'sample':
        this.#publish(payload);
        break;
      case 'call':
        // Its client may be about to be made.
        if (this.#changing) this.#change(() => this.#call(payload));
        else this.#call(payload);
        break;
      case 'reply':
        this.#reply(payload);
    }
  }

  /** Returns whether it is the handle of a subscription. The library takes one sample each time that it has waited. */
  #takeFrom(handle: object): boolean {
    const subscription = this.#subscriptions.get(handle);
    subscription?.take(performance.now() < this.#timedUntil);
    return subscription !== undefined;
  }

  /** Stops the spin, does what came until then, and spins on. */
  #change(change: () => void): void {
    this.#changes.push(change);
    if (this.#changing) return;
    this.#changing = true;
    this.#changeSoon();
  }

  /**
   * Stopping runs the event loop inside itself: more may come meanwhile, but no other node may stop. Not in an immediate,
   * as Node.js does not bear immediates to be run inside one.
   */
  #changeSoon(): void {
    setTimeout(() => {
      if (RosNode.#isStopping) {
        this.#changeSoon();
        return;
      }
      RosNode.#isStopping = true;
      if (!this.#closed) this.#guarded('the spin', () => this.#stop());
      for (let next = this.#changes.shift(); next !== undefined; next = this.#changes.shift()) {
        this.#guarded('the node', next);
      }
      if (!this.#closed) this.#guarded('the spin', () => this.#node.spin(SPIN_TIMEOUT));
      this.#changing = false;
      RosNode.#isStopping = false;
    }, 0);
  }

  #stop(): void {
    this.#guard.trigger();
    this.#node.stop();
  }

  #make(options: EndpointOptions): Endpoint {
    const { node, endpoint, rosName, type } = options;
    const library = this.#library;
    const qos = qosOf(library, options.qos);
    const local = { owner: this, topic: rosName, type, qos: options.qos };
    const { samples } = this.#context;
    switch (options.kind) {
      case 'publisher': {
        const publisher = this.#node.createPublisher(type, rosName, { qos });
        samples.addPublisher(local);
        return { kind: 'publisher', publisher, local };
      }
      case 'subscription': {
        const depth = Math.max(options.qos.depth, MIN_DEPTH);
        const deep = qosOf(library, { ...options.qos, depth });
        const isLatched = options.qos.durability === 'transient-local';
        const listener = {
          sample: (cdr: Buffer, notes?: SampleNotes) => {
            const own = samples.received(local, cdr);
            if (own?.publisher.owner === this) return;
            const told = own === undefined ? notes : { ...notes, via: own.via };
            this.#listener.payload({
              kind: 'sample',
              node,
              endpoint,
              number: 0,
              ...(told && { notes: told }),
              cdr,
            });
          },
          overrun: () =>
            this.#warn(`${rosName}: ${depth} messages waited for rclnodejs, and some may have been lost`),
          lost: (count: number) => this.#listener.report({ type: 'lost', node, endpoint, count }),
          guarded: (run: () => void) => this.#guarded(rosName, run),
        };
        samples.addSubscription(local);
        try {
          const made = { rosName, type, qos: deep, depth, isLatched };
          const subscription = new RawSubscription(library, this.#addon, this.#node, made, listener);
          const { handle } = subscription;
          this.#subscriptions.set(handle, subscription);
          const destroy = () => {
            samples.removeSubscription(local);
            this.#subscriptions.delete(handle);
            subscription.destroy();
          };
          return { kind: 'subscription', destroy };
        } catch (error) {
          samples.removeSubscription(local);
          throw error;
        }
      }
      case 'client': {
        const client = this.#client(options, qos);
        const calls = new Set<ServiceCall>();
        const destroy = () => {
          for (const call of calls) call.cancel('the client was closed');
          client.destroy();
        };
        return { kind: 'client', rosName, client, calls, destroy };
      }
      case 'server': {
        const requests = new Map<number, (response: Buffer) => void>();
        const server = this.#server(options, qos, (cdr, respond) => {
          if (requests.size >= MAX_REQUESTS) throw new Error(`${MAX_REQUESTS} requests wait for replies`);
          const number = this.#nextRequest++ >>> 0;
          requests.set(number, respond);
          this.#listener.payload({ kind: 'request', node, endpoint, number, cdr });
        });
        return { kind: 'server', rosName, requests, destroy: () => server.destroy() };
      }
    }
  }

  #client({ rosName, type, action }: EndpointOptions, qos: object): RawClient {
    if (action !== undefined) return this.#actions.client({ rosName, action });
    const found = this.#library.require(type) as ServiceClass;
    return new RawServiceClient(this.#library, this.#node, found, { rosName, qos });
  }

  #server({ rosName, type, action }: EndpointOptions, qos: object, handler: RequestHandler): RawServer {
    const guarded: RequestHandler = (...request) => this.#guarded(rosName, () => handler(...request));
    if (action !== undefined) return this.#actions.server({ rosName, action }, guarded);
    const found = this.#library.require(type) as ServiceClass;
    return new RawServiceServer(this.#library, this.#node, found, { rosName, qos }, guarded);
  }

  #destroy(number: number, endpoint: Endpoint): void {
    this.#endpoints.delete(number);
    this.#guarded('an endpoint', () => {
      if (endpoint.kind === 'publisher') {
        this.#context.samples.removePublisher(endpoint.local);
        this.#node.destroyPublisher(endpoint.publisher);
      } else {
        endpoint.destroy();
      }
    });
  }

  #publish({ endpoint: number, cdr, notes }: Payload): void {
    const endpoint = this.#endpoints.get(number);
    if (endpoint?.kind !== 'publisher') return;
    const { via = [] } = notes as SampleNotes;
    this.#guarded(endpoint.local.topic, () => {
      this.#context.samples.published(endpoint.local, cdr, via);
      endpoint.publisher.publish(cdr);
    });
  }

  #call({ endpoint: number, number: call, notes, cdr }: Payload): void {
    const endpoint = this.#endpoints.get(number);
    const { node } = this.#options;
    if (endpoint?.kind !== 'client') {
      const reason = 'the client could not be made';
      this.#listener.report({ type: 'unanswered', node, call, status: 'unavailable', reason });
      return;
    }
    const { client, calls, rosName } = endpoint;
    // A request goes to all servers, so that there is no calling others beside one of our own.
    const waiting = new ServiceCall(client, Number(notes), () => !this.#serves(rosName));
    calls.add(waiting);
    waiting
      .response(cdr)
      .then(
        (response) =>
          this.#listener.payload({ kind: 'response', node, endpoint: number, number: call, cdr: response }),
        ({ status, message: reason }: UnansweredError) =>
          this.#listener.report({ type: 'unanswered', node, call, status, reason }),
      )
      .finally(() => calls.delete(waiting));
  }

  #serves(rosName: string): boolean {
    const endpoints = [...this.#endpoints.values()];
    return endpoints.some((endpoint) => endpoint.kind === 'server' && endpoint.rosName === rosName);
  }

  /** Without content: the request gets no reply. */
  #reply({ endpoint: number, number: request, cdr }: Payload): void {
    const endpoint = this.#endpoints.get(number);
    if (endpoint?.kind !== 'server') return;
    const respond = endpoint.requests.get(request);
    if (!endpoint.requests.delete(request) || respond === undefined || cdr.length < MIN_CDR_BYTES) return;
    this.#guarded(endpoint.rosName, () => respond(cdr));
  }

  /** A throw out of a callback of the library would abort the process. */
  #guarded(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#warn(`${what}: ${text(error)}`);
    }
  }

  #warn(warning: string): void {
    if (this.#warned.has(warning) || this.#warned.size >= MAX_WARNINGS) return;
    this.#warned.add(warning);
    this.#listener.report({ type: 'warning', node: this.#options.node, warning });
  }
}

function qosOf(library: RclLibrary, { depth, reliability, durability }: Qos): object {
  return new library.QoS(
    KEEP_LAST,
    depth,
    reliability === 'reliable' ? RELIABLE : BEST_EFFORT,
    durability === 'transient-local' ? TRANSIENT_LOCAL : VOLATILE,
  );
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
