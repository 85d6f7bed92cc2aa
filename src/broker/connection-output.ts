import type { Duplex } from 'node:stream';
import { PacketType, type QoS } from './codec/packet-type';
import { ProtocolError } from './codec/protocol-error';
import {
  type MessageParts,
  NO_ALIAS,
  type PublishView,
  publishRemainingLength,
  writePublish,
} from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import { variableByteIntegerLength } from './codec/wire-writer';
import type { FlushSchedule } from './flush-schedule';
import type { HeldMemory, MemoryLevel } from './held-memory';
import type { SessionOutput } from './session/session-output';
import type { BrokerStatistics } from './statistics';
import type { TopicAliases } from './topic-aliases';

const BLOCK_BYTES = 32 * 1024;
/** Free blocks kept for the next writes, 8 MiB. */
const MAX_FREE_BLOCKS = 256;
const freeBlocks: Buffer[] = [];

/** Written without waiting for the end of the turn, so that what a burst holds in memory stays small. */
const EARLY_FLUSH_BYTES = 512 * 1024;
/** What may wait behind a write while memory is short. */
const LITTLE_BYTES = 64 * 1024;
/** A run of forwarded bytes that is shorter is copied: cheaper than a buffer of its own in the system call. */
const SHORTEST_SLICE = 2048;

function free(block: Buffer): void {
  if (block.length === BLOCK_BYTES && freeBlocks.length < MAX_FREE_BLOCKS) freeBlocks.push(block);
}

/**
 * The packets on their way to one connection: gathered during a turn of the event loop and written at once, because a
 * system call per packet costs more than all the rest. At most one write is under way; while the reader does not take
 * it, packets gather here, counted, and `congested` tells the session to hold back.
 */
export class ConnectionOutput implements SessionOutput {
  v5 = false;
  /** The topic aliases of the connection, where the client accepts any. */
  aliases: TopicAliases | undefined;
  /** What the client accepts, in bytes with the fixed header. */
  maximumPacketSize = Number.POSITIVE_INFINITY;
  readonly #stream: Duplex;
  /** Whether a buffer is free again as soon as the stream has taken it. */
  readonly #takesAtOnce: boolean;
  readonly #schedule: FlushSchedule;
  readonly #limit: number;
  readonly #statistics: BrokerStatistics;
  readonly #memory: HeldMemory;
  readonly #drained: () => void;
  readonly #abandoned: (reason: string) => void;
  #barrier = 0;
  /** Finished buffers, each of whole packets, in order. */
  #vector: Buffer[] = [];
  #block: Buffer | undefined;
  #used = 0;
  /** Blocks in the vector, and those being written: free again afterwards. */
  #blocks: Buffer[] = [];
  #blocksWriting: Buffer[] = [];
  /** Received bytes that are forwarded unchanged; grows while packets follow each other in the same chunk. */
  #run: Buffer | undefined;
  #runStart = 0;
  #runEnd = 0;
  #waiting = 0;
  #writing = 0;
  /** What the buffers of these take, as it is counted in the memory. */
  #heldWaiting = 0;
  #heldWriting = 0;
  #scheduled = false;
  #congested = false;
  #drainDue = false;
  #closed = false;
  #overflow: string | undefined;
  #writesTaken = 0;

  /**
   * @param takesAtOnce true for a socket, whose finished writes are in the kernel; false for a stream that keeps buffers
   * @param limit bytes waiting for the reader at which it counts as congested
   * @param drained called after a congestion, when half of the limit is free again, and while memory is short after
   * each write
   * @param abandoned called, with the reason, when the connection must end: the store has failed, so that what waits can
   * never be written, or the session's queue is full
   */
  constructor(
    stream: Duplex,
    takesAtOnce: boolean,
    schedule: FlushSchedule,
    limit: number,
    statistics: BrokerStatistics,
    memory: HeldMemory,
    drained: () => void,
    abandoned: (reason: string) => void,
  ) {
    this.#stream = stream;
    this.#takesAtOnce = takesAtOnce;
    this.#schedule = schedule;
    this.#limit = limit;
    this.#statistics = statistics;
    this.#memory = memory;
    this.#drained = drained;
    this.#abandoned = abandoned;
  }

  get congested(): boolean {
    const { level } = this.#memory;
    return this.#congested || (level > 0 && this.#isBehind(level));
  }

  /** Of a reader that takes what it gets the last write may still be under way, and a little wait behind it. */
  #isBehind(level: MemoryLevel): boolean {
    return level === 3 || (this.#writing > 0 && this.#waiting > (level === 1 ? LITTLE_BYTES : 0));
  }

