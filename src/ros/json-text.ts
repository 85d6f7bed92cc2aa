import { CdrError } from './cdr-reader';

/** Longest JSON text that is made, in bytes: the longest MQTT packet [MQTT-1.5.5]. */
const MAX_TEXT_BYTES = 268_435_455;

const FIRST_CAPACITY = 64 * 1024;
/** A buffer that grew beyond this for one message is not kept for the next. */
const KEPT_CAPACITY = 4 * 1024 * 1024;

/** Octets that become base64 at once: a multiple of three, and small enough for V8's cheapest kind of string. */
const BASE64_PIECE = 12 * 1024;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const POWERS_OF_TEN = Float64Array.from({ length: 16 }, (_, power) => 10 ** power);

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const TRUE = ascii('true');
const FALSE = ascii('false');
const NAN = ascii('"NaN"');
const INFINITY = ascii('"Infinity"');
const NEGATIVE_INFINITY = ascii('"-Infinity"');

/**
 * Writes JSON text as bytes, which is several times faster than joining one string per number. Throws CdrError when
 * the text becomes longer than an MQTT packet.
 */
export class JsonText {
  #bytes = Buffer.alloc(FIRST_CAPACITY);
  #at = 0;
  #ascii = true;

  /** What was written. */
  toString(): string {
    // One byte per character is faster to read, and is the same where all is ASCII.
    return this.#bytes.toString(this.#ascii ? 'latin1' : 'utf8', 0, this.#at);
  }

  /** A copy of what was written, in UTF-8. */
  toBuffer(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  /** Drops what was written, and the memory that only a large text needs. */
  clear(): void {
    this.#at = 0;
    this.#ascii = true;
    if (this.#bytes.length > KEPT_CAPACITY) this.#bytes = Buffer.alloc(FIRST_CAPACITY);
  }

  /** Writes a constant piece of ASCII text. */
  literal(piece: Uint8Array): void {
    let at = this.#reserve(piece.length);
    const bytes = this.#bytes;
    for (let index = 0; index < piece.length; index++) bytes[at++] = piece[index] as number;
    this.#at = at;
  }

  /** Writes one ASCII character. */
  character(code: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = code;
    this.#at = at + 1;
  }

  bool(value: boolean): void {
    this.literal(value ? TRUE : FALSE);
  }

  /** Writes an integer below 2^53 as a number, a bigint as a decimal string. */
  integer(value: number | bigint): void {
    if (typeof value === 'bigint') this.#characters(`"${value}"`);
    else if (value < 0) {
      this.character(MINUS);
      this.#digits(-value);
    } else this.#digits(value);
  }

  /** Writes the shortest text that reads back as the same double; NaN and infinities as strings. */
  float64(value: number): void {
    const magnitude = this.#sign(value);
    if ((magnitude | 0) === magnitude) this.#digits(magnitude);
    else if (magnitude < 1e9) {
      // A decimal of at most 15 digits that reads back is the only one, so it is the shortest.
      const scaled = Math.round(magnitude * 1e6);
      if (scaled / 1e6 === magnitude) this.#decimal(scaled, 6);
      else this.#characters(String(magnitude));
    } else this.#special(magnitude, value);
  }

  /** Writes the shortest text that reads back as the same float32 (`0.1`); NaN and infinities as strings. */
  float32(value: number): void {
    const magnitude = this.#sign(value);
    if ((magnitude | 0) === magnitude && magnitude < 2 ** 24) this.#digits(magnitude);
    else if (magnitude >= 1e-3 && magnitude < 1e6) {
      // Six digits always identify a decimal, nine always a float32.
      let decimals = decimalsOfSixDigits(magnitude);
      let scaled = scale(magnitude, decimals);
      while (Math.fround(scaled / (POWERS_OF_TEN[decimals] as number)) !== magnitude) {
        scaled = scale(magnitude, ++decimals);
      }
      this.#decimal(scaled, decimals);
    } else this.#special(magnitude, value, shortestFloat32);
  }

  /**
   * Writes `length` bytes of UTF-8 at `start` as a string. Invalid UTF-8 becomes U+FFFD, as every decoder of the web
   * does it: JSON has no place for other bytes, and refusing the message would lose all of it.
   */
  string(source: Buffer, start: number, length: number): void {
    let at = this.#reserve(length + 2);
    const bytes = this.#bytes;
    const end = start + length;
    bytes[at++] = QUOTE;
    for (let index = start; index < end; index++) {
      const code = source[index] as number;
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) {
        this.text(source.toString('utf8', start, end));
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    this.#at = at;
  }

  /** Writes any text as a string. */
  text(text: string): void {
    const quoted = JSON.stringify(text);
    const at = this.#reserve(Buffer.byteLength(quoted));
    this.#at = at + this.#bytes.write(quoted, at, 'utf8');
    this.#ascii = false;
  }

  /** Writes `length` bytes at `start` as a string of base64. */
  base64(source: Buffer, start: number, length: number): void {
    this.character(QUOTE);
    const end = start + length;
    for (let from = start; from < end; from += BASE64_PIECE) {
      const text = source.toString('base64', from, Math.min(from + BASE64_PIECE, end));
      const at = this.#reserve(text.length);
      this.#at = at + this.#bytes.write(text, at, 'latin1');
    }
    this.character(QUOTE);
  }

  /** Writes the sign of a number, also of -0, and returns its magnitude. */
  #sign(value: number): number {
    if (value > 0 || Object.is(value, 0)) return value;
    if (value <= 0 && value > Number.NEGATIVE_INFINITY) this.character(MINUS);
    return -value;
  }

  #special(magnitude: number, value: number, shortest: (magnitude: number) => string = String): void {
    if (magnitude < Number.POSITIVE_INFINITY) this.#characters(shortest(magnitude));
    else if (value > 0) this.literal(INFINITY);
    else this.literal(value < 0 ? NEGATIVE_INFINITY : NAN);
  }

  /** Writes an integer from 0 to 2^53. */
  #digits(value: number): void {
    if (value >= 1e9) {
      const high = Math.floor(value / 1e9);
      this.#digits(high);
      this.#padded(value - high * 1e9, 9);
    } else this.#padded(value, digitCount(value));
  }

