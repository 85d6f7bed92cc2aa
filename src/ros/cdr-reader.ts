/** CDR that is truncated, malformed or of a representation that is not plain CDR. */
export class CdrError extends Error {
  override readonly name = 'CdrError';
}

/** Longest CDR that is read or written, in bytes. */
export const MAX_CDR_BYTES = 128 * 1024 * 1024;

/** Bytes of the encapsulation header; alignment counts from behind it (RTPS 10.2). */
const HEADER = 4;

/**
 * How a message is laid out: `xcdr1` (plain CDR, what ROS 2 writes), `xcdr2` (nothing is aligned to more than 4 bytes;
 * the elements of arrays that are no primitives stand behind their size), `delimited` (xcdr2 with each message behind
 * its size, so that an unknown end of it can be skipped).
 */
export type CdrForm = 'xcdr1' | 'xcdr2' | 'delimited';

/** By the representation identifier without its last bit, which is the byte order (DDS-XTypes 1.3, 7.6.3.1.2). */
const FORMS: ReadonlyMap<number, CdrForm> = new Map([
  [0x0000, 'xcdr1'],
  [0x0006, 'xcdr2'],
  [0x0008, 'delimited'],
]);

/**
 * Reads CDR (XCDR version 1 and 2, both byte orders) behind its encapsulation header. Each read aligns itself, and
 * throws CdrError where the buffer ends too early. Source: OMG DDS-XTypes 1.3 section 7.4, RTPS 2.5 section 10.
 */
export class CdrReader {
  readonly buffer: Buffer;
  readonly form: CdrForm;
  /** The greatest alignment less one. */
  readonly #alignment: number;
  /** Made when first needed: that costs more than reading the length of a string. */
  #lazyView: DataView | undefined;
  readonly littleEndian: boolean;
  #at = HEADER;

  constructor(buffer: Buffer) {
    if (buffer.length < HEADER) {
      throw new CdrError(`CDR of ${buffer.length} bytes is shorter than its header of ${HEADER}`);
    }
    if (buffer.length > MAX_CDR_BYTES) throw new CdrError(`CDR is longer than ${MAX_CDR_BYTES} bytes`);
    const representation = buffer.readUInt16BE(0);
    const form = FORMS.get(representation & ~1);
    if (form === undefined) {
      const shown = representation.toString(16).padStart(4, '0');
      throw new CdrError(`CDR representation 0x${shown} is none of 0x0000, 0x0001 and 0x0006 to 0x0009`);
    }
    this.form = form;
    this.#alignment = form === 'xcdr1' ? 7 : 3;
    this.buffer = buffer;
    this.littleEndian = (representation & 1) === 1;
  }

  /** All bytes of `buffer`. */
  get view(): DataView {
    const { buffer } = this;
    this.#lazyView ??= new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
    return this.#lazyView;
  }

  /** Aligns to `size`, a power of two, and steps over `length` bytes; returns where they start. */
  take(size: number, length = size): number {
    const at = this.#at + ((HEADER - this.#at) & (size - 1) & this.#alignment);
    if (at + length > this.buffer.length) this.#fail(length);
    this.#at = at + length;
    return at;
  }

  uint32(): number {
    const at = this.take(4);
    return this.littleEndian ? this.buffer.readUInt32LE(at) : this.buffer.readUInt32BE(at);
  }

  /**
   * Skips a string and returns how many bytes of text it has without its NUL; they end at `position - 1`.
   * @param bound most bytes that the text may have
   */
  string(bound: number): number {
    const length = this.uint32();
    if (length === 0) throw new CdrError(`string without its NUL at byte ${this.#at}`);
    const end = this.#at + length;
    if (end > this.buffer.length) this.#fail(length);
    if (this.buffer[end - 1] !== 0) throw new CdrError(`string at byte ${this.#at} does not end with NUL`);
    if (length - 1 > bound) throw new CdrError(`string of ${length - 1} bytes exceeds its bound of ${bound}`);
    this.#at = end;
    return length - 1;
  }

  /**
   * A wide string. In XCDR1 as ROS 2's DDS implementations send it: the number of UTF-16 code units and each of them in
   * 32 bits, without a NUL (rosidl_typesupport_fastrtps_cpp, serialization_helpers.hpp; rmw_cyclonedds_cpp,
   * Serialization.cpp). In XCDR2 the number of bytes and UTF-16 (DDS-XTypes 1.3, 7.4.3.5.3).
   * @param bound most code units that it may have
   */
  wstring(bound: number): string {
    if (this.form !== 'xcdr1') return this.#utf16(bound);
    const length = this.sequence(4, bound);
    const units = new Uint16Array(length);
    for (let index = 0; index < length; index++) {
      const unit = this.uint32();
      if (unit > 0xffff) throw new CdrError(`wide character ${unit} before byte ${this.#at} is above 65535`);
      units[index] = unit;
    }
    return Buffer.from(units.buffer).toString('utf16le');
  }

  /**
   * The number of elements of a sequence, which is at most `bound` and for which enough bytes remain.
   * @param elementSize fewest bytes that one element takes
   */
  sequence(elementSize: number, bound: number): number {
    const count = this.uint32();
    if (count > bound) throw new CdrError(`sequence of ${count} elements exceeds its bound of ${bound}`);
    if (count * elementSize > this.buffer.length - this.#at) this.#fail(count * elementSize);
    return count;
  }

  /** Begins what stands behind its size, and returns where it ends. */
  enter(): number {
    const size = this.uint32();
    const end = this.#at + size;
    if (end > this.buffer.length) this.#fail(size);
    return end;
  }

  /** Ends what `enter` began; what was not read of it is skipped. */
  leave(end: number): void {
    if (this.#at > end) throw new CdrError(`CDR has ${this.#at - end} bytes too few before byte ${end}`);
    this.#at = end;
  }

  /** Skips `length` octets; they end at `position`. */
  octets(length: number): void {
    this.take(1, length);
  }

  /** Where the next byte is read, in bytes from the start of the buffer. */
  get position(): number {
    return this.#at;
  }

  #utf16(bound: number): string {
    const size = this.uint32();
    if (size % 2 !== 0) throw new CdrError(`wide string of ${size} bytes, which are no 16-bit characters`);
    if (size / 2 > bound) {
      throw new CdrError(`wide string of ${size / 2} characters exceeds its bound of ${bound}`);
    }
    const at = this.take(1, size);
    const units = Buffer.from(this.buffer.subarray(at, at + size));
    return (this.littleEndian ? units : units.swap16()).toString('utf16le');
  }

  #fail(length: number): never {
    throw new CdrError(
      `CDR ends at byte ${this.buffer.length}: ${length} bytes expected at byte ${this.#at}`,
    );
  }
}
