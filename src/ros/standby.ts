import { setTimeout as sleep } from 'node:timers/promises';
import { type BridgePresence, MAX_TOLD_ROUTES, topicKey } from './bridge-presence';
import { FellowBridges, type Fellows, NO_FELLOWS } from './fellow-bridges';
import type { KnownBridges } from './known-bridges';
import type { Way } from './name-patterns';
import { Paced } from './paced';
import type { RosDomain } from './ros-backend';
import {
  CHANGEOVER,
  type HeldMessages,
  type Place,
  RouteTurn,
  type Turn,
  type TurnDomain,
  type TurnListener,
} from './route-turn';

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
/** How long a participant is there without a word of it, in ms. */
const LEASE = 10_000;
/** How often it is looked whether the broker has dropped what others have said, in ms. */
const CHECK = 30_000;
/** Messages that wait until it is known who carries them, and the bytes of their payloads. */
const MAX_HELD = 1000;
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/**
 * Which of several bridges carries a route: of those that are online at one broker under one prefix, and see each other
 * in the route's ROS domain, the one with the lowest id. Each way of a route is decided for itself, unless one of the
 * bridges uses MQTT 3.1.1, where nothing tells what a bridge has published.
 *
 * Bridges of ROS networks that cannot see each other carry both, although their domains have the same number. One that
 * is to take over from others who carry tells them when it has had the time to see them, and all publishers; they go on
 * until it has told them. The broker brings all of them what each has told in one order: what comes to two that begin
 * at the same time waits until that is known.
 *
 * They do not hear a word at the same time. What a change by a word means for what ROS says they tell therefore by when
 * its publisher has said it, where all of them do so.
 */
export class Standby {
  readonly #id: string;
  readonly #protocolVersion: 4 | 5;
  readonly #known: KnownBridges | undefined;
  readonly #domains = new Map<number, JoinedDomain>();
  readonly #turns = new Set<RouteTurn>();
  /** Those of routes that go on until others know that they are to carry, with what is called then. */
  readonly #leaving = new Map<RouteTurn, () => void>();
  readonly #report: (problem: string) => void;
  readonly #held = new Held(() => this.#known?.connected === true);
  /** What was to be told after the connect has come back, so that all who carry the same are known. */
  #isThere = false;
  #wasSettled = false;
  /** Tells the others what there is now: routes come and go many at a time. */
  readonly #telling = new Paced(() => this.#guard(() => this.#tell()));
  /** Discovery finds many in one turn. */
  readonly #looking = new Paced(() => this.look());
  #timer: NodeJS.Timeout | undefined;
  readonly #checkInterval: number;
  #checks: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param known absent for a bridge without a broker, which always carries
   * @param report told what keeps it from deciding, in words
   */
  constructor(
    {
      id,
      protocolVersion,
      checkInterval = CHECK,
    }: { id: string; protocolVersion: 4 | 5; checkInterval?: number },
    known: KnownBridges | undefined,
    report: (problem: string) => void,
  ) {
    this.#id = id;
    this.#protocolVersion = protocolVersion;
    this.#checkInterval = checkInterval;
    this.#known = known;
    this.#report = report;
  }

