import { types } from 'node:util';
import { MAX_CDR_BYTES } from './cdr-reader';
import { mismatch, PayloadError, refuse } from './payload-error';

/** The body starts here in the buffer, so that alignment in it is alignment in the buffer; its header is before it. */
const BODY = 8;
const HEADER = 4;
const FIRST_CAPACITY = 16 * 1024;
/** A buffer that grew beyond this for one message is not kept for the next. */
const KEPT_CAPACITY = 4 * 1024 * 1024;

/** The least number that is infinite as a float32: half a step above the greatest that is not. */
export const FLOAT32_LIMIT = 2 ** 128 - 2 ** 103;

const DECIMAL_INTEGER = /^-?(?:0|[1-9]\d{0,19})$/;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/**
 * Writes values that came from outside as plain CDR (XCDR version 1, little endian) behind its encapsulation header.
 * Each write checks the value and aligns itself; a value that does not fit throws PayloadError.
 * Source: OMG DDS-XTypes 1.3 section 7.4.1; the JSON forms are those of the project's topic mapping.
 */
export class CdrWriter {
  #bytes = Buffer.alloc(FIRST_CAPACITY);
  #view = viewOf(this.#bytes);
  #at = BODY;

  /** A copy of what was written, with its header. */
  toBuffer(): Buffer {
    this.#bytes.writeUInt32BE(0x00010000, BODY - HEADER);
    return Buffer.from(this.#bytes.subarray(BODY - HEADER, this.#at));
  }

  /** Drops what was written, and the memory that only a large message needs. */
  clear(): void {
    this.#at = BODY;
    if (this.#bytes.length > KEPT_CAPACITY) this.#resize(FIRST_CAPACITY);
  }

  bool(value: unknown): void {
    if (typeof value !== 'boolean') refuse('true or false', value);
    const at = this.#take(1);
    this.#view.setUint8(at, value ? 1 : 0);
  }

  int8(value: unknown): void {
    const at = this.#take(1);
    this.#view.setInt8(at, integer(value, -128, 127));
  }

  uint8(value: unknown): void {
    const at = this.#take(1);
    this.#view.setUint8(at, integer(value, 0, 255));
  }

  int16(value: unknown): void {
    const at = this.#take(2);
    this.#view.setInt16(at, integer(value, -32768, 32767), true);
  }

  uint16(value: unknown): void {
    const at = this.#take(2);
    this.#view.setUint16(at, integer(value, 0, 65535), true);
  }

  int32(value: unknown): void {
    const at = this.#take(4);
    this.#view.setInt32(at, integer(value, -2147483648, 2147483647), true);
  }

  uint32(value: unknown): void {
    const at = this.#take(4);
    this.#view.setUint32(at, integer(value, 0, 4294967295), true);
  }

  int64(value: unknown): void {
    const exact = longInteger(value, MIN_INT64, MAX_INT64);
    const at = this.#take(8);
    if (typeof exact === 'bigint') this.#view.setBigInt64(at, exact, true);
    else this.#safeInteger(at, exact);
  }

  uint64(value: unknown): void {
    const exact = longInteger(value, 0n, MAX_UINT64);
    const at = this.#take(8);
    if (typeof exact === 'bigint') this.#view.setBigUint64(at, exact, true);
    else this.#safeInteger(at, exact);
  }

  float32(value: unknown): void {
    const number = typeof value === 'number' ? value : float(value);
    if (!(Math.abs(number) < FLOAT32_LIMIT) && Number.isFinite(number)) refuse('a float32', value);
    const at = this.#take(4);
    this.#view.setFloat32(at, number, true);
  }

  /** Writes the first `count` values, of which none is finite and beyond a float32. */
  float32s(values: Float64Array, count: number): void {
    if (count === 0) return;
    const at = this.#take(4, count * 4);
    const view = this.#view;
    for (let index = 0; index < count; index++)
      view.setFloat32(at + index * 4, values[index] as number, true);
  }

  /** Writes the first `count` values. */
  float64s(values: Float64Array, count: number): void {
    if (count === 0) return;
    const at = this.#take(8, count * 8);
    const view = this.#view;
    for (let index = 0; index < count; index++)
      view.setFloat64(at + index * 8, values[index] as number, true);
  }

  float64(value: unknown): void {
    const number = typeof value === 'number' ? value : float(value);
    const at = this.#take(8);
    this.#view.setFloat64(at, number, true);
  }

  /** @param bound most bytes of UTF-8 that the string may have */
  string(value: unknown, bound: number): void {
    if (typeof value !== 'string') refuse('a string', value);
    // Three bytes per UTF-16 unit are enough; the exact length is asked for only where that much would be a lot.
    const most = value.length < FIRST_CAPACITY ? value.length * 3 : Buffer.byteLength(value);
    const at = this.#take(4, 4 + most + 1);
    const length = this.#bytes.write(value, at + 4, 'utf8');
    if (length !== value.length && /\p{Surrogate}/u.test(value)) {
      throw new PayloadError('expected well-formed Unicode, got a string with a lone surrogate');
    }
    if (length > bound) throw new PayloadError(`expected at most ${bound} bytes of text, got ${length}`);
    this.#view.setUint32(at, length + 1, true);
    this.#bytes[at + 4 + length] = 0;
    this.#at = at + 4 + length + 1;
  }

  /**
   * Writes a string from `length` bytes of UTF-8 at `start`.
   * @param bound most bytes that it may have
   */
  utf8(source: Buffer, start: number, length: number, bound: number): void {
    if (length > bound) throw new PayloadError(`expected at most ${bound} bytes of text, got ${length}`);
    const at = this.#take(4, 4 + length + 1);
    this.#view.setUint32(at, length + 1, true);
    const bytes = this.#bytes;
    if (length > 64) source.copy(bytes, at + 4, start, start + length);
    else for (let index = 0; index < length; index++) bytes[at + 4 + index] = source[start + index] as number;
    bytes[at + 4 + length] = 0;
  }

  /**
   * Writes a wide string, as `CdrReader` reads it.
   * @param bound most UTF-16 code units that it may have
   */
  wstring(value: unknown, bound: number): void {
    if (typeof value !== 'string') refuse('a string', value);
    const { length } = value;
    if (length > bound) throw new PayloadError(`expected at most ${bound} UTF-16 code units, got ${length}`);
    const at = this.#take(4, 4 + length * 4);
    this.#view.setUint32(at, length, true);
    for (let index = 0; index < length; index++) {
      this.#view.setUint32(at + 4 + index * 4, value.charCodeAt(index), true);
    }
  }

  /** Writes how many elements an array has; the caller writes the elements. Returns the array. */
  sequence(value: unknown, bound: number): ArrayLike<unknown> {
    const array = arrayLike(value);
    if (array.length > bound)
      throw new PayloadError(`expected at most ${bound} elements, got ${array.length}`);
    const at = this.#take(4);
    this.#view.setUint32(at, array.length, true);
    return array;
  }

  /** Begins a sequence whose length will be known at its end; returns what `endSequence` takes. */
  beginSequence(): number {
    return this.#take(4);
  }

  endSequence(begin: number, length: number, bound: number): void {
    if (length > bound) throw new PayloadError(`expected at most ${bound} elements, got ${length}`);
    this.#view.setUint32(begin, length, true);
  }

  /** Checks how many elements an array has; the caller writes the elements. Returns the array. */
  fixed(value: unknown, length: number): ArrayLike<unknown> {
    const array = arrayLike(value);
    if (array.length !== length) throw new PayloadError(`expected ${length} elements, got ${array.length}`);
    return array;
  }

  /** Writes a sequence of octets from base64, from bytes or from an array of numbers. */
  octetSequence(value: unknown, bound: number): void {
    const count = this.#take(4);
    const length = this.#octets(value);
    if (length > bound) throw new PayloadError(`expected at most ${bound} bytes, got ${length}`);
    this.#view.setUint32(count, length, true);
  }

  /** Writes an array of exactly `length` octets from base64, from bytes or from an array of numbers. */
  fixedOctets(value: unknown, length: number): void {
    const found = this.#octets(value);
    if (found !== length) throw new PayloadError(`expected ${length} bytes, got ${found}`);
  }

  #octets(value: unknown): number {
    if (typeof value === 'string') return this.#base64(value);
    if (types.isUint8Array(value)) {
      const at = this.#take(1, value.length);
      this.#bytes.set(value, at);
      return value.length;
    }
    if (!Array.isArray(value)) refuse('base64 or an array of bytes', value);
    const at = this.#take(1, value.length);
    for (const [index, octet] of value.entries()) {
      if (!(Number.isInteger(octet) && octet >= 0 && octet <= 255)) {
        throw new PayloadError(mismatch('an integer from 0 to 255', octet), `[${index}]`);
      }
      this.#bytes[at + index] = octet;
    }
    return value.length;
  }

  #base64(text: string): number {
    const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
    const length = Math.floor(((text.length - padding) * 3) / 4);
    const at = this.#take(1, length);
    // Node skips what is not base64, so fewer bytes come out than the length promises.
    const valid = (text.length - padding) % 4 !== 1 && (padding === 0 || text.length % 4 === 0);
    if (!valid || this.#bytes.write(text, at, length, 'base64') !== length) refuse('base64', text);
    return length;
  }

  #safeInteger(at: number, value: number): void {
    this.#view.setUint32(at, value >>> 0, true);
    this.#view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  /**
   * Aligns to `size`, a power of two, and makes room for `length` bytes; returns where they start. It may replace the
   * buffer and its view, so take before naming them.
   */
  #take(size: number, length = size): number {
    let at = this.#at;
    if (at + size + length > this.#bytes.length) this.#grow(at + size + length);
    while ((at & (size - 1)) !== 0) this.#bytes[at++] = 0;
    this.#at = at + length;
    return at;
  }

  #grow(needed: number): void {
    if (needed > MAX_CDR_BYTES) throw new PayloadError(`more than ${MAX_CDR_BYTES} bytes of CDR`);
    const old = this.#bytes;
    this.#resize(Math.min(Math.max(needed, old.length * 2), MAX_CDR_BYTES));
    this.#bytes.set(old.subarray(0, this.#at));
  }

  #resize(capacity: number): void {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = viewOf(this.#bytes);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function integer(value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most && Math.floor(value) === value)
    return value;
  return refuse(`an integer from ${least} to ${most}`, value);
}

function longInteger(value: unknown, least: bigint, most: bigint): number | bigint {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && (value >= 0 || least < 0n)) return value;
  } else {
    const exact = typeof value === 'string' && DECIMAL_INTEGER.test(value) ? BigInt(value) : value;
    if (typeof exact === 'bigint' && exact >= least && exact <= most) return exact;
  }
  // Not the 19 digits of its bounds, behind which a status has no room for the value.
  const type = least < 0n ? '(int64' : 'from 0 (uint64';
  return refuse(`an integer ${type}; beyond 2^53 as a decimal string)`, value);
}

function float(value: unknown): number {
  if (value === null || value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Number.POSITIVE_INFINITY;
  if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
  return refuse('a number', value);
}

function arrayLike(value: unknown): ArrayLike<unknown> {
  if (Array.isArray(value)) return value;
  // Bytes are not the elements that a Buffer stands for, except in an array of octets.
  if (types.isTypedArray(value) && !Buffer.isBuffer(value)) return value;
  return refuse('an array', value);
}
