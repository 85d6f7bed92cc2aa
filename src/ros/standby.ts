import { type BridgePresence, bridgeNodeName, MAX_TOLD_ROUTES } from './bridge-presence';
import type { KnownBridges } from './known-bridges';
import type { Way } from './name-patterns';
import type { RosDomain } from './ros-backend';
import { type Place, RouteTurn, type Turn, type TurnDomain, type TurnListener } from './route-turn';

/**
 * How long after it was joined a domain may take to show a bridge that is in it, in ms: participants announce themselves
 * every 3 s.
 */
const DISCOVERY = 3500;
/**
 * How long a bridge still counts as seen in a domain that it has left, in ms: one that ends tells it at the broker
 * first, and only there it is told in the order of the messages.
 */
const PARTING = 2000;

/**
 * Which of several bridges carries a route: of those that are online at one broker under one prefix, and see each other
 * in the route's ROS domain, the one with the lowest id. Each way of a route is decided for itself, unless one of the
 * bridges uses MQTT 3.1.1, where nothing tells what a bridge has published.
 *
 * Bridges of ROS networks that cannot see each other carry both, although their domains have the same number. One that
 * is to take over from others who carry tells them when it has had the time to see them, and all publishers; they go on
 * until it has told them.
 */
export class Standby {
  readonly #id: string;
  readonly #protocolVersion: 4 | 5;
  readonly #known: KnownBridges | undefined;
  readonly #domains = new Map<number, JoinedDomain>();
  readonly #turns = new Set<RouteTurn>();
  readonly #ready: () => void;
  /** What was to be told after the connect has come back, so that all who carry the same are known. */
  #isThere = false;
  #wasSettled = false;
  #telling: NodeJS.Immediate | undefined;
  #looking: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param known absent for a bridge without a broker, which always carries
   * @param ready called when it is known after a connect which routes others carry
   */
  constructor(
    { id, protocolVersion }: { id: string; protocolVersion: 4 | 5 },
    known: KnownBridges | undefined,
    ready: () => void,
  ) {
    this.#id = id;
    this.#protocolVersion = protocolVersion;
    this.#known = known;
    this.#ready = ready;
  }

