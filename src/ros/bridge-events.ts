import type { RouteStatus } from './ros-worker-messages';
import type { SilenceReason } from './route-silence';

/** What happened on a bridge, for flows that want to know. */
export type BridgeEvent =
  | ({ event: 'route-opened' | 'route-closed' } & RouteIdentity & { topic: string })
  /** An endpoint of others has the route's name and does not suit it. */
  | ({ event: 'incompatible'; reason: string } & RouteIdentity)
  /** Nobody here knows the type of a route, and a robot is asked for it. */
  | ({ event: 'type-unknown'; reason: string } & RouteIdentity)
  /** A route carries nothing, or what it calls cannot be called, for another reason than before. */
  | ({ event: 'silent'; cause: SilenceReason; reason: string } & RouteIdentity)
  /** A route that was silent is so no more, of which the `silent` before it has told why. */
  | ({ event: 'silence-ended'; cause: SilenceReason } & RouteIdentity)
  | { event: 'node-appeared' | 'node-left'; domain: number; node: string }
  /** So many more happened in the same second. */
  | { event: 'omitted'; count: number };

export interface RouteIdentity {
  domain: number;
  rosName: string;
  rosType: string;
}

/** Events passed on in one second; those who come and go on a network must not flood the flows. */
const EVENTS_PER_SECOND = 100;

/** Passes events on, a bounded number in a second, and then says how many it left out. */
export class EventGate {
  readonly #pass: (event: BridgeEvent) => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(pass: (event: BridgeEvent) => void) {
    this.#pass = pass;
  }

  tell(event: BridgeEvent): void {
    this.#timer ??= setTimeout(() => this.#endSecond(), 1000).unref();
    if (++this.#count <= EVENTS_PER_SECOND) this.#pass(event);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count = 0;
  }

  #endSecond(): void {
    const count = this.#count - EVENTS_PER_SECOND;
    this.close();
    if (count > 0) this.#pass({ event: 'omitted', count });
  }
}

/** Finds which routes have become silent, are silent for another reason, or are so no more, since it last looked. */
export class SilentRoutes {
  readonly #tell: (event: BridgeEvent) => void;
  /** The reasons, by kind, domain and name of the route. */
  #known = new Map<string, SilenceReason>();
  /** What was looked at: most of many routes fare as before. */
  readonly #names = new WeakMap<RouteStatus, string>();

  constructor(tell: (event: BridgeEvent) => void) {
    this.#tell = tell;
  }

  /** @param routes as they are now */
  look(routes: Iterable<RouteStatus>): void {
    const present = new Map<string, SilenceReason>();
    for (const status of routes) {
      const { kind, domain, rosName, type: rosType, silence } = status;
      const route = this.#names.get(status) ?? `${kind} ${domain} ${rosName}`;
      this.#names.set(status, route);
      const before = this.#known.get(route);
      const identity = { domain, rosName, rosType };
      if (silence === undefined) {
        if (before !== undefined) this.#tell({ event: 'silence-ended', ...identity, cause: before });
        continue;
      }
      const { reason: cause, text: reason } = silence;
      present.set(route, cause);
      if (before !== cause) this.#tell({ event: 'silent', ...identity, cause, reason });
    }
    this.#known = present;
  }
}

/** Finds which ROS nodes of a domain appeared or left since it last looked. */
export class NodeWatch {
  readonly #domain: number;
  readonly #tell: (event: BridgeEvent) => void;
  #known = new Set<string>();

  constructor(domain: number, tell: (event: BridgeEvent) => void) {
    this.#domain = domain;
    this.#tell = tell;
  }

  /** @param names of the nodes that there are now */
  look(names: Iterable<string>): void {
    const present = new Set(names);
    for (const node of present) {
      if (!this.#known.has(node)) this.#tell({ event: 'node-appeared', domain: this.#domain, node });
    }
    for (const node of this.#known) {
      if (!present.has(node)) this.#tell({ event: 'node-left', domain: this.#domain, node });
    }
    this.#known = present;
  }
}
