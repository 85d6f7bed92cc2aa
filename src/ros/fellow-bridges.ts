import type { RosDomain, RosEndpoint } from './ros-backend';

/**
 * How long a bridge counts as a fellow that has come to a domain and is not at the broker: most make their publishers and
 * subscriptions before they are connected, in ms.
 */
const ARRIVAL = 3500;
/**
 * The same of one that is not at the broker any more, or not yet again when this bridge is, in ms: the participant of one
 * that has ended may be known for 10 s.
 */
const PARTING = 12_000;

/** What of a ROS domain belongs to bridges at the same broker. */
export interface Fellows {
  /** @param guid of a publisher or subscription of somebody else */
  has(guid: string): boolean;
  /** Calls after `has` may have come to say something else; returns what ends it. */
  onChange(listener: () => void): () => void;
}

/** Of a bridge without a broker. */
export const NO_FELLOWS: Fellows = { has: () => false, onChange: () => () => {} };

/**
 * The bridges in a ROS domain that are at the same broker, and what they have there. Nothing that they say in ROS goes to
 * that broker, and all that the broker says they have themselves: what they offer and ask for is of no concern.
 *
 * Their QoS follows that of others, as ours does. So that neither changes back and forth while bridges come and go, one
 * counts before it is known at the broker, and for a while after it was.
 */
export class FellowBridges implements Fellows {
  readonly #domain: Pick<RosDomain, 'bridges' | 'bridgesOf'>;
  /** Until when bridges count as fellows: without an end as long as they are at the broker. */
  readonly #until = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  readonly #now: () => number;
  #changesAt = Number.POSITIVE_INFINITY;
  #strangers: ReadonlySet<string> = new Set();

  /** @param now of a steady clock, in ms */
  constructor(domain: Pick<RosDomain, 'bridges' | 'bridgesOf'>, now: () => number = () => performance.now()) {
    this.#domain = domain;
    this.#now = now;
  }

  /** Whether time or a word of the broker may change anything. */
  get areOfConcern(): boolean {
    return this.#until.size > 0 || this.#domain.bridges().size > 0;
  }

  /** When to look again though nothing happens. */
  get changesAt(): number {
    return this.#changesAt;
  }

  /** A participant may be of several bridges: what is in doubt is of nobody at the broker. */
  has(guid: string): boolean {
    const ids = this.#domain.bridgesOf(guid);
    const now = this.#now();
    // One that has just appeared was not looked at yet.
    return ids.length > 0 && ids.every((id) => (this.#until.get(id) ?? now + ARRIVAL) > now);
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Who is there may have changed.
   * @param online the ids of the others at the broker, as far as they are known
   * @param isSettled all are known
   */
  look(online: ReadonlyMap<string, unknown>, isSettled: boolean): void {
    const now = this.#now();
    const present = new Set([...this.#domain.bridges(), ...online.keys()]);
    for (const [id, until] of this.#until) if (until <= now && !present.has(id)) this.#until.delete(id);
    for (const id of new Set([...present, ...this.#until.keys()])) {
      const until = this.#until.get(id);
      if (online.has(id)) this.#until.set(id, Number.POSITIVE_INFINITY);
      else if (until === undefined) this.#until.set(id, now + ARRIVAL);
      else if (until === Number.POSITIVE_INFINITY && isSettled) this.#until.set(id, now + PARTING);
    }
    this.#changesAt = Math.min(...[...this.#until.values()].filter((until) => until > now));
    const strangers = new Set([...this.#until].flatMap(([id, until]) => (until <= now ? [id] : [])));
    const before = this.#strangers;
    this.#strangers = strangers;
    if (strangers.size !== before.size || [...strangers].some((id) => !before.has(id)))
      for (const listener of [...this.#listeners]) listener();
  }
}

/** Keeps to itself how endpoints of fellows do not suit, until they are fellows no more. */
export class FellowFaults {
  readonly #fellows: Fellows;
  /** By GUIDs. */
  readonly #untold = new Map<string, () => void>();

  constructor(fellows: Fellows) {
    this.#fellows = fellows;
  }

  /** @param tell called now, or when the endpoint is of no fellow any more */
  tell(guid: string, tell: () => void): void {
    if (this.#fellows.has(guid)) this.#untold.set(guid, tell);
    else tell();
  }

  /**
   * Who is a fellow, or there, may have changed.
   * @param present the endpoints of others
   */
  look(present: Iterable<Pick<RosEndpoint, 'guid'>>): void {
    if (this.#untold.size === 0) return;
    const guids = new Set([...present].map(({ guid }) => guid));
    for (const [guid, tell] of this.#untold) {
      if (this.#fellows.has(guid)) continue;
      this.#untold.delete(guid);
      if (guids.has(guid)) tell();
    }
  }

  /** What does not suit is another one now. */
  clear(): void {
    this.#untold.clear();
  }
}
