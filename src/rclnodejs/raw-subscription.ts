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
import { rawMessageClass } from './raw-class';
import { contentOf } from './raw-service';

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

/** A subscription whose samples are CDR. */
export class RawSubscription {
  readonly #addon: RclAddon;
  readonly #node: RclNode;
  readonly #listener: RawSubscriptionListener;
  readonly #depth: number;
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
    this.#addon = addon;
    this.#node = node;
    this.#listener = listener;
    this.#depth = depth;
    if (isLatched) {
      // The library gives the info of a message with those alone that it does not leave as they are.
      const raw = rawMessageClass(library, library.require(type) as MessageClass);
      const receive = (message: unknown, info: MessageInfo) =>
        listener.guarded(() => {
          const cdr = contentOf(message);
          listener.sample(cdr, notesOf(cdr, info));
        });
      this.#subscription = node.createSubscription(raw, rosName, { qos, isRaw: false }, receive);
    } else {
      const receive = (cdr: Buffer) => listener.guarded(() => this.#receive(cdr));
      this.#subscription = node.createSubscription(type, rosName, { qos, isRaw: true }, receive);
      this.#watchLosses();
    }
  }

  destroy(): void {
    this.#node.destroySubscription(this.#subscription);
  }

  /** The library takes one sample each time that it has waited. */
  #receive(first: Buffer): void {
    let next: Buffer | undefined = first;
    let taken = 0;
    do {
      this.#listener.sample(next);
      next = ++taken < MAX_TAKEN ? this.#addon.rclTakeRaw(this.#subscription.handle) : undefined;
    } while (next !== undefined);
    this.#taken = taken < MAX_TAKEN ? 0 : this.#taken + taken;
    if (this.#taken >= this.#depth) this.#listener.overrun();
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
    this.#node.syncHandles();
  }
}

function notesOf(cdr: Buffer, info: MessageInfo): SampleNotes {
  const { sourceTimestamp, publicationSequenceNumber: sequence, publisherGid } = info;
  const stamp = sourceTimestamp > 0n ? String(sourceTimestamp) : undefined;
  return {
    guid: publisherGid.toString('hex', 0, GUID_BYTES),
    ...(sequence >= 0n && { sequence: Number(sequence) }),
    ...(stamp !== undefined && { stamp, identity: `${stamp} ${digestOf(cdr)}` }),
  };
}
