import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { LiveFrames } from './live-frames';
import { textFrame } from './text-frame';

/** Close codes of RFC 6455 section 7.4.1 and of its registry. */
const POLICY_VIOLATION = 1008;
const INTERNAL_ERROR = 1011;
const TRY_AGAIN_LATER = 1013;

/** What all readers together may have waiting, and what one may have. */
export interface ReaderBounds {
  /** Bytes that may wait for one; beyond that it misses messages. */
  readerBytes: number;
  /** Messages that it alone may miss in a row; then it is cut off. */
  readerMissed: number;
  /** Bytes that may wait for all; beyond that those who are behind are cut off. */
  totalBytes: number;
}

/** What is counted of all readers together. */
export interface ReaderCounts {
  /** Bytes that wait now, those that wait for several once. */
  held: number;
  sent: number;
  missed: number;
  cutOff: number;
}

/** One WebSocket that is sent messages, and nothing is heard from. */
export class LiveReader {
  readonly #webSocket: WebSocket;
  readonly #network: Duplex;
  readonly #bounds: ReaderBounds;
  readonly #counts: ReaderCounts;
  #missed = 0;
  /** Of these, those that others have read. */
  #missedAlone = 0;
  #isAlive = true;
  #isClosed = false;

  /** @param closed called once, when it has gone */
  constructor(
    webSocket: WebSocket,
    network: Duplex,
    bounds: ReaderBounds,
    counts: ReaderCounts,
    closed: () => void,
  ) {
    this.#webSocket = webSocket;
    this.#network = network;
    this.#bounds = bounds;
    this.#counts = counts;
    network.on('drain', this.#onDrain);
    webSocket.on('pong', () => {
      this.#isAlive = true;
    });
    webSocket.on('error', () => {});
    webSocket.on('message', () => this.close(POLICY_VIOLATION, 'nothing is expected from a reader'));
    webSocket.on('close', () => {
      this.#isClosed = true;
      network.off('drain', this.#onDrain);
      closed();
    });
  }

  /** Sends frames that others are sent as well, or none of them where it is too far behind. */
  send(frames: LiveFrames): void {
    if (this.#isClosed || this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    const { bytes, messages, missed } = frames;
    // So a `drain` comes whenever something was left out.
    const isBehind = this.#network.writableNeedDrain;
    if (isBehind && this.#network.writableLength + bytes.length > this.#bounds.readerBytes) {
      this.#miss(messages, missed);
    } else {
      this.#tellMissed();
      frames.writeTo(this.#network);
      this.#counts.sent += messages;
      this.#counts.missed += missed;
    }
    if (isBehind && this.#counts.held > this.#bounds.totalBytes) {
      this.#cutOff(`${this.#bounds.totalBytes} bytes wait for all readers`);
    }
  }

  /** Sends an event that is no message of MQTT. */
  tell(event: object): void {
    this.send(new LiveFrames(textFrame(JSON.stringify(event)), this.#counts));
  }

  /** Says why there is nothing to read, and ends. */
  fail(error: object): void {
    this.tell({ type: 'error', ...error });
    this.close(INTERNAL_ERROR, 'there is nothing to read');
  }

  /** Asks for a sign of life; ends where the last one was not answered. */
  ping(): void {
    if (!this.#isAlive) {
      this.#counts.cutOff++;
      this.#webSocket.terminate();
      return;
    }
    this.#isAlive = false;
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.ping();
  }

  close(code: number, reason: string): void {
    this.#webSocket.close(code, reason);
  }

  terminate(): void {
    this.#webSocket.terminate();
  }

  readonly #onDrain = (): void => {
    if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#tellMissed();
  };

  #miss(messages: number, byAll: number): void {
    this.#missed += messages + byAll;
    this.#missedAlone += messages;
    this.#counts.missed += messages + byAll;
    if (this.#missedAlone > this.#bounds.readerMissed) {
      this.#cutOff(`${this.#missedAlone} messages were missed`);
    }
  }

  #tellMissed(): void {
    if (this.#missed === 0) return;
    new LiveFrames(missedFrame(this.#missed), this.#counts).writeTo(this.#network);
    this.#missed = this.#missedAlone = 0;
  }

  #cutOff(reason: string): void {
    this.#counts.cutOff++;
    this.#webSocket.close(TRY_AGAIN_LATER, `too slow: ${reason}`);
  }
}

/** What tells a reader how many messages it was not sent. */
export function missedFrame(count: number): Buffer {
  return textFrame(JSON.stringify({ type: 'missed', count }));
}
