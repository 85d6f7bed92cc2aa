import type { Locator } from './locator';
import {
  ackNackBytes,
  type Change,
  dataBytes,
  dataFragBytes,
  GAP_BYTES,
  HEARTBEAT_BYTES,
  MessageWriter,
  nackFragBytes,
} from './message-writer';
import { PacedFlow } from './paced-flow';
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
  /** The most octets of one message to this locator. */
  messageBytes(locator: Locator): number;
  /** What may be asked for at once without a receive buffer of ours running over. */
  readonly requestBytes: number;
}

/** Buffers for messages, in two sizes. */
const BUFFER_BYTES = [16 * 1024, 64 * 1024] as const;
/** Free buffers of each size kept for the next messages. */
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
  readonly #flows = new Map<string, { readonly flow: PacedFlow; users: number }>();
  readonly #freeBuffers = BUFFER_BYTES.map((bytes) => ({ bytes, buffers: [] as ArrayBuffer[] }));
  #beforeFlush = new Set<() => void>();
  #scheduled: NodeJS.Immediate | undefined;
  #flushing = false;

  constructor(sourcePrefix: string, sender: MessageSender) {
    this.#sourcePrefix = sourcePrefix;
    this.#sender = sender;
  }

  get requestBytes(): number {
    return this.#sender.requestBytes;
  }

  messageBytes(locator: Locator): number {
    return this.#sender.messageBytes(locator);
  }

  /** The flow to a locator, which all that send large samples there share; `releaseFlow` gives it back. */
  acquireFlow({ key }: Locator): PacedFlow {
    const shared = this.#flows.get(key) ?? { flow: new PacedFlow(this), users: 0 };
    this.#flows.set(key, shared);
    shared.users++;
    return shared.flow;
  }

  releaseFlow({ key }: Locator): void {
    const shared = this.#flows.get(key);
    if (shared !== undefined && --shared.users === 0) this.#flows.delete(key);
  }

  data(to: Destination, readerId: number, writerId: number, change: Change): void {
    this.#message(to, dataBytes(change)).data(readerId, writerId, change);
  }

  dataFrag(
    to: Destination,
    readerId: number,
    writerId: number,
    change: Change,
    number: number,
    fragmentBytes: number,
  ): void {
    const bytes = Math.min(fragmentBytes, change.payload.length - (number - 1) * fragmentBytes);
    const message = this.#message(to, dataFragBytes(change, bytes));
    message.dataFrag(readerId, writerId, change, number, fragmentBytes);
  }

  heartbeat(
    to: Destination,
    readerId: number,
    writerId: number,
    first: number,
    last: number,
    count: number,
    final: boolean,
    liveliness = false,
  ): void {
    const message = this.#message(to, HEARTBEAT_BYTES);
    message.heartbeat(readerId, writerId, first, last, count, final, liveliness);
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

  nackFrag(
    to: Destination,
    readerId: number,
    writerId: number,
    sequence: number,
    missing: readonly number[],
    count: number,
  ): void {
    const span = (missing.at(-1) as number) - (missing[0] as number) + 1;
    this.#message(to, nackFragBytes(span)).nackFrag(readerId, writerId, sequence, missing, count);
  }

  /** Calls back once before the present batch goes out, to add what concerns all of it. */
  beforeFlush(callback: () => void): void {
    this.#beforeFlush.add(callback);
    this.#schedule();
  }

  /** Sends all that was collected. */
  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#flushing = true;
    try {
      const callbacks = this.#beforeFlush;
      this.#beforeFlush = new Set();
      for (const callback of callbacks) callback();
      for (const [key, { writer, buffer, locator }] of this.#open) {
        this.#open.delete(key);
        this.#send(writer, buffer, locator);
      }
    } finally {
      this.#flushing = false;
      // A callback has called back again, or has thrown.
      if (this.#beforeFlush.size > 0 || this.#open.size > 0) this.#schedule();
    }
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
      const free = this.#freeBuffers.find(({ bytes }) => bytes === buffer.buffer.byteLength)?.buffers;
      if (free !== undefined && free.length < MAX_FREE_BUFFERS) free.push(buffer.buffer as ArrayBuffer);
    });
  }

  /** A buffer of this length: a view of a kept one, unless it is larger than those. */
  #buffer(length: number): Buffer {
    const size = this.#freeBuffers.find(({ bytes }) => bytes >= length);
    if (size === undefined) return Buffer.allocUnsafeSlow(length);
    const free = size.buffers.pop();
    return free === undefined
      ? Buffer.allocUnsafeSlow(size.bytes).subarray(0, length)
      : Buffer.from(free, 0, length);
  }

  #schedule(): void {
    // What is added during a flush goes with it: another would cost each sample of a steady writer an empty turn.
    if (!this.#flushing) this.#scheduled ??= setImmediate(() => this.flush());
  }
}
