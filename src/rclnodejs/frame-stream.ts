import type { Duplex } from 'node:stream';

/** As large as a frame may be, in bytes: CDR of 128 MiB, and what goes with it. */
const MAX_FRAME_BYTES = 129 * 1024 * 1024;
/** What may wait for the other side, in bytes, when one more frame is sent. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** What came is none of our frames. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

/**
 * Frames over a byte stream between two processes: each is its length (32 bits, little endian) and its bytes. Frames of
 * one turn of the event loop leave in one write. Where something else comes the stream is destroyed with a FrameError.
 */
export class FrameStream {
  readonly #stream: Duplex;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #header = Buffer.alloc(4);
  #headerBytes = 0;
  #frame: Buffer | undefined;
  #frameBytes = 0;
  #corked = false;

  /** @param onFrame is given each frame, which is its own memory; throws FrameError for what is none */
  constructor(stream: Duplex, onFrame: (frame: Buffer) => void) {
    this.#stream = stream;
    this.#onFrame = onFrame;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** Bytes that the other side has not taken yet. */
  get waiting(): number {
    return this.#stream.writableLength;
  }

  /** Sends one frame of at most `MAX_FRAME_BYTES`, given in parts. */
  send(...parts: readonly Buffer[]): void {
    if (this.#stream.destroyed || this.#stream.writableEnded) return;
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      // A tick would come late: what is called from a native module does not run ticks when it returns.
      setImmediate(() => {
        this.#corked = false;
        this.#stream.uncork();
      });
    }
    const header = Buffer.alloc(4);
    header.writeUInt32LE(parts.reduce((bytes, part) => bytes + part.length, 0));
    this.#stream.write(header);
    for (const part of parts) this.#stream.write(part);
  }

  #receive(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length; ) {
      if (this.#frame === undefined) {
        const copied = chunk.copy(this.#header, this.#headerBytes, offset);
        offset += copied;
        this.#headerBytes += copied;
        if (this.#headerBytes < this.#header.length) return;
        this.#headerBytes = 0;
        const length = this.#header.readUInt32LE();
        if (length === 0 || length > MAX_FRAME_BYTES) {
          const expected = `expected a frame of 1 to ${MAX_FRAME_BYTES} bytes, got one of ${length}`;
          this.#stream.destroy(new FrameError(expected));
          return;
        }
        this.#frame = Buffer.allocUnsafe(length);
        this.#frameBytes = 0;
      }
      const copied = chunk.copy(this.#frame, this.#frameBytes, offset);
      offset += copied;
      this.#frameBytes += copied;
      if (this.#frameBytes < this.#frame.length) return;
      const frame = this.#frame;
      this.#frame = undefined;
      try {
        this.#onFrame(frame);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#stream.destroy(error);
        return;
      }
    }
  }
}