  /** Writes `scaled / 10^decimals`, where the integer part and the fraction have at most nine digits each. */
  #decimal(scaled: number, decimals: number): void {
    const power = POWERS_OF_TEN[decimals] as number;
    const whole = Math.floor(scaled / power);
    this.#digits(whole);
    let fraction = (scaled - whole * power) | 0;
    if (fraction === 0) return;
    let count = decimals;
    while (fraction % 10 === 0) {
      fraction = (fraction / 10) | 0;
      count--;
    }
    this.character(POINT);
    this.#padded(fraction, count);
  }

  /** Writes an integer below 2^31 with exactly `count` digits. */
  #padded(value: number, count: number): void {
    const begin = this.#reserve(count);
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = begin + count - 1; at >= begin; at--) {
      const quotient = (rest / 10) | 0;
      bytes[at] = ZERO + rest - quotient * 10;
      rest = quotient;
    }
    this.#at = begin + count;
  }

  #characters(text: string): void {
    let at = this.#reserve(text.length);
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#at = at;
  }

  /** Makes room for `length` bytes and returns where they go. */
  #reserve(length: number): number {
    if (this.#at + length > this.#bytes.length) this.#grow(this.#at + length);
    return this.#at;
  }

  #grow(needed: number): void {
    if (needed > MAX_TEXT_BYTES) {
      throw new CdrError(`the JSON text of the message is longer than ${MAX_TEXT_BYTES} bytes`);
    }
    const old = this.#bytes;
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, old.length * 2), MAX_TEXT_BYTES));
    this.#bytes.set(old.subarray(0, this.#at));
  }
}

/** The integer nearest to `value * 10^decimals`, which is below 2^31. */
function scale(value: number, decimals: number): number {
  return (value * (POWERS_OF_TEN[decimals] as number) + 0.5) | 0;
}

function digitCount(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 1e6) return value < 1e5 ? 5 : 6;
  return value < 1e7 ? 7 : value < 1e8 ? 8 : 9;
}

/** Decimals with which a number from 0.001 to 1,000,000 has six significant digits. */
function decimalsOfSixDigits(value: number): number {
  if (value < 1) return value < 0.1 ? (value < 0.01 ? 8 : 7) : 6;
  if (value < 1000) return value < 10 ? 5 : value < 100 ? 4 : 3;
  return value < 1e4 ? 2 : value < 1e5 ? 1 : 0;
}

function shortestFloat32(magnitude: number): string {
  // Six digits always survive a float32, so fewer are not shorter; subnormal ones hold less.
  for (let digits = magnitude < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const shorter = Number(magnitude.toPrecision(digits));
    if (Math.fround(shorter) === magnitude) return String(shorter);
  }
  return String(Number(magnitude.toPrecision(9)));
}
