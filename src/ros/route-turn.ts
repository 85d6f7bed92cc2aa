import { shown } from '../topic/topic-name';
import { type BridgePresence, topicKey } from './bridge-presence';
import type { Way } from './name-patterns';
import type { DropReason } from './route-counts';
import { type Via, viaFault } from './via';

/** One way of a route. */
export interface Place {
  way: Way;
  domain: number;
  /** The MQTT topic name. */
  topic: string;
  /** By which problems name the route. */
  rosName: string;
  /** Whether its messages tell when they were published, by which a change can be told to a moment. */
  isTimed?: boolean;
}

/** Why a bridge does not carry a message: it stands by, or the message has been where it would go. */
export type Refusal = Extract<DropReason, 'standby' | 'echo' | 'ring'>;

/** Whether this bridge or another one carries one way of a route. */
export interface Turn {
  /** Whether this one does, now. */
  readonly active: boolean;
  /** The one that does, empty while that is not known; `undefined` while this one does. */
  readonly standbyFor: string | undefined;
  /** In words while messages come back here over other bridges. */
  readonly problem: string | undefined;
  /**
   * Why a message is not to be carried, if it is not.
   * @param via the bridges that carried it so far
   * @param writerGuid of its ROS publisher
   * @param sourceTimestamp when that has published it, in ns since the epoch
   */
  refusal(via?: Via, writerGuid?: string, sourceTimestamp?: bigint): Refusal | undefined;
  /** Whether a message from ROS was brought there by another bridge of the broker; see `refusal`. */
  isOfBroker(via?: Via, writerGuid?: string): boolean;
  /** Keeps a message until it is known who carries it. Returns `false` when it is, there is no connection, or no room. */
  hold(message: HeldMessage): boolean;
  /**
   * Tells others that this bridge is to have the route no more. Goes on until they know; then, or at once where none of
   * them waits for that, `left` is called, perhaps within this call.
   */
  leave(left: () => void): void;
  close(): void;
}

/** A message that waits until it is known who carries it. */
export interface HeldMessage {
  /** Of its payload. */
  readonly bytes: number;
  /** It is known. */
  deliver(): void;
  /** The turn was closed before. */
  giveUp(): void;
}

export interface TurnListener {
  /** `active` or `standbyFor` has changed. */
  changed(): void;
  /** Messages come back here over other bridges, or the change could not be followed; in words. */
  report(problem: string): void;
}

/** What a turn has of its bridge. */
export interface TurnParts {
  /** This bridge's. */
  id: string;
  /** What another bridge at the broker says, and said until a moment ago; empty where there is none. */
  lately(id: string): readonly BridgePresence[];
  /** The place's ROS domain, where it is open. */
  domain: TurnDomain | undefined;
  /** What the turns of the bridge hold together. */
  held: HeldMessages;
  /** See `Turn.leave`. */
  leave(left: () => void): void;
  closed(): void;
}

/** Bounds what is held: it may be so many messages, and so many bytes of payloads. */
export interface HeldMessages {
  take(bytes: number): boolean;
  release(bytes: number): void;
}

export interface TurnDomain {
  /** Whether the bridge is in the domain. */
  sees(bridgeId: string): boolean;
  /** The way of what a writer publishes, where its samples do not tell it. */
  viaOf(writerGuid: string): Via | undefined;
  /** Has samples tell when they were published until a change that begins now is over. */
  tellTimes(): void;
}

/** After so many ms nothing comes any more that was published before a change that was told. */
export const CHANGEOVER = 800;
/** Changes that are under way at once; what is beyond changes when it is told. */
const MAX_CHANGES = 8;

/** How long a ring is a problem after its last message, in ms. */
const RING_MEMORY = 60_000;

const NO_BRIDGE: Via = [];

export class RouteTurn implements Turn {
  readonly way: Way;
  readonly domain: number;
  /** Of the MQTT topic. */
  readonly key: string;
  /** See `Place`. */
  readonly isTimed: boolean;
  /** All others have been told that this bridge has the route. */
  hasEntered = false;
  /** Others are not to be told yet, because they carry and this bridge may not see all that it would carry. */
  waits = false;
  /** The presence has room for it. */
  isTellable = true;
  /** What others are told, or being told, names it: they give up for it, so that it is not taken back. */
  isTold = false;
  readonly #parts: TurnParts;
  readonly #listener: TurnListener;
  readonly #rosName: string;
  #standbyFor: string | undefined = '';
  /** What it was before each change that is under way, for what was published before a time (ns since the epoch). */
  readonly #before: Array<{ time: bigint; standbyFor: string | undefined; timer: NodeJS.Timeout }> = [];
  readonly #held: HeldMessage[] = [];
  #ring: string | undefined;
  #ringAt = 0;

  constructor(
    { way, domain, topic, rosName, isTimed = false }: Place,
    parts: TurnParts,
    listener: TurnListener,
  ) {
    this.way = way;
    this.domain = domain;
    this.key = topicKey(topic);
    this.isTimed = isTimed;
    this.#rosName = rosName;
    this.#parts = parts;
    this.#listener = listener;
  }

