import type { Change } from './message-writer';

/**
 * What a writer keeps to send again: the last `depth` changes at most (KEEP_LAST of one instance), so that a reader
 * that never acknowledges cannot pin more than that.
 */
export class HistoryCache {
  readonly #depth: number;
  readonly #changes = new Map<number, Change>();

  constructor(depth: number) {
    this.#depth = depth;
  }

  /** The lowest sequence number kept. */
  get first(): number | undefined {
    return this.#changes.keys().next().value;
  }

  /** Changes are added in the order of their sequence numbers. */
  add(change: Change): void {
    this.#changes.set(change.sequence, change);
    if (this.#changes.size > this.#depth) this.#changes.delete(this.first as number);
  }

  get(sequence: number): Change | undefined {
    return this.#changes.get(sequence);
  }

  remove(sequence: number): void {
    this.#changes.delete(sequence);
  }

  /** Ascending. */
  sequences(): IterableIterator<number> {
    return this.#changes.keys();
  }

  /** In the order of the sequence numbers. */
  [Symbol.iterator](): IterableIterator<Change> {
    return this.#changes.values();
  }
}
