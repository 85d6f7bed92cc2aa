import { EntityId } from './guid';
import type { Destination } from './outbox';
import type { ReaderProxy } from './reader-proxy';
import type { SendQueue } from './send-queue';

/** The confirmed readers of one remote participant behind one locator: they share each DATA. */
export interface ReaderGroup extends Destination {
  /** The only reader, else ENTITYID_UNKNOWN: all matched readers there. */
  readonly readerId: number;
  readonly reliable: boolean;
  /**
   * To whom its HEARTBEATs go: as its DATA, but to each reader by its own where another one of the participant is not
   * confirmed, which would take them for where its samples begin.
   */
  readonly heartbeatIds: readonly number[];
  readonly queue: SendQueue;
}

/** The matched readers of one writer as it sends to them: those that are confirmed, in groups with a queue each. */
export class ReaderGroups {
  readonly #openQueue: (to: Destination) => SendQueue;
  #groups = new Map<string, ReaderGroup>();

  constructor(openQueue: (to: Destination) => SendQueue) {
    this.#openQueue = openQueue;
  }

  [Symbol.iterator](): IterableIterator<ReaderGroup> {
    return this.#groups.values();
  }

  /** That of a reader; `undefined` where it is not confirmed. */
  of({ groupKey }: ReaderProxy): ReaderGroup | undefined {
    return this.#groups.get(groupKey);
  }

  /** To be called when readers have come, gone or been confirmed. Queues of groups that stay go on, the others are closed. */
  regroup(readers: readonly ReaderProxy[]): void {
    const before = this.#groups;
    const invited = new Set(readers.filter(({ confirmed }) => !confirmed).map(({ target }) => target.prefix));
    this.#groups = new Map();
    for (const { target, confirmed, reliable, groupKey } of readers) {
      if (!confirmed) continue;
      const group = this.#groups.get(groupKey);
      const readerId = group === undefined ? target.entityId : EntityId.unknown;
      this.#groups.set(groupKey, {
        prefix: target.prefix,
        locator: target.locator,
        readerId,
        heartbeatIds: invited.has(target.prefix)
          ? [...(group?.heartbeatIds ?? []), target.entityId]
          : [readerId],
        reliable: reliable || group?.reliable === true,
        queue: group?.queue ?? before.get(groupKey)?.queue ?? this.#openQueue(target),
      });
    }
    for (const [key, { queue }] of before) if (!this.#groups.has(key)) queue.close();
  }
}
