import type { Locator } from './locator';
import {
  ackNackBytes,
  type Change,
  dataBytes,
  GAP_BYTES,
  HEARTBEAT_BYTES,
  MessageWriter,
} from './message-writer';
import { MESSAGE_HEADER_BYTES } from './submessage';

/** Where submessages for one remote participant go. */
export interface Destination {
  readonly prefix: string;
  readonly locator: Locator;
}

/** Takes a whole message; `sent` is called when its buffer may be used again. */
export interface MessageSender {
  send(message: Buffer, locator: Locator, sent: () => void): void;
  /** The octets that several small submessages to this locator may fill together. */
  batchBytes(locator: Locator): number;
}

const BUFFER_BYTES = 16 * 1024;
/** Free buffers kept for the next messages. */
const MAX_FREE_BUFFERS = 64;
const INFO_DESTINATION_BYTES = 16;

/**
 * Collects what is to be sent during one turn of the event loop, so that many submessages share a datagram: a
 * datagram per sample would cost three times as much.
 */
export class Outbox {
  readonly #sourcePrefix: string;
  readonly #sender: MessageSender;
  readonly #open = new Map<string, { writer: MessageWriter; buffer: Buffer; locator: Locator }>();
  readonly #freeBuffers: Buffer[] = [];
  #beforeFlush = new Set<() => void>();
  #scheduled: NodeJS.Immediate | undefined;

  constructor(sourcePrefix: string, sender: MessageSender) {
    this.#sourcePrefix = sourcePrefix;
    this.#sender = sender;
  }

  data(to: Destination, readerId: number, writerId: number, change: Change): void {
    this.#message(to, dataBytes(change)).data(readerId, writerId, change);
  }

  heartbeat(
    to: Destination,
    readerId: number,
    writerId: number,
    first: number,
    last: number,
    count: number,
    final: boolean,
  ): void {
    this.#message(to, HEARTBEAT_BYTES).heartbeat(readerId, writerId, first, last, count, final);
  }

  /** `start`..`end - 1` will not come. */
  gap(to: Destination, readerId: number, writerId: number, start: number, end: number): void {
    this.#message(to, GAP_BYTES).gap(readerId, writerId, start, end);
  }

  ackNack(
    to: Destination,
    readerId: number,
    writerId: number,
    base: number,
    missing: readonly number[],
    count: number,
    final: boolean,
  ): void {
    const span = (missing.at(-1) ?? base - 1) - base + 1;
    this.#message(to, ackNackBytes(span)).ackNack(readerId, writerId, base, missing, count, final);
  }

  /** Calls back once before the present batch goes out, to add what concerns all of it. */
  beforeFlush(callback: () => void): void {
    this.#beforeFlush.add(callback);
    this.#schedule();
  }

  /** Sends all that was collected. */
  flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const callbacks = this.#beforeFlush;
    this.#beforeFlush = new Set();
    for (const callback of callbacks) callback();
    for (const { writer, buffer, locator } of this.#open.values()) this.#send(writer, buffer, locator);
    this.#open.clear();
  }

  #message(to: Destination, octets: number): MessageWriter {
    this.#schedule();
    const { locator } = to;
    const needed = octets + INFO_DESTINATION_BYTES;
    const open = this.#open.get(locator.key);
    if (open !== undefined) {
      if (open.writer.room >= needed) {
        open.writer.destination(to.prefix);
        return open.writer;
      }
      this.#send(open.writer, open.buffer, locator);
    }
    const buffer = this.#buffer(Math.max(this.#sender.batchBytes(locator), MESSAGE_HEADER_BYTES + needed));
    const writer = new MessageWriter(this.#sourcePrefix, buffer);
    this.#open.set(locator.key, { writer, buffer, locator });
    writer.destination(to.prefix);
    return writer;
  }

  #send(writer: MessageWriter, buffer: Buffer, locator: Locator): void {
    this.#sender.send(writer.message, locator, () => {
      if (buffer.buffer.byteLength === BUFFER_BYTES && this.#freeBuffers.length < MAX_FREE_BUFFERS)
        this.#freeBuffers.push(Buffer.from(buffer.buffer));
    });
  }

  /** A buffer of this length: a view of a kept one, unless it is larger than those. */
  #buffer(length: number): Buffer {
    if (length > BUFFER_BYTES) return Buffer.allocUnsafeSlow(length);
    return (this.#freeBuffers.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)).subarray(0, length);
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => this.flush());
  }
}
