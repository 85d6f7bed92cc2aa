export const SLAB_BYTES = 8192;
/** A longer message gets memory of its own. */
const LONGEST = SLAB_BYTES / 2;

/**
 * Memory that several short messages share, as memory of its own for each costs more than making it. It is free again
 * when none of them is left, so it is counted as a whole as long as one is held.
 */
export class MessageSlab {
  /** Messages in it that are held. */
  holders = 0;
  readonly #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;

  /** Room for a message, or `undefined` when there is not enough left. */
  take(size: number): Buffer | undefined {
    const end = this.#used + size;
    if (end > SLAB_BYTES) return undefined;
    const bytes = this.#bytes.subarray(this.#used, end);
    this.#used = end;
    return bytes;
  }
}

/** Hands out the slabs of one broker. */
export class MessageSlabs {
  #current = new MessageSlab();

  /** Room for a message, and the slab that it is in when it is in one. */
  take(size: number): { bytes: Buffer; slab: MessageSlab | undefined } {
    if (size > LONGEST) return { bytes: Buffer.allocUnsafeSlow(size), slab: undefined };
    let bytes = this.#current.take(size);
    if (bytes === undefined) {
      this.#current = new MessageSlab();
      bytes = this.#current.take(size) as Buffer;
    }
    return { bytes, slab: this.#current };
  }
}
