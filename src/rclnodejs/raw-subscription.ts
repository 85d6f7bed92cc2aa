import {
  MESSAGE_LOST,
  type MessageClass,
  type MessageInfo,
  type RclAddon,
  type RclEvent,
  type RclLibrary,
  type RclNode,
  type RclSubscription,
} from './library';
import { digestOf } from './local-samples';
import type { SampleNotes } from './process-messages';
import { serialized } from './raw-class';

/** Samples that are taken in one go, so that other subscriptions have their turn. */
const MAX_TAKEN = 64;
const GUID_BYTES = 16;

export interface RawSubscriptionOptions {
  rosName: string;
  type: string;
  /** Of the library. */
  qos: object;
  /** How many samples the middleware keeps until they are taken. */
  depth: number;
  /** Whether old samples are sent to it, which must be known again when they come once more. */
  isLatched: boolean;
}

export interface RawSubscriptionListener {
  sample(cdr: Buffer, notes?: SampleNotes): void;
  /** Messages that never came, as far as the middleware knows. */
  lost(count: number): void;
  /** As many waited as it keeps: there may have been more, which the middleware does not count. */
  overrun(): void;
  /** Runs what must not throw. */
  guarded(run: () => void): void;
}

/**
 * A subscription whose samples are CDR, and are taken by its user. The library has two ways: as CDR, of which it tells
 * nothing else, or with what the middleware tells beside it, but as a C structure, which is then serialized again. That
 * takes 2 to 10 times as long.
 */
export class RawSubscription {
  readonly #library: RclLibrary;
  readonly #addon: RclAddon;
  readonly #node: RclNode;
  readonly #class: MessageClass;
  readonly #listener: RawSubscriptionListener;
  readonly #depth: number;
  readonly #isLatched: boolean;
  readonly #subscription: RclSubscription;
  /** Taken since there was none left. */
  #taken = 0;

  constructor(
    library: RclLibrary,
    addon: RclAddon,
    node: RclNode,
    { rosName, type, qos, depth, isLatched }: RawSubscriptionOptions,
    listener: RawSubscriptionListener,
  ) {
    this.#library = library;
    this.#addon = addon;
    this.#node = node;
    this.#listener = listener;
    this.#depth = depth;
    this.#isLatched = isLatched;
    this.#class = library.require(type) as MessageClass;
    this.#subscription = node.createSubscription(type, rosName, { qos, isRaw: true }, () => {});
    if (!isLatched) this.#watchLosses();
  }

  /** By which the library says that samples wait. */
  get handle(): object {
    return this.#subscription.handle;
  }

  /**
   * Takes some of what waits.
   * @param isTimed the samples are to tell when they were published
   */
  take(isTimed: boolean): void {
    this.#listener.guarded(() => {
      const taken = this.#isLatched || isTimed ? this.#takeWithInfo() : this.#takeAlone();
      this.#taken = taken < MAX_TAKEN ? 0 : this.#taken + taken;
      if (this.#taken >= this.#depth) this.#listener.overrun();
    });
  }

  destroy(): void {
    this.#node.destroySubscription(this.#subscription);
  }

  #takeAlone(): number {
    for (let taken = 0; taken < MAX_TAKEN; taken++) {
      const cdr = this.#addon.rclTakeRaw(this.handle);
      if (cdr === undefined) return taken;
      this.#listener.sample(cdr);
    }
    return MAX_TAKEN;
  }

  /** All into the same structure: making one takes as long as the rest. */
  #takeWithInfo(): number {
    const message = new this.#class();
    try {
      const structure = message.toRawROS();
      for (let taken = 0; taken < MAX_TAKEN; taken++) {
        const info = this.#addon.rclTakeWithInfo(this.handle, structure);
        if (info === undefined) return taken;
        const cdr = serialized(this.#library, this.#class, message.refObject);
        this.#listener.sample(cdr, this.#notesOf(cdr, info));
      }
      return MAX_TAKEN;
    } finally {
      this.#class.destroyRawROS(message);
    }
  }

  /** Of one that is not latched the middleware tells what was lost, and not all of its samples tell the rest. */
  #notesOf(cdr: Buffer, info: MessageInfo): SampleNotes | undefined {
    const { source_timestamp: time, publication_sequence_number: sequence, publisher_gid: gid } = info;
    const stamp = time > 0n ? String(time) : undefined;
    if (!this.#isLatched) return stamp === undefined ? undefined : { stamp };
    return {
      guid: gid.toString('hex', 0, GUID_BYTES),
      ...(sequence >= 0n && { sequence: Number(sequence) }),
      ...(stamp !== undefined && { stamp, identity: `${stamp} ${digestOf(cdr)}` }),
    };
  }

  #watchLosses(): void {
    let handle: object;
    try {
      handle = this.#addon.createSubscriptionEventHandle(this.#subscription.handle, MESSAGE_LOST);
    } catch {
      // The middleware does not tell.
      return;
    }
    const takeData = () =>
      this.#listener.guarded(() => {
        const type = { subscription_event_type: MESSAGE_LOST };
        this.#listener.lost(this.#addon.takeEvent(handle, type).total_count_change);
      });
    const event: RclEvent = { handle, _handle: handle, takeData };
    this.#subscription.events = [event];
    this.#node._events.push(event);
  }
}
