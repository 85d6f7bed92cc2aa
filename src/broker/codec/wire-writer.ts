import { MAX_REMAINING_LENGTH } from './packet-type';

/** Builds one packet of MQTT's data types (MQTT 5.0 section 1.5). For packets that are rare; PUBLISH has its own way. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(128);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  byte(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  uint16(value: number): this {
    const at = this.#grow(2);
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  uint32(value: number): this {
    const at = this.#grow(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  /** @throws RangeError the value does not fit four bytes */
  variableByteInteger(value: number): this {
    const at = this.#grow(variableByteIntegerLength(value));
    writeVariableByteInteger(this.#bytes, at, value);
    return this;
  }

  /** @throws RangeError longer than 65,535 bytes */
  utf8(text: string): this {
    return this.binary(Buffer.from(text));
  }

  /** @throws RangeError longer than 65,535 bytes */
  binary(bytes: Uint8Array): this {
    if (bytes.length > 65535) throw new RangeError(`${bytes.length} bytes do not fit a field of 65535`);
    return this.uint16(bytes.length).bytes(bytes);
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** What was written; the writer must not be used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** What was written as the body of a packet with this first byte. */
  finishPacket(header: number): Buffer {
    const body = this.finish();
    return new WireWriter().byte(header).variableByteInteger(body.length).bytes(body).finish();
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}

/** Bytes that a variable byte integer takes, 1 to 4 [MQTT-1.5.5]. */
export function variableByteIntegerLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  if (value < 2_097_152) return 3;
  if (value <= MAX_REMAINING_LENGTH) return 4;
  throw new RangeError(`${value} is more than a variable byte integer can hold`);
}

/** Writes a variable byte integer and returns the offset after it. */
export function writeVariableByteInteger(target: Buffer, offset: number, value: number): number {
  let left = value;
  while (left > 127) {
    target[offset++] = (left & 127) | 128;
    left >>>= 7;
  }
  target[offset++] = left;
  return offset;
}
