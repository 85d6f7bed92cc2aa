import { PacketType } from './packet-type';
import { malformed, ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';

/**
 * Largest packet other than PUBLISH: what lists filters or properties takes many times its size once it is decoded. It
 * is room for ten thousand topic filters of a hundred bytes.
 */
const MAX_OTHER_BYTES = 1024 * 1024;

/**
 * Takes one whole packet: its first byte, and where it stands in the buffer. `start` is the offset after the remaining
 * length, `end` the one after the packet. Returns false to get no more for now.
 */
export type PacketReceiver = (
  header: number,
  bytes: Buffer,
  packetStart: number,
  start: number,
  end: number,
) => boolean;

/**
 * Cuts a byte stream into packets. Packets that lie whole in a chunk are handed out in place; only one that spans
 * chunks is copied, into a buffer that grows with what has really come, never with what the length promises.
 */
export class PacketFramer {
  readonly #receive: PacketReceiver;
  /** Largest PUBLISH accepted, in bytes with its fixed header; others may have a mebibyte at most. */
  maximumPacketSize: number;
  #partial: Buffer | undefined;
  #partialLength = 0;
  #stopped = false;

  constructor(maximumPacketSize: number, receive: PacketReceiver) {
    this.maximumPacketSize = maximumPacketSize;
    this.#receive = receive;
  }

  /** What a begun packet takes in memory, in bytes. */
  get heldBytes(): number {
    return this.#partial?.length ?? 0;
  }

  /**
   * Hands out the packets that the chunk completes, and returns how many bytes it has taken: fewer than there are when
   * the receiver wants no more, and the rest must then come again. The receiver may keep slices of the chunk.
   * @throws ProtocolError a length that is malformed or beyond the maximum; what the receiver throws
   */
  push(chunk: Buffer): number {
    this.#stopped = false;
    let offset = 0;
    while (this.#partial !== undefined && offset < chunk.length && !this.#stopped) {
      offset += this.#complete(this.#partial, chunk, offset);
    }
    while (offset < chunk.length && !this.#stopped) {
      const size = this.#packetSize(chunk, offset, chunk.length);
      if (size === 0 || offset + size > chunk.length) {
        this.#partialLength = chunk.length - offset;
        this.#partial = Buffer.allocUnsafeSlow(Math.max(64, this.#partialLength));
        chunk.copy(this.#partial, 0, offset);
        return chunk.length;
      }
      const end = offset + size;
      this.#emit(chunk, offset, end);
      offset = end;
    }
    return offset;
  }

  /** Takes from the chunk what the begun packet lacks, and returns how many bytes. */
  #complete(partial: Buffer, chunk: Buffer, offset: number): number {
    const held = this.#partialLength;
    let size = this.#packetSize(partial, 0, held);
    if (size === 0) {
      // The length itself is incomplete: one byte at a time until it is not.
      this.#append(partial, chunk, offset, 1);
      size = this.#packetSize(this.#partial as Buffer, 0, held + 1);
      if (size === held + 1) this.#emitPartial(size);
      return 1;
    }
    const taken = Math.min(size - held, chunk.length - offset);
    this.#append(partial, chunk, offset, taken, size);
    if (held + taken === size) this.#emitPartial(size);
    return taken;
  }

  #append(partial: Buffer, chunk: Buffer, offset: number, count: number, size = 0): void {
    const length = this.#partialLength + count;
    let target = partial;
    if (length > partial.length) {
      const doubled = Math.max(length, partial.length * 2);
      target = Buffer.allocUnsafeSlow(size === 0 ? doubled : Math.min(size, doubled));
      partial.copy(target, 0, 0, this.#partialLength);
      this.#partial = target;
    }
    chunk.copy(target, this.#partialLength, offset, offset + count);
    this.#partialLength = length;
  }

  #emitPartial(size: number): void {
    const packet = this.#partial as Buffer;
    this.#partial = undefined;
    this.#partialLength = 0;
    this.#emit(packet, 0, size);
  }

  #emit(bytes: Buffer, packetStart: number, end: number): void {
    let start = packetStart + 1;
    while ((bytes[start] as number) > 127) start++;
    if (!this.#receive(bytes[packetStart] as number, bytes, packetStart, start + 1, end))
      this.#stopped = true;
  }

  /** The size of the packet at this offset, or 0 when its length is not all there yet. */
  #packetSize(bytes: Buffer, offset: number, end: number): number {
    let remaining = 0;
    for (let index = 1; index <= 4; index++) {
      if (offset + index >= end) return 0;
      const byte = bytes[offset + index] as number;
      remaining += (byte & 127) << (7 * (index - 1));
      if (byte < 128) {
        if (byte === 0 && index > 1) throw malformed('remaining length is not in the shortest form');
        const size = 1 + index + remaining;
        const isPublish = (bytes[offset] as number) >> 4 === PacketType.publish;
        const maximum = isPublish
          ? this.maximumPacketSize
          : Math.min(this.maximumPacketSize, MAX_OTHER_BYTES);
        if (size > maximum) {
          throw new ProtocolError(
            ReasonCode.packetTooLarge,
            `packet of ${size} bytes is larger than the limit of ${maximum}`,
          );
        }
        return size;
      }
    }
    throw malformed('remaining length is longer than four bytes'); // [MQTT-1.5.5-1]
  }
}