  /** A domain in which bridges may see each other. */
  addDomain(domain: RosDomain): void {
    const joined = new JoinedDomain(domain);
    this.#domains.set(domain.domain, joined);
    domain.onGraphChange(() => {
      if (this.#known === undefined) return;
      if (this.#known.online.size > 0 || joined.fellows.areOfConcern) this.#looking.schedule();
    });
  }

  /** What of a domain belongs to others at the broker. */
  fellowsIn(domain: number): Fellows {
    return (this.#known && this.#domains.get(domain)?.fellows) ?? NO_FELLOWS;
  }

  /** This bridge has one more way of a route. */
  join(place: Place, listener: TurnListener): Turn {
    const turn: RouteTurn = new RouteTurn(
      place,
      {
        id: this.#id,
        lately: (id) => this.#known?.lately(id) ?? [],
        domain: this.#domains.get(place.domain),
        held: this.#held,
        leave: (left) => this.#leave(turn, left),
        closed: () => {
          this.#leaving.delete(turn);
          if (this.#turns.delete(turn)) this.#telling.schedule();
        },
      },
      listener,
    );
    // One that leaves is back.
    for (const other of [...this.#leaving.keys()]) if (isSamePlace(other, turn)) this.#endLeaving(other)?.();
    this.#turns.add(turn);
    if (this.#known === undefined) turn.decide(undefined);
    else {
      this.#decide(turn, this.#known);
      this.#telling.schedule();
    }
    return turn;
  }

  /**
   * Whether another bridge has one way of a route that this one has left; `undefined` until all others know that it was
   * left, so that of two that leave it one finds itself the last.
   */
  othersHave({ way, domain, topic }: Pick<Place, 'way' | 'domain' | 'topic'>): boolean | undefined {
    const known = this.#known;
    if (known === undefined) return false;
    const key = topicKey(topic);
    if (!known.settled || known.told(way, domain, key) !== false) return undefined;
    return this.#othersWith({ way, domain, key }, known.online).length > 0;
  }

  /** Resolves when what is still this bridge's has come, though others have been told to carry. */
  async changedOver(): Promise<void> {
    if ([...this.#turns].some(({ isChangingOver }) => isChangingOver)) await sleep(CHANGEOVER);
  }

  /** Who is there, or which bridge carries what, has changed. */
  look(): void {
    this.#guard(() => this.#look());
  }

  /** The process has stood still, for so many ms: others may not have been heard, and have given this bridge up. */
  stoodStill(time: number): void {
    if (time < LEASE) return;
    for (const domain of this.#domains.values()) domain.renew();
  }

  close(): void {
    this.#closed = true;
    this.#looking.close();
    this.#telling.close();
    clearTimeout(this.#timer);
    clearInterval(this.#checks);
  }

  #look(): void {
    const known = this.#known;
    if (known === undefined) return;
    // What was held must not reach a robot later.
    if (!known.connected) for (const turn of this.#turns) turn.release();
    for (const turn of [...this.#leaving.keys()]) {
      const { way, domain, key } = turn;
      if (!known.settled) this.#endLeaving(turn)?.();
      else if (known.told(way, domain, key) === false) {
        const left = this.#endLeaving(turn, true);
        if (turn.isChangingOver) setTimeout(() => left?.(), CHANGEOVER).unref();
        else left?.();
      }
    }
    // What comes before is of use then.
    if (!known.settled && !this.#wasSettled) return;
    this.#wasSettled = known.settled;
    this.#checks ??= setInterval(() => this.#check(known), this.#checkInterval);
    for (const domain of this.#domains.values()) domain.look(known.online, known.settled);
    for (const turn of this.#turns) this.#decide(turn, known);
    this.#isThere =
      known.settled &&
      (this.#isThere || [...this.#turns].every(({ hasEntered, waits }) => hasEntered || waits));
    this.#lookLater();
    this.#telling.schedule();
  }

  #leave(turn: RouteTurn, left: () => void): void {
    const known = this.#known;
    const isWaitedFor =
      known?.settled === true &&
      turn.decided === undefined &&
      turn.isTold &&
      this.#othersWith(turn, known.online).length > 0 &&
      // What takes its place here is told as this was.
      ![...this.#turns].some((other) => other !== turn && isSamePlace(other, turn));
    if (!isWaitedFor) {
      left();
      return;
    }
    this.#leaving.set(turn, left);
    this.#telling.schedule();
  }

  /** @param isTold whether others know that it has left */
  #endLeaving(turn: RouteTurn, isTold = false): (() => void) | undefined {
    const left = this.#leaving.get(turn);
    this.#leaving.delete(turn);
    this.#turns.delete(turn);
    if (this.#known !== undefined) this.#leaveToOthers(turn, this.#known, isTold);
    return left;
  }

  /** One that the broker has not told of, or whose leaving it has not told, is seen in ROS as long as it matters. */
  #check(known: KnownBridges): void {
    this.#guard(() => {
      if ([...this.#domains.values()].some(({ seesOthers }) => seesOthers)) known.check();
    });
  }

  #decide(turn: RouteTurn, known: KnownBridges): void {
    const { way, domain: number, key } = turn;
    const domain = this.#domains.get(number);
    if (known.hasLeft) {
      this.#leaveToOthers(turn, known, true);
      return;
    }
    const others = known.settled ? this.#othersWith(turn, known.online) : [];
    const comesBefore = (id: string) => id < this.#id || known.isDenied;
    const lower = others.filter((id) => comesBefore(id) && domain?.sees(id)).sort();
    const isKnown = known.told(way, number, key) === true;
    const hadEntered = turn.hasEntered;
    // Where nobody else is, what is new begins at once.
    const isAlone = this.#isThere && known.online.size === 0;
    turn.isTold &&= known.settled;
    turn.hasEntered = known.settled && (hadEntered || !turn.isTellable || isKnown || isAlone);
    const mayWait = !turn.hasEntered && !turn.isTold;
    turn.waits = mayWait && others.length > 0 && lower.length === 0 && domain?.isYoung === true;
    const isNew = turn.hasEntered && !hadEntered;
    const carried = isNew && others.length > 0;
    if (carried) turn.follow(others.find((id) => domain?.sees(id)) ?? others[0]);
    const next = turn.hasEntered ? lower[0] : turn.waits ? others[0] : '';
    const from = this.#changeover(turn, known, next, isNew);
    // What was held was carried by those who had the route before, until the told time, which may be over: a bridge
    // that begins with many routes may hear itself late.
    if (carried && from === undefined) turn.release();
    turn.decide(next, from);
  }

  #leaveToOthers(turn: RouteTurn, known: KnownBridges, isTold: boolean): void {
    const domain = this.#domains.get(turn.domain);
    const others = this.#othersWith(turn, known.online);
    const next = others.find((id) => domain?.sees(id)) ?? others[0] ?? '';
    turn.decide(next, isTold ? this.#changeover(turn, known, next, true) : undefined);
  }

  /**
   * When what ROS says is published for which a change counts, in ms since the epoch: where one bridge takes over from
   * another by a word, and all that carry the same tell that time.
   * @param isOwn whether the word is this bridge's
   */
  #changeover(
    turn: RouteTurn,
    known: KnownBridges,
    next: string | undefined,
    isOwn: boolean,
  ): number | undefined {
    const domain = this.#domains.get(turn.domain);
    const isChange = (turn.decided === undefined) !== (next === undefined);
    const other = next ?? turn.decided;
    if (!turn.isTimed || known.from === undefined || !isChange || !other) return undefined;
    if (domain?.sees(other) !== true) return undefined;
    const seen = this.#othersWith(turn, known.online).filter((id) => domain.sees(id));
    const allTell = seen.every((id) => known.online.get(id)?.from !== undefined);
    return allTell ? (isOwn ? known.from : known.fromOf(other)) : undefined;
  }

  #tell(): void {
    const known = this.#known;
    if (known === undefined) return;
    const carried = {
      'ros-to-mqtt': new Map<number, Set<string>>(),
      'mqtt-to-ros': new Map<number, Set<string>>(),
    };
    const told = { 'ros-to-mqtt': 0, 'mqtt-to-ros': 0 };
    for (const turn of this.#turns) {
      const { way, domain, key } = turn;
      if (turn.waits || this.#leaving.has(turn)) continue;
      turn.isTellable = ++told[way] <= MAX_TOLD_ROUTES;
      turn.isTold = turn.isTellable && known.settled;
      if (turn.isTellable) keysOf(carried[way], domain).add(key);
    }
    known.carry(carried);
    this.#lookLater();
  }

  /** Looks again when time alone changes who is seen, or may be there unseen. */
  #lookLater(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...[...this.#domains.values()].map(({ changesAt }) => changesAt));
    // Timers count in whole milliseconds.
    const wait = Math.ceil(next - performance.now());
    if (next < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.look(), wait);
  }

  /** Nobody is there to take an error: it would end the process. */
  #guard(act: () => void): void {
    if (this.#closed) return;
    try {
      act();
    } catch (error) {
      this.#report(`which of several bridges carries is not known: ${(error as Error).message}`);
    }
  }

  #othersWith({ way, domain, key }: Where, online: ReadonlyMap<string, BridgePresence>): string[] {
    const others: string[] = [];
    for (const [id, { carried, protocolVersion }] of online) {
      const eitherWay = protocolVersion === 4 || this.#protocolVersion === 4;
      const ways: Way[] = eitherWay ? ['ros-to-mqtt', 'mqtt-to-ros'] : [way];
      if (ways.some((other) => carried[other].get(domain)?.has(key))) others.push(id);
    }
    return others;
  }
}

type Where = Pick<RouteTurn, 'way' | 'domain' | 'key'>;

/** What the turns of one bridge hold. */
class Held implements HeldMessages {
  readonly #isOfUse: () => boolean;
  #messages = 0;
  #bytes = 0;

  constructor(isOfUse: () => boolean) {
    this.#isOfUse = isOfUse;
  }

  take(bytes: number): boolean {
    if (!this.#isOfUse() || this.#messages >= MAX_HELD || this.#bytes + bytes > MAX_HELD_BYTES) return false;
    this.#messages++;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#messages--;
    this.#bytes -= bytes;
  }
}

/** A domain and which bridges are seen in it. */
class JoinedDomain implements TurnDomain {
  readonly fellows: FellowBridges;
  readonly #domain: RosDomain;
  #youthEnd = performance.now() + DISCOVERY;
  #isYoung = true;
  #changesAt = this.#youthEnd;
  #seen: ReadonlySet<string> = new Set();
  /** The bridges that writers may belong to, until the graph changes: it is asked for each sample. */
  readonly #writers = new Map<string, readonly string[]>();
  /** Since when those are not seen that were until a moment ago. */
  readonly #leftAt = new Map<string, number>();
  /** Until when samples tell when they were published. */
  #timedUntil = Number.NEGATIVE_INFINITY;

  constructor(domain: RosDomain) {
    this.#domain = domain;
    this.fellows = new FellowBridges(domain);
    domain.onGraphChange(() => this.#writers.clear());
  }

  /** Whether bridges may be in it that have not been seen yet. */
  get isYoung(): boolean {
    return this.#isYoung;
  }

  /** As if it had just been joined. */
  renew(): void {
    this.#youthEnd = performance.now() + DISCOVERY;
    this.#isYoung = true;
  }

  /** When to look again though nothing happens (`performance.now()`). */
  get changesAt(): number {
    return Math.min(this.#changesAt, this.fellows.changesAt);
  }

  /** Whether there are others now, of whatever broker. */
  get seesOthers(): boolean {
    return this.#seen.size > 0 || this.#domain.bridges().size > 0;
  }

  sees(bridgeId: string): boolean {
    return this.#seen.has(bridgeId) || this.#leftAt.has(bridgeId);
  }

  /** The bridge that a writer belongs to, as a way; `undefined` where it is nobody's, or that of one of several. */
  viaOf(writerGuid: string): readonly string[] | undefined {
    let ids = this.#writers.get(writerGuid);
    if (ids === undefined) {
      ids = this.#domain.bridgesOf(writerGuid);
      this.#writers.set(writerGuid, ids);
    }
    return ids.length === 1 ? ids : undefined;
  }

  /** Many routes change at once: it is asked for longer than each needs it. */
  tellTimes(): void {
    const now = performance.now();
    if (now + CHANGEOVER * 1.5 < this.#timedUntil) return;
    this.#domain.tellTimes?.(CHANGEOVER * 3);
    this.#timedUntil = now + CHANGEOVER * 3;
  }

  /** Who is there may have changed. */
  look(online: ReadonlyMap<string, BridgePresence>, isSettled: boolean): void {
    this.fellows.look(online, isSettled);
    const before = this.#seen;
    this.#seen = new Set(this.#domain.bridges());
    const now = performance.now();
    for (const id of before) if (!this.#seen.has(id)) this.#leftAt.set(id, now);
    for (const [id, at] of this.#leftAt) {
      if (this.#seen.has(id) || now >= at + PARTING) this.#leftAt.delete(id);
    }
    this.#isYoung = now < this.#youthEnd;
    this.#changesAt = Math.min(
      ...(this.#isYoung ? [this.#youthEnd] : []),
      ...[...this.#leftAt.values()].map((at) => at + PARTING),
    );
  }
}

function isSamePlace(one: Where, other: Where): boolean {
  return one.key === other.key && one.way === other.way && one.domain === other.domain;
}

function keysOf(carried: Map<number, Set<string>>, domain: number): Set<string> {
  const keys = carried.get(domain) ?? new Set();
  carried.set(domain, keys);
  return keys;
}
