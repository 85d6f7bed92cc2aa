import type { Message } from './message';

/** Of a slab for messages that cannot stay in what they came in. */
const SLAB_BYTES = 8192;
/** A longer message gets memory of its own. */
const LONGEST = SLAB_BYTES / 2;

/**
 * Memory that several messages share: mostly the chunk that they were received in, as to copy each costs more than all
 * the rest. It is free again when none of them is left, so it is counted as a whole as long as one is held.
 */
export class MessageSlab {
  /** In bytes. */
  readonly size: number;
  /** Messages in it that are held, in any order. */
  readonly held: Message[] = [];
  /** Bytes of those. */
  #heldBytes = 0;
  #watched = false;

  constructor(size: number) {
    this.size = size;
  }

  hold(message: Message): void {
    message.slabIndex = this.held.push(message) - 1;
    this.#heldBytes += message.length;
  }

  release(message: Message): void {
    const last = this.held.pop() as Message;
    if (last !== message) {
      this.held[message.slabIndex] = last;
      last.slabIndex = message.slabIndex;
    }
    this.#heldBytes -= message.length;
  }

  /** Whether less than half of it is held, and was when this was last asked. */
  get wasteful(): boolean {
    const watched = this.#watched;
    this.#watched = this.#heldBytes < this.size / 2;
    return this.#watched && watched;
  }
}

/** Hands out the slabs of one broker. */
export class MessageSlabs {
  #chunk: Buffer | undefined;
  #chunkMemory: ArrayBufferLike | undefined;
  #chunkSlab = new MessageSlab(0);
  #room = Buffer.alloc(0);
  #roomSlab = new MessageSlab(0);

  /** The slab of a message of this length that stays in the chunk it came in; `undefined` when it is most of the chunk. */
  around(chunk: Buffer, length: number): MessageSlab | undefined {
    if (chunk !== this.#chunk) {
      this.#chunk = chunk;
      // Of a WebSocket or a port several chunks may be parts of the same memory.
      if (chunk.buffer !== this.#chunkMemory) {
        this.#chunkMemory = chunk.buffer;
        this.#chunkSlab = new MessageSlab(chunk.buffer.byteLength);
      }
    }
    return length < this.#chunkSlab.size / 2 ? this.#chunkSlab : undefined;
  }

  /** Room for a message, and the slab that it is in when it is in one. */
  take(size: number): { bytes: Buffer; slab: MessageSlab | undefined } {
    if (size > LONGEST) return { bytes: Buffer.allocUnsafeSlow(size), slab: undefined };
    if (size > this.#room.length) {
      this.#room = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#roomSlab = new MessageSlab(SLAB_BYTES);
    }
    const bytes = this.#room.subarray(0, size);
    this.#room = this.#room.subarray(size);
    return { bytes, slab: this.#roomSlab };
  }
}
