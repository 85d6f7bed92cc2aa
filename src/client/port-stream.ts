import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';

/** Bytes that may be under way to the other thread before the writer waits for them to be read, unless told otherwise. */
const WINDOW_BYTES = 1024 * 1024;

/**
 * Bytes that are handed on in one turn of the event loop. A port gives all that comes while it is being read, so whoever
 * reads slower than the other thread writes would never come to its timers and sockets again.
 */
const TURN_BYTES = 64 * 1024;

type WriteCallback = (error?: Error) => void;
type Frame = ArrayBuffer | { read: number } | { end: true };

/**
 * A byte stream between two threads over a `MessagePort`, for MQTT without a socket.
 *
 * All that is written during one turn of the event loop crosses as one transferred `ArrayBuffer`, because a
 * message per write costs twenty times as much. The window keeps what a stalled reader can pin bounded: beyond it
 * the writer's callbacks wait, as they do on a full socket.
 */
export class PortStream extends Duplex {
  readonly #port: MessagePort;
  readonly #window: number;
  #batch: Buffer[] = [];
  #batchBytes = 0;
  #flushScheduled = false;
  #unreadByPeer = 0;
  #waiting: Array<() => void> = [];
  #received: Buffer[] = [];
  #wantsData = false;
  /** Handed on in this turn. */
  #turnBytes = 0;
  #peerEnded = false;
  #portClosed = false;

  /** @param window bytes that may be under way to the other thread */
  constructor(port: MessagePort, window = WINDOW_BYTES) {
    super({ allowHalfOpen: false });
    this.#port = port;
    this.#window = window;
    port.on('message', (frame: Frame) => this.#onFrame(frame));
    port.on('close', () => this.#onPortClosed());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#enqueue(chunk);
    this.#settle(callback);
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, callback: WriteCallback): void {
    for (const { chunk } of chunks) this.#enqueue(chunk);
    this.#settle(callback);
  }

  override _final(callback: () => void): void {
    this.#flush();
    this.#port.postMessage({ end: true });
    callback();
  }

  override _read(): void {
    this.#wantsData = true;
    this.#deliver();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#batchBytes > 0) this.#flush();
    for (const waiting of this.#waiting.splice(0)) waiting();
    this.#received = [];
    this.#port.close();
    callback(error);
  }

  #enqueue(chunk: Buffer): void {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #settle(callback: WriteCallback): void {
    if (this.#portClosed) callback(new Error('the other side has closed the stream'));
    else if (this.#unreadByPeer + this.#batchBytes < this.#window) callback();
    else this.#waiting.push(callback);
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#batchBytes === 0) return;
    const bytes = new Uint8Array(this.#batchBytes);
    let offset = 0;
    for (const chunk of this.#batch) {
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    this.#unreadByPeer += this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#port.postMessage(bytes.buffer, [bytes.buffer]);
  }

  #onFrame(frame: Frame): void {
    if (frame instanceof ArrayBuffer) {
      this.#received.push(Buffer.from(frame));
      this.#deliver();
    } else if ('read' in frame) {
      this.#unreadByPeer -= frame.read;
      if (this.#unreadByPeer < this.#window) for (const waiting of this.#waiting.splice(0)) waiting();
    } else {
      this.#peerEnded = true;
      this.#deliver();
    }
  }

  #deliver(): void {
    let read = 0;
    while (this.#wantsData && this.#received.length > 0 && this.#turnBytes + read < TURN_BYTES) {
      const chunk = this.#nextChunk();
      read += chunk.length;
      this.#wantsData = this.push(chunk);
    }
    if (read > 0) {
      this.#port.postMessage({ read });
      if (this.#turnBytes === 0) setImmediate(() => this.#beginTurn());
      this.#turnBytes += read;
    }
    if (this.#peerEnded && this.#received.length === 0) this.push(null);
  }

  #beginTurn(): void {
    this.#turnBytes = 0;
    if (!this.destroyed) this.#deliver();
  }

  /** The next of what has come, of which a long one is handed on in parts. */
  #nextChunk(): Buffer {
    const chunk = this.#received[0] as Buffer;
    if (chunk.length <= TURN_BYTES) return this.#received.shift() as Buffer;
    this.#received[0] = chunk.subarray(TURN_BYTES);
    return chunk.subarray(0, TURN_BYTES);
  }

  // A thread that dies, or a peer that destroys its end, closes the port without an end frame.
  #onPortClosed(): void {
    if (this.destroyed) return;
    this.#portClosed = true;
    // What waits to be sent can never be; what has come with the end can still be read.
    if (this.#peerEnded && this.#waiting.length === 0) this.#deliver();
    else this.destroy();
  }
}
