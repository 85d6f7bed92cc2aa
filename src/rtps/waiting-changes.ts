import type { ReceiveMemory } from './receive-memory';
import type { ReceivedChange } from './received-change';

/** What a waiting change takes besides its octets, at most; also one of which is only known that it will not come. */
const CHANGE_OVERHEAD_BYTES = 256;

/** The changes of one writer that wait until one before them has come or is known not to come, as memory allows. */
export class WaitingChanges {
  readonly #prefix: string;
  readonly #memory: ReceiveMemory;
  /** `undefined` stands for what will not come. */
  readonly #changes = new Map<number, ReceivedChange | undefined>();

  constructor(prefix: string, memory: ReceiveMemory) {
    this.#prefix = prefix;
    this.#memory = memory;
  }

  get size(): number {
    return this.#changes.size;
  }

  /** The lowest sequence number; `Infinity` when there is none. */
  get first(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const sequence of this.#changes.keys()) if (sequence < first) first = sequence;
    return first;
  }

  /** The lowest sequence number of a change that has come; `Infinity` when there is none. */
  get firstChange(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const [sequence, change] of this.#changes)
      if (change !== undefined && sequence < first) first = sequence;
    return first;
  }

  has(sequence: number): boolean {
    return this.#changes.has(sequence);
  }

  /** The sequence numbers before this one, ascending. */
  below(sequence: number): number[] {
    return [...this.#changes.keys()].filter((other) => other < sequence).sort((a, b) => a - b);
  }

  /**
   * Keeps a change, or that it will not come.
   *
   * @returns `false` when there is no memory for it
   */
  add(sequence: number, change: ReceivedChange | undefined): boolean {
    if (!this.#memory.reserve(this.#prefix, bytesOf(change))) return false;
    this.#changes.set(sequence, change && detached(change));
    return true;
  }

  /** The change, which is kept no longer; `undefined` for one that will not come. */
  take(sequence: number): ReceivedChange | undefined {
    const change = this.#changes.get(sequence);
    this.#changes.delete(sequence);
    this.#memory.release(this.#prefix, bytesOf(change));
    return change;
  }

  dropBelow(sequence: number): void {
    for (const other of this.#changes.keys()) if (other < sequence) this.take(other);
  }

  dropAbove(sequence: number): void {
    for (const other of this.#changes.keys()) if (other > sequence) this.take(other);
  }

  clear(): void {
    for (const sequence of this.#changes.keys()) this.take(sequence);
  }
}

function bytesOf(change: ReceivedChange | undefined): number {
  return CHANGE_OVERHEAD_BYTES + (change?.payload.length ?? 0) + (change?.annotation?.length ?? 0);
}

/** With a payload that does not pin the whole datagram while it waits. */
function detached(change: ReceivedChange): ReceivedChange {
  const { payload } = change;
  return payload.length === payload.buffer.byteLength ? change : { ...change, payload: Buffer.from(payload) };
}
