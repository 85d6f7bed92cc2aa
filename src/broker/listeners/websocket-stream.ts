import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** What may arrive before the broker has answered: who has not said who they are gets no more memory than that. */
const MAX_UNANSWERED_BYTES = 600 * 1024;
/** Of the control frames of a client: two bytes and the mask (RFC 6455 section 5.2). */
const CONTROL_HEADER_BYTES = 6;
/** Close codes of RFC 6455 section 7.4.1. */
const NORMAL = 1000;
const UNSUPPORTED_DATA = 1003;
const MESSAGE_TOO_BIG = 1009;

/**
 * The bytes in the binary frames of a WebSocket (MQTT 5.0 section 6); a frame need not be one packet. As the frames of a
 * message come together before anything of it is read, the event `gathered` says how many bytes it has so far, and how many
 * wait to be read; up to 64 KiB may not be said.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;
  /** Of a message that is not whole yet. */
  #partBytes = 0;
  /** What was last said. */
  #gathered = 0;
  #answered = false;
  #ponging = false;
  #lastPing: Buffer | undefined;

  /**
   * @param socket one that does not answer pings itself
   * @param network what the WebSocket reads from
   */
  constructor(socket: WebSocket, network: Duplex) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    /** In the chunk from the network that is being read. */
    let messageCame = false;
    let controlBytes = 0;
    socket.on('message', (data: Buffer, binary: boolean) => {
      if (this.destroyed) return;
      messageCame = true;
      if (!binary)
        this.#refuse(UNSUPPORTED_DATA, 'a text frame came, MQTT needs binary ones'); // [MQTT-6.0.0-1]
      else if (!this.push(data)) socket.pause();
    });
    socket.on('ping', (data) => {
      controlBytes += CONTROL_HEADER_BYTES + data.length;
      this.#pong(data);
    });
    socket.on('pong', (data) => {
      controlBytes += CONTROL_HEADER_BYTES + data.length;
    });
    socket.on('close', () => this.push(null));
    socket.on('error', (error) => this.destroy(error));
    let unanswered = 0;
    network.on('data', (chunk: Buffer) => {
      if (this.destroyed) return;
      unanswered += chunk.length;
      if (!this.#answered && unanswered > MAX_UNANSWERED_BYTES) {
        this.#refuse(MESSAGE_TOO_BIG, 'too much came before a whole CONNECT');
        return;
      }
      const bytes = this.#partBytes + chunk.length - controlBytes;
      this.#partBytes = messageCame ? 0 : Math.max(0, bytes);
      messageCame = false;
      controlBytes = 0;
      this.#tellGathered();
    });
  }

  override _read(): void {
    this.#socket.resume();
    this.#tellGathered();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error) => void): void {
    this.#answered = true;
    this.#socket.send(chunk, callback);
  }

  override _writev(chunks: Array<{ chunk: Buffer }>, callback: (error?: Error) => void): void {
    this.#answered = true;
    this.#socket.send(Buffer.concat(chunks.map(({ chunk }) => chunk)), callback);
  }

  override _final(callback: () => void): void {
    this.#socket.close(NORMAL);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (error instanceof FrameRefusedError) this.#socket.resume();
    else this.#socket.terminate();
    callback(error);
  }

  #tellGathered(): void {
    const gathered = this.#partBytes + this.readableLength;
    if (gathered === this.#gathered) return;
    this.#gathered = gathered;
    this.emit('gathered', gathered);
  }

  /** One answer at a time, to the last ping: who does not read the answers must not make them gather (RFC 6455 5.5.3). */
  #pong(data: Buffer): void {
    if (this.#ponging) {
      this.#lastPing = data;
      return;
    }
    this.#ponging = true;
    this.#socket.pong(data, false, () => {
      this.#ponging = false;
      const next = this.#lastPing;
      this.#lastPing = undefined;
      if (next !== undefined && !this.destroyed) this.#pong(next);
    });
  }

  /** Tells the peer why; the WebSocket then discards what comes until the peer closes or its time for that is over. */
  #refuse(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.destroy(new FrameRefusedError(reason));
  }
}

class FrameRefusedError extends Error {
  override readonly name = 'FrameRefusedError';
}
