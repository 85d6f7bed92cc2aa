import { CdrError } from './cdr-reader';

/** Longest JSON text that is made, in characters: no MQTT packet can carry more bytes [MQTT-1.5.5]. */
const MAX_TEXT_LENGTH = 268_435_455;

const CAPACITY = 64 * 1024;
/** A base64 text up to this length is copied into the scratch buffer, where it costs less than another string. */
const SHORT_BASE64 = 1024;

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
 * Writes JSON text. ASCII, which is nearly all of it, is collected in a buffer of fixed size; that is several times
 * faster than joining one string per number. Throws CdrError when the text becomes longer than an MQTT packet.
 */
export class JsonText {
  readonly #bytes = Buffer.alloc(CAPACITY);
  #at = 0;
  #text = '';

  /** The text written since it was last taken. */
  take(): string {
    this.#flush();
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** Drops what was written since the text was last taken. */
  clear(): void {
    this.#at = 0;
    this.#text = '';
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
    if (typeof value === 'bigint') this.#ascii(`"${value}"`);
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
      else this.#ascii(String(magnitude));
    } else this.#special(magnitude, value);
  }

  /** Writes the shortest text that reads back as the same float32 (`0.1`); NaN and infinities as strings. */
  float32(value: number): void {
    const magnitude = this.#sign(value);
    if ((magnitude | 0) === magnitude && magnitude < 2 ** 24) this.#digits(magnitude);
    else if (magnitude >= 1e-3 && magnitude < 1e6) {
      // Six digits always identify a decimal, nine always a float32.
      let decimals = decimalsOfSixDigits(magnitude);
      for (;;) {
        const power = POWERS_OF_TEN[decimals] as number;
        const scaled = (magnitude * power + 0.5) | 0;
        if (Math.fround(scaled / power) === magnitude) return this.#decimal(scaled, decimals);
        decimals++;
      }
    } else this.#special(magnitude, value, shortestFloat32);
  }

  /**
   * Writes `length` bytes of UTF-8 at `start` as a string. Invalid UTF-8 becomes U+FFFD, as every decoder of the web
   * does it: JSON has no place for other bytes, and refusing the message would lose all of it.
   */
  string(source: Buffer, start: number, length: number): void {
    if (length + 2 <= CAPACITY) {
      const begin = this.#reserve(length + 2);
      const bytes = this.#bytes;
      const end = start + length;
      let at = begin;
      bytes[at++] = QUOTE;
      let index = start;
      for (; index < end; index++) {
        const code = source[index] as number;
        if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) break;
        bytes[at++] = code;
      }
      if (index === end) {
        bytes[at++] = QUOTE;
        this.#at = at;
        return;
      }
    }
    this.#flush();
    this.#append(JSON.stringify(source.toString('utf8', start, start + length)));
  }

  /** Writes `length` bytes at `start` as a string of base64. */
  base64(source: Buffer, start: number, length: number): void {
    const text = source.toString('base64', start, start + length);
    if (text.length <= SHORT_BASE64) {
      this.character(QUOTE);
      this.#ascii(text);
      this.character(QUOTE);
      return;
    }
    this.character(QUOTE);
    this.#flush();
    this.#append(text);
    this.character(QUOTE);
  }

  /** Writes the sign of a number, also of -0, and returns its magnitude. */
  #sign(value: number): number {
    if (value > 0 || Object.is(value, 0)) return value;
    if (value <= 0 && value > Number.NEGATIVE_INFINITY) this.character(MINUS);
    return -value;
  }

  #special(magnitude: number, value: number, shortest: (magnitude: number) => string = String): void {
    if (magnitude < Number.POSITIVE_INFINITY) this.#ascii(shortest(magnitude));
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

  #ascii(text: string): void {
    let at = this.#reserve(text.length);
    const bytes = this.#bytes;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#at = at;
  }

  /** Makes room for `length` bytes and returns where they go. */
  #reserve(length: number): number {
    if (this.#at + length > CAPACITY) this.#flush();
    return this.#at;
  }

  #flush(): void {
    if (this.#at === 0) return;
    this.#append(this.#bytes.toString('latin1', 0, this.#at));
    this.#at = 0;
  }

  #append(text: string): void {
    if (this.#text.length + text.length > MAX_TEXT_LENGTH) {
      throw new CdrError(`the JSON text of the message is longer than ${MAX_TEXT_LENGTH} characters`);
    }
    this.#text += text;
  }
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
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(magnitude.toPrecision(digits));
    if (Math.fround(shorter) === magnitude) return String(shorter);
  }
  return String(Number(magnitude.toPrecision(9)));
}
