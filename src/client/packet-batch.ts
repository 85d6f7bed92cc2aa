import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { freeMemory } from '../memory/free-memory';

const BUFFER_BYTES = 64 * 1024;
/** A payload that is larger is not copied behind its head. */
export const COPIED_BYTES = 16 * 1024;
/** A packet that comes so long after another does not wait for a third, ms: at 1,000/s waiting costs 5 % more. */
const ALONE = 0.5;

/**
 * Has the packets of one turn of the loop go out together: a system call costs more than a small packet does. One that
 * is likely to be alone goes at once.
 */
export class PacketBatch {
  readonly #stream: Writable;
  /** Whether what is written is with the system, or encrypted, when the stream says so. */
  readonly #isSocket: boolean;
  readonly #now: () => number;
  #buffer: Buffer = Buffer.alloc(0);
  /** Of the buffer: what was written before, and what waits behind it. */
  #start = 0;
  #end = 0;
  /** Bytes that wait before those. */
  #chunks: { bytes: Buffer; isFreed: boolean }[] = [];
  #bytes = 0;
  #scheduled = false;
  /** When the last packet came for which none waited, ms. */
  #lastAt = Number.NEGATIVE_INFINITY;

  /** @param now ms */
  constructor(stream: Writable, now = () => performance.now()) {
    this.#stream = stream;
    this.#isSocket = stream instanceof Socket;
    this.#now = now;
  }

  /** Bytes that wait for the end of the turn. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a packet.
   * @param headBytes how many bytes before the payload it has
   * @param writeHead writes these into the buffer at the offset, and returns where they end
   * @param payload not to be changed any more
   * @param ownsMemory whether nobody else uses the payload's memory
   */
  add(
    headBytes: number,
    writeHead: (to: Buffer, at: number) => number,
    payload: Buffer,
    ownsMemory = false,
  ): void {
    const isCopied = payload.length <= COPIED_BYTES;
    const needed = headBytes + (isCopied ? payload.length : 0);
    if (this.#end + needed > this.#buffer.length) {
      this.#cut();
      this.#buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, needed));
      this.#start = this.#end = 0;
    }
    const before = this.#end;
    this.#end = writeHead(this.#buffer, this.#end);
    if (isCopied) this.#end += payload.copy(this.#buffer, this.#end);
    this.#bytes += this.#end - before;
    if (!isCopied) {
      this.#cut();
      this.#chunks.push({ bytes: payload, isFreed: ownsMemory && this.#isSocket });
      this.#bytes += payload.length;
    } else if (ownsMemory) freeMemory(payload);
    if (this.#scheduled) return;
    const now = this.#now();
    const isAlone = now - this.#lastAt > ALONE;
    this.#lastAt = now;
    if (isAlone) {
      this.flush();
      return;
    }
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /** Writes what waits now. */
  flush(): void {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#bytes = 0;
    if (this.#stream.destroyed) return;
    this.#stream.cork();
    for (const { bytes, isFreed } of chunks) {
      if (isFreed) this.#stream.write(bytes, (error) => error || freeMemory(bytes));
      else this.#stream.write(bytes);
    }
    this.#stream.uncork();
  }

  #cut(): void {
    if (this.#end > this.#start)
      this.#chunks.push({ bytes: this.#buffer.subarray(this.#start, this.#end), isFreed: false });
    this.#start = this.#end;
  }
}
