import type { Change } from './message-writer';

/** What a writer keeps of its changes at most. */
export interface HistoryLimits {
  readonly depth: number;
  /** Of payloads. The newest change is kept even when it alone is larger. */
  readonly bytes: number;
}

/**
 * What a writer keeps to send again: the newest changes within the limits, so that a reader that never acknowledges
 * cannot pin more than that.
 */
export class HistoryCache {
  readonly #limits: HistoryLimits;
  readonly #changes = new Map<number, Change>();
  #bytes = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  /** The lowest sequence number kept. */
  get first(): number | undefined {
    return this.#changes.keys().next().value;
  }

  /** Changes are added in the order of their sequence numbers. */
  add(change: Change): void {
    this.#changes.set(change.sequence, change);
    this.#bytes += change.payload.length;
    const { depth, bytes } = this.#limits;
    while (this.#changes.size > depth || (this.#bytes > bytes && this.#changes.size > 1))
      this.remove(this.first as number);
  }

  get(sequence: number): Change | undefined {
    return this.#changes.get(sequence);
  }

  remove(sequence: number): void {
    this.#bytes -= this.#changes.get(sequence)?.payload.length ?? 0;
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
