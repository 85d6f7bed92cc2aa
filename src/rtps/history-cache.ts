import type { Change } from './message-writer';

/** What a writer keeps of its changes at most. */
export interface HistoryLimits {
  /** `Infinity`: as many as the bytes allow. */
  readonly depth: number;
  /** The newest change is kept even when it alone is larger. */
  readonly bytes: number;
}

/** What a change takes besides its payload, at most. */
const CHANGE_OVERHEAD_BYTES = 256;
/** What a change takes while it is kept. */
export const bytesOf = ({ payload }: Change): number => payload.length + CHANGE_OVERHEAD_BYTES;

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

  /**
   * Changes are added in the order of their sequence numbers.
   *
   * @returns up to where changes went for it; 0 when none did
   */
  add(change: Change): number {
    this.#changes.set(change.sequence, change);
    this.#bytes += bytesOf(change);
    const { depth, bytes } = this.#limits;
    let gone = 0;
    while (this.#changes.size > depth || (this.#bytes > bytes && this.#changes.size > 1)) {
      gone = this.first as number;
      this.remove(gone);
    }
    return gone;
  }

  get(sequence: number): Change | undefined {
    return this.#changes.get(sequence);
  }

  remove(sequence: number): void {
    const change = this.#changes.get(sequence);
    if (change === undefined) return;
    this.#bytes -= bytesOf(change);
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