  /** What waits for the reader takes so much memory, in bytes. */
  get heldBytes(): number {
    return this.#heldWaiting + this.#heldWriting;
  }

  /** Writes that the reader has taken. */
  get writesTaken(): number {
    return this.#writesTaken;
  }

  /** Bytes that the reader has not taken yet. */
  get pendingBytes(): number {
    return this.#waiting + this.#writing;
  }

  /** The position that the store must have made durable before anything more is written. */
  get barrier(): number {
    return this.#barrier;
  }

  waitFor(position: number): void {
    this.#barrier = position;
  }

  abandon(reason: string): void {
    this.#abandoned(`what was to be kept cannot be written: ${reason}`);
  }

  overflow(reason: string): void {
    this.#overflow = reason;
    this.#due();
  }

  forward(view: PublishView): boolean {
    const { bytes, packetStart, payloadStart, payloadEnd } = view;
    if (this.aliases !== undefined) return this.publish(view, bytes[packetStart] as number, 0, -1, []);
    const size = payloadEnd - packetStart;
    if (size > this.maximumPacketSize) return false;
    if (this.#run === bytes && this.#runEnd === packetStart) {
      this.#runEnd = payloadEnd;
    } else {
      this.#endRun();
      this.#run = bytes;
      this.#runStart = packetStart;
      this.#runEnd = payloadEnd;
    }
    this.#statistics.payloadBytesSent += payloadEnd - payloadStart;
    this.#added(size);
    return true;
  }