  get active(): boolean {
    return this.standbyFor === undefined;
  }

  get standbyFor(): string | undefined {
    const [before] = this.#before;
    return before === undefined ? this.#standbyFor : before.standbyFor;
  }

  /** The bridge that carries when what is under way has changed; see `standbyFor`. */
  get decided(): string | undefined {
    return this.#standbyFor;
  }

  /** Whether what was published before a certain time is still carried as it was before the last change. */
  get isChangingOver(): boolean {
    return this.#before.length > 0;
  }

  get problem(): string | undefined {
    return performance.now() - this.#ringAt < RING_MEMORY ? this.#ring : undefined;
  }

  /**
   * @param standbyFor see `Turn`
   * @param from when what it counts for is published, in ms since the epoch; absent for what comes from now on. It is
   * some time ahead: what does not tell when it was published was before, or tells it never.
   */
  decide(standbyFor: string | undefined, from?: number): void {
    if (standbyFor === this.#standbyFor) return;
    if (from !== undefined && this.#before.length < MAX_CHANGES) {
      const timer = setTimeout(() => {
        this.#before.shift();
        this.#tellChange();
      }, CHANGEOVER);
      this.#parts.domain?.tellTimes();
      this.#before.push({ time: BigInt(from) * 1_000_000n, standbyFor: this.#standbyFor, timer });
    }
    this.follow(standbyFor);
    if (standbyFor !== '') this.release();
  }

  /** As `decide` from now on, but what was held waits on. */
  follow(standbyFor: string | undefined): void {
    this.#standbyFor = standbyFor;
    this.#tellChange();
  }

  #tellChange(): void {
    // What one route cannot do must not keep the others from their turns.
    try {
      this.#listener.changed();
    } catch (error) {
      this.#listener.report(`${this.#rosName}: ${(error as Error).message}`);
    }
  }

  /** Delivers what was held. */
  release(): void {
    for (const message of this.#held.splice(0)) {
      this.#parts.held.release(message.bytes);
      message.deliver();
    }
  }

  hold(message: HeldMessage): boolean {
    if (this.#standbyFor !== '' || !this.#parts.held.take(message.bytes)) return false;
    this.#held.push(message);
    return true;
  }

  refusal(via: Via = NO_BRIDGE, writerGuid?: string, sourceTimestamp?: bigint): Refusal | undefined {
    const { id } = this.#parts;
    const way = this.#wayOf(via, writerGuid);
    const last = way.at(-1);
    if (last === id) return 'echo';
    if (way.includes(id)) {
      // Anybody may have written it, as long as MQTT lets them.
      const ring = shown(way.slice(way.indexOf(id)).join(', '));
      return this.#noteRing(`carried in a ring over bridges ${ring}`);
    }
    if (this.#standbyAt(sourceTimestamp) !== undefined) return 'standby';
    if (last === undefined) return undefined;
    const fault = viaFault([...way, id]);
    if (fault !== undefined) return this.#noteRing(fault);
    return this.#comesFromThere(last, this.#parts.lately(last)) ? 'echo' : undefined;
  }

  isOfBroker(via: Via = NO_BRIDGE, writerGuid?: string): boolean {
    const last = this.#wayOf(via, writerGuid).at(-1);
    return last !== undefined && this.#parts.lately(last).length > 0;
  }

  leave(left: () => void): void {
    this.#parts.leave(left);
  }

  close(): void {
    for (const { timer } of this.#before.splice(0)) clearTimeout(timer);
    this.#parts.closed();
    for (const message of this.#held.splice(0)) {
      this.#parts.held.release(message.bytes);
      message.giveUp();
    }
  }

  #wayOf(via: Via, writerGuid: string | undefined): Via {
    if (via.length > 0 || writerGuid === undefined) return via;
    return this.#parts.domain?.viaOf(writerGuid) ?? via;
  }

  #standbyAt(sourceTimestamp: bigint | undefined): string | undefined {
    const before = this.#before.find(({ time }) => sourceTimestamp === undefined || sourceTimestamp < time);
    return before === undefined ? this.#standbyFor : before.standbyFor;
  }

  /** Whether the message came from where this way leads to. */
  #comesFromThere(bridgeId: string, presences: readonly BridgePresence[]): boolean {
    if (this.way === 'ros-to-mqtt') return presences.length > 0;
    const carries = presences.some(({ carried }) => carried['ros-to-mqtt'].get(this.domain)?.has(this.key));
    return carries && this.#parts.domain?.sees(bridgeId) === true;
  }

  #noteRing(fault: string): 'ring' {
    const problem = `${this.#rosName}: ${fault}`;
    const isNew = this.problem !== problem;
    this.#ring = problem;
    this.#ringAt = performance.now();
    if (isNew) this.#listener.report(problem);
    return 'ring';
  }
}