  /** A domain in which bridges may see each other. */
  addDomain(domain: RosDomain): void {
    this.#domains.set(domain.domain, new JoinedDomain(domain));
    domain.onGraphChange(() => {
      if (this.#known !== undefined && this.#known.online.size > 0) this.#lookSoon();
    });
  }

  /** This bridge has one more way of a route. */
  join(place: Place, listener: TurnListener): Turn {
    const turn = new RouteTurn(
      place,
      {
        id: this.#id,
        lately: (id) => this.#known?.lately(id),
        domain: this.#domains.get(place.domain),
        closed: () => {
          if (this.#turns.delete(turn) && this.#known !== undefined) this.#tell(this.#known);
        },
      },
      listener,
    );
    this.#turns.add(turn);
    if (this.#known === undefined) turn.decide(undefined);
    else {
      this.#decide(turn, this.#known);
      this.#tell(this.#known);
    }
    return turn;
  }

  /** Who is there, or which bridge carries what, has changed. */
  look(): void {
    const known = this.#known;
    if (known === undefined || this.#closed) return;
    // What comes before is of use then.
    if (!known.settled && !this.#wasSettled) return;
    this.#wasSettled = known.settled;
    for (const domain of this.#domains.values()) domain.look(known.online);
    for (const turn of this.#turns) this.#decide(turn, known);
    if ([...this.#domains.values()].some(({ isLeft }) => isLeft)) this.#lookLater();
    this.#noteTold(known);
    this.#tell(known);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #decide(turn: RouteTurn, known: KnownBridges): void {
    const { way, domain: number, key } = turn;
    const domain = this.#domains.get(number);
    const others = known.settled ? this.#othersWith(turn, known.online) : [];
    const lower = others.filter((id) => id < this.#id && domain?.sees(id)).sort();
    const isTold = !turn.isTellable || known.announced[way].get(number)?.has(key) === true;
    turn.hasEntered = known.settled && (turn.hasEntered || isTold || (this.#isThere && others.length === 0));
    turn.waits = !turn.hasEntered && others.length > 0 && lower.length === 0 && domain?.isYoung === true;
    turn.decide(turn.hasEntered ? lower[0] : turn.waits ? others[0] : '');
  }

  /** Once all that others were to be told has come back, what is new and nobody else has begins at once. */
  #noteTold(known: KnownBridges): void {
    const wasThere = this.#isThere;
    this.#isThere =
      known.settled && (wasThere || [...this.#turns].every(({ hasEntered, waits }) => hasEntered || waits));
    if (this.#isThere && !wasThere) this.#ready();
  }

  /** Tells the others what there is now, at the end of this turn of the event loop: routes come and go many at a time. */
  #tell(known: KnownBridges): void {
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      if (this.#closed) return;
      const carried = {
        'ros-to-mqtt': new Map<number, Set<string>>(),
        'mqtt-to-ros': new Map<number, Set<string>>(),
      };
      const told = { 'ros-to-mqtt': 0, 'mqtt-to-ros': 0 };
      for (const turn of this.#turns) {
        const { way, domain, key } = turn;
        if (turn.waits) {
          this.#lookLater();
          continue;
        }
        turn.isTellable = ++told[way] <= MAX_TOLD_ROUTES;
        if (turn.isTellable) keysOf(carried[way], domain).add(key);
      }
      known.carry(carried);
    });
  }

  // Discovery finds many in one turn.
  #lookSoon(): void {
    this.#looking ??= setImmediate(() => {
      this.#looking = undefined;
      this.look();
    });
  }

  #lookLater(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.look();
    }, DISCOVERY);
  }

  #othersWith({ way, domain, key }: RouteTurn, online: ReadonlyMap<string, BridgePresence>): string[] {
    const others: string[] = [];
    for (const [id, { carried, protocolVersion }] of online) {
      const eitherWay = protocolVersion === 4 || this.#protocolVersion === 4;
      const ways: Way[] = eitherWay ? ['ros-to-mqtt', 'mqtt-to-ros'] : [way];
      if (ways.some((other) => carried[other].get(domain)?.has(key))) others.push(id);
    }
    return others;
  }
}

/** A domain and which bridges are seen in it. */
class JoinedDomain implements TurnDomain {
  readonly #domain: RosDomain;
  readonly #joinedAt = performance.now();
  #seen: ReadonlySet<string> = new Set();
  /** Since when those are not seen that were until a moment ago. */
  readonly #leftAt = new Map<string, number>();
  readonly #writers = new Map<string, readonly string[]>();

  constructor(domain: RosDomain) {
    this.#domain = domain;
  }

  /** Whether bridges may be in it that have not been seen yet. */
  get isYoung(): boolean {
    return performance.now() - this.#joinedAt < DISCOVERY;
  }

  /** Whether somebody has left who still counts as seen. */
  get isLeft(): boolean {
    return this.#leftAt.size > 0;
  }

  sees(bridgeId: string): boolean {
    return this.#seen.has(bridgeId) || this.#leftAt.has(bridgeId);
  }

  /** The bridge that a writer belongs to, as a way; `undefined` where its samples say so themselves, or nobody knows. */
  viaOf(writerGuid: string): readonly string[] | undefined {
    return this.#writers.get(writerGuid);
  }

  /** Who is there may have changed. */
  look(online: ReadonlyMap<string, BridgePresence>): void {
    const before = this.#seen;
    this.#find(online);
    const now = performance.now();
    for (const id of before) if (!this.#seen.has(id)) this.#leftAt.set(id, now);
    for (const [id, at] of this.#leftAt) {
      if (this.#seen.has(id) || now - at >= PARTING) this.#leftAt.delete(id);
    }
  }

  /** Bridges whose participants do not tell their ids are known by their nodes. */
  #find(online: ReadonlyMap<string, BridgePresence>): void {
    const bridges = this.#domain.bridges();
    const seen = new Set(bridges);
    this.#seen = seen;
    this.#writers.clear();
    const silent = new Map<string, string>();
    for (const id of online.keys()) if (!bridges.has(id)) silent.set(`/${bridgeNodeName(id)}`, id);
    if (silent.size === 0) return;
    for (const { name, endpoints } of this.#domain.nodes()) {
      const id = silent.get(name);
      if (id === undefined) continue;
      seen.add(id);
      for (const guid of endpoints) this.#writers.set(guid, [id]);
    }
  }
}

function keysOf(carried: Map<number, Set<string>>, domain: number): Set<string> {
  const keys = carried.get(domain) ?? new Set();
  carried.set(domain, keys);
  return keys;
}