  publish(
    parts: MessageParts,
    header: number,
    packetId: number,
    expiry: number,
    identifiers: readonly number[],
  ): boolean {
    const qos = ((header >> 1) & 3) as QoS;
    let alias = this.aliases?.find(parts) ?? NO_ALIAS;
    let remaining = publishRemainingLength(parts, this.v5, qos, expiry, identifiers, alias);
    let size = 1 + variableByteIntegerLength(remaining) + remaining;
    if (size > this.maximumPacketSize) {
      if (alias === NO_ALIAS) return false;
      // Naming a topic and its alias takes more than the name alone; an alias in use never does.
      alias = NO_ALIAS;
      remaining = publishRemainingLength(parts, this.v5, qos, expiry, identifiers, alias);
      size = 1 + variableByteIntegerLength(remaining) + remaining;
      if (size > this.maximumPacketSize) return false;
    }
    if (alias.named && alias.number > 0) this.aliases?.keep(parts);
    const block = this.#room(size);
    this.#used = writePublish(
      block,
      this.#used,
      parts,
      this.v5,
      header,
      packetId,
      expiry,
      identifiers,
      remaining,
      alias,
    );
    this.#statistics.payloadBytesSent += parts.payloadEnd - parts.payloadStart;
    this.#added(size);
    return true;
  }

  acknowledge(header: number, packetId: number, reasonCode: ReasonCode): void {
    const withReason = this.v5 && reasonCode !== 0;
    const block = this.#room(5);
    let at = this.#used;
    block[at++] = header;
    block[at++] = withReason ? 3 : 2;
    block[at++] = packetId >> 8;
    block[at++] = packetId & 255;
    if (withReason) block[at++] = reasonCode;
    const size = at - this.#used;
    this.#used = at;
    this.#added(size);
  }

  pingresp(): void {
    const block = this.#room(2);
    block[this.#used++] = PacketType.pingresp << 4;
    block[this.#used++] = 0;
    this.#added(2);
  }

  /**
   * Any other packet, encoded.
   * @throws ProtocolError it is larger than the client accepts [MQTT-3.1.2-24], so that it must go without
   */
  packet(bytes: Buffer): void {
    if (bytes.length > this.maximumPacketSize) {
      throw new ProtocolError(
        ReasonCode.packetTooLarge,
        `the answer of ${bytes.length} bytes is larger than the maximum packet size of ${this.maximumPacketSize}`,
      );
    }
    const block = this.#room(bytes.length);
    this.#used += bytes.copy(block, this.#used);
    this.#added(bytes.length);
  }

  /** Writes what waits, unless a write is under way: then its end does. */
  flush(): void {
    this.#scheduled = false;
    this.#write();
    if (this.#overflow !== undefined) {
      this.#abandoned(this.#overflow);
      return;
    }
    if (this.#drainDue) {
      this.#drainDue = false;
      this.#drained();
    }
  }

  /**
   * Writes a last packet. What waits behind a write under way is dropped: its reader has stalled, and would not get to
   * the last packet otherwise. So is what still waits for the store.
   */
  close(last: Buffer | undefined): void {
    this.#schedule.commit();
    if (this.#writing > 0 || this.#barrier > this.#schedule.durable) {
      this.#barrier = 0;
      this.#vector = [];
      this.#blocks = [];
      this.#block = undefined;
      this.#used = 0;
      this.#run = undefined;
      this.#waiting = 0;
      this.#memory.remove(this.#heldWaiting);
      this.#heldWaiting = 0;
    }
    if (last !== undefined) this.packet(last);
    this.#writing = 0;
    this.#write();
    this.#closed = true;
  }

  /** The stream is closed: what waits will never be taken. */
  discard(): void {
    this.#closed = true;
    this.#memory.remove(this.heldBytes);
    this.#heldWaiting = 0;
    this.#heldWriting = 0;
    this.#vector = [];
    this.#blocks = [];
    this.#run = undefined;
    this.#block = undefined;
    this.#used = 0;
  }

  #endRun(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    const length = this.#runEnd - this.#runStart;
    // A short slice that waits for its reader would pin a long chunk.
    if (length < SHORTEST_SLICE || length * 4 < run.length) {
      const block = this.#room(length);
      this.#used += run.copy(block, this.#used, this.#runStart, this.#runEnd);
    } else {
      this.#seal();
      this.#vector.push(run.subarray(this.#runStart, this.#runEnd));
      this.#hold(length);
    }
  }

  /** A buffer with this much room at `#used`. */
  #room(size: number): Buffer {
    if (this.#run !== undefined) this.#endRun();
    if (this.#block !== undefined && this.#used + size > this.#block.length) this.#seal();
    if (this.#block === undefined) {
      this.#block =
        size > BLOCK_BYTES
          ? Buffer.allocUnsafeSlow(size)
          : (freeBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES));
      this.#used = 0;
      this.#hold(this.#block.length);
    }
    return this.#block;
  }

  #seal(): void {
    const block = this.#block;
    if (block === undefined) return;
    const filled = block.subarray(0, this.#used);
    this.#block = undefined;
    this.#used = 0;
    if (this.#takesAtOnce && filled.length > 0) {
      this.#vector.push(filled);
      this.#blocks.push(block);
    } else {
      if (filled.length > 0) this.#vector.push(Buffer.from(filled));
      this.#hold(filled.length - block.length);
      free(block);
    }
  }

  #hold(bytes: number): void {
    this.#heldWaiting += bytes;
    this.#memory.add(bytes);
  }

  #added(size: number): void {
    this.#statistics.packetsSent++;
    this.#waiting += size;
    if (this.pendingBytes >= this.#limit) this.#congested = true;
    this.#due();
    if (this.#writing > 0) return;
    if (this.#waiting >= EARLY_FLUSH_BYTES || this.#memory.level > 0) this.#write();
  }

  #write(): void {
    if (this.#writing > 0 || this.#waiting === 0 || this.#closed) return;
    if (this.#barrier > this.#schedule.durable) {
      this.#schedule.hold(this);
      return;
    }
    this.#endRun();
    this.#seal();
    const vector = this.#vector;
    this.#vector = [];
    this.#blocksWriting = this.#blocks;
    this.#blocks = [];
    this.#writing = this.#waiting;
    this.#waiting = 0;
    this.#heldWriting = this.#heldWaiting;
    this.#heldWaiting = 0;
    this.#statistics.bytesSent += this.#writing;
    const stream = this.#stream;
    const last = vector.pop() as Buffer;
    if (vector.length > 0) {
      stream.cork();
      for (const buffer of vector) stream.write(buffer);
    }
    stream.write(last, this.#onWritten);
    if (vector.length > 0) stream.uncork();
    if (stream.writableLength === 0) this.#taken();
  }

  // Comes after every write, also after one that was taken at once: then another may be under way already.
  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.#writing === 0 || this.#stream.writableLength > 0) return;
    this.#taken();
    this.flush();
  };

  #taken(): void {
    this.#writing = 0;
    this.#writesTaken++;
    this.#memory.remove(this.#heldWriting);
    this.#heldWriting = 0;
    for (const block of this.#blocksWriting) free(block);
    this.#blocksWriting = [];
    if (this.#waiting >= this.#limit / 2) return;
    if (this.#congested || this.#memory.level > 0) {
      this.#congested = false;
      this.#drainDue = true;
      this.#due();
    }
  }

  /** Sees to it that `flush` is called in this turn. */
  #due(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule.add(this);
  }
}
