import { malformed } from './protocol-error';
import { checkUtf8 } from './utf8';

/** Reads MQTT's data types (MQTT 5.0 section 1.5) from one packet; never past its end. */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  byte(field: string): number {
    return this.#bytes[this.#take(1, field)] as number;
  }

  uint16(field: string): number {
    return this.#bytes.readUInt16BE(this.#take(2, field));
  }

  uint32(field: string): number {
    return this.#bytes.readUInt32BE(this.#take(4, field));
  }

  /** One to four bytes, in the shortest form [MQTT-1.5.5-1]. */
  variableByteInteger(field: string): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte(field);
      value |= (byte & 127) << shift;
      if (byte < 128) {
        if (byte === 0 && shift > 0) throw malformed(`${field} is not in the shortest form`);
        return value;
      }
    }
    throw malformed(`${field} is longer than four bytes`);
  }

  utf8(field: string): string {
    const length = this.uint16(field);
    const start = this.#take(length, field);
    checkUtf8(this.#bytes, start, start + length, field);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** A copy: it outlives the chunk that it came in. */
  binary(field: string): Buffer {
    const length = this.uint16(field);
    return this.#copy(length, field);
  }

  /** All that is left of the packet, copied. */
  rest(field: string): Buffer {
    return this.#copy(this.remaining, field);
  }

  /** A reader of the next `length` bytes, which this one then has behind it. */
  section(length: number, field: string): WireReader {
    const start = this.#take(length, field);
    return new WireReader(this.#bytes, start, start + length);
  }

  /** To be called when a packet's last field is read. */
  expectEnd(packet: string): void {
    if (this.remaining > 0) throw malformed(`${packet} has ${this.remaining} bytes after its last field`);
  }

  #copy(length: number, field: string): Buffer {
    const start = this.#take(length, field);
    return Buffer.from(this.#bytes.subarray(start, start + length));
  }

  #take(length: number, field: string): number {
    const start = this.#offset;
    if (length > this.#end - start) {
      throw malformed(`packet ends within ${field}: ${length} bytes expected, ${this.#end - start} left`);
    }
    this.#offset = start + length;
    return start;
  }
}
