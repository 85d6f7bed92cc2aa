import { freeMemory } from '../memory/free-memory';
import { joinFrames } from './frames';

/** A batch is what waits when a turn of the event loop ends, up to these bounds (one frame may exceed the bytes). */
const BATCH_FRAMES = 256;
const BATCH_BYTES = 1024 * 1024;
/** Batches under way that the other thread has not read yet. */
const UNREAD_BATCHES = 2;
/** What may wait here meanwhile. */
const QUEUE_FRAMES = 10_000;
const QUEUE_BYTES = 16 * 1024 * 1024;

/**
 * Carries samples to the flows' thread: what arrives in one turn of the event loop crosses as one transferred buffer.
 * A thread that does not read makes the queue wait, and a full queue drops its oldest frame, because the newest value
 * is what a flow can still use.
 */
export class FlowQueue {
  readonly #send: (joined: ArrayBuffer) => void;
  readonly #dropped: (frame: Buffer) => void;
  #frames: Buffer[] = [];
  #bytes = 0;
  #unread = 0;
  #flushScheduled = false;

  /** `send` posts one batch to the other thread; `dropped` is told each frame that will never be sent. */
  constructor(send: (joined: ArrayBuffer) => void, dropped: (frame: Buffer) => void) {
    this.#send = send;
    this.#dropped = dropped;
  }

  /** @param frame whose memory nobody else uses */
  push(frame: Buffer): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
    while (this.#frames.length > QUEUE_FRAMES || (this.#bytes > QUEUE_BYTES && this.#frames.length > 1)) {
      const oldest = this.#frames.shift() as Buffer;
      this.#bytes -= oldest.length;
      this.#dropped(oldest);
    }
    this.#schedule();
  }

  /** The other thread has read one batch. */
  read(): void {
    this.#unread--;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#flushScheduled || this.#frames.length === 0 || this.#unread >= UNREAD_BATCHES) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    let count = 0;
    let bytes = 0;
    for (const frame of this.#frames) {
      if (count === BATCH_FRAMES || (count > 0 && bytes + frame.length > BATCH_BYTES)) break;
      count++;
      bytes += frame.length;
    }
    this.#bytes -= bytes;
    this.#unread++;
    const frames = this.#frames.splice(0, count);
    this.#send(joinFrames(frames));
    for (const frame of frames) freeMemory(frame);
    this.#schedule();
  }
}
