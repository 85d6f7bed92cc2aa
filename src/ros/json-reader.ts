import type { CdrWriter } from './cdr-writer';

const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Powers of ten that a double has exactly; a decimal below 2^53 divided by one of them is rounded correctly. */
const POWERS_OF_TEN = Float64Array.from({ length: 19 }, (_, power) => Number(`1e${power}`));

const WORDS = Object.fromEntries(
  ['true', 'false', 'null', '"NaN"', '"Infinity"', '"-Infinity"'].map((word) => [word, Buffer.from(word)]),
) as Record<string, Buffer>;

/** Most numbers that `JsonReader.numbers` reads at once. */
export const JSON_NUMBERS_AT_ONCE = 256;
const values = new Float64Array(JSON_NUMBERS_AT_ONCE);

/**
 * The double nearest to `(head * 10^digits + tail) / power`, or NaN where it is too near to the middle between two to
 * tell. The dividend and the remainder of its division are exact sums of two doubles, so the quotient has twice the
 * digits of a double before it is rounded. Source: T. J. Dekker, "A floating-point technique for extending the
 * available precision", 1971.
 * @param head below 2^30, as `10^digits` and `tail`
 */
function decimal(head: number, digits: number, tail: number, power: number): number {
  const scale = POWERS_OF_TEN[digits] as number;
  const upper = (head >>> 15) * scale * 2 ** 15;
  const lower = (head & 0x7fff) * scale + tail;
  const dividend = upper + lower;
  const quotient = dividend / power;
  const product = quotient * power;
  const [a, b] = [upperHalf(quotient), upperHalf(power)];
  const [c, d] = [quotient - a, power - b];
  const productError = a * b - product + a * d + c * b + c * d;
  const remainder = dividend - product - productError + (lower - (dividend - upper));
  const correction = remainder / power;
  const value = quotient + correction;
  const sure = value === quotient + correction * (1 + DOUBT) && value === quotient + correction * (1 - DOUBT);
  return sure ? value : Number.NaN;
}

/** How wrong the correction may be, relatively; its own rounding errors are a thousandth of it. */
const DOUBT = 2 ** -40;

/** The upper 26 bits of a double's 53 (Veltkamp's splitting). */
function upperHalf(value: number): number {
  const scaled = value * (2 ** 27 + 1);
  return scaled - (scaled - value);
}

/** Says that the text is not as simple as `JsonReader` needs it; made once, since nobody sees it. */
const NOT_SIMPLE = new Error('the JSON text is not simple');

/**
 * Reads JSON in UTF-8 for a reader that knows what comes: the fields of an object in a known order, of which some may
 * be absent. Anything else throws, be it invalid or only unusual (escapes, another order, a decimal where an integer
 * is expected): whoever catches it reads the text by `JSON.parse`, which is slower and can say what is wrong. What is
 * accepted here has the same value there.
 */
export class JsonReader {
  readonly #bytes: Buffer;
  #at = 0;

  /** @param bytes valid UTF-8 */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  openObject(): void {
    this.#expect(OPEN_OBJECT);
  }

  /**
   * Whether the next field of the object is this one; if so its value is next.
   * @param key the name in quotes
   * @param read how many fields of the object have been read
   */
  field(key: Uint8Array, read: number): boolean {
    const bytes = this.#bytes;
    let at = this.#space(this.#at);
    if (read > 0) {
      if (bytes[at] !== COMMA) return false;
      at = this.#space(at + 1);
    }
    for (let index = 0; index < key.length; index++) if (bytes[at + index] !== key[index]) return false;
    at = this.#space(at + key.length);
    if (bytes[at] !== COLON) throw NOT_SIMPLE;
    this.#at = at + 1;
    return true;
  }

  closeObject(): void {
    this.#expect(CLOSE_OBJECT);
  }

  /** Whether an array is next. */
  isArray(): boolean {
    return this.#bytes[this.#space(this.#at)] === OPEN_ARRAY;
  }

  openArray(): void {
    this.#expect(OPEN_ARRAY);
  }

  /** Whether another element of the array is next; if not, the array has ended. */
  element(read: number): boolean {
    const at = this.#space(this.#at);
    const found = this.#bytes[at];
    if (found === CLOSE_ARRAY) {
      this.#at = at + 1;
      return false;
    }
    if (read === 0) return true;
    if (found !== COMMA) throw NOT_SIMPLE;
    this.#at = at + 1;
    return true;
  }

  /** Checks that nothing follows the value. */
  end(): void {
    this.require(this.#space(this.#at) === this.#bytes.length);
  }

  /** Leaves the text to `JSON.parse` where the condition does not hold. */
  require(condition: boolean): void {
    if (!condition) throw NOT_SIMPLE;
  }

  bool(): boolean {
    if (this.#word('true')) return true;
    if (this.#word('false')) return false;
    throw NOT_SIMPLE;
  }

  /** An integer without a fraction or exponent, of at most 15 digits. */
  integer(): number {
    const bytes = this.#bytes;
    let at = this.#space(this.#at);
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    const begin = at;
    let value = 0;
    let digit = (bytes[at] as number) - ZERO;
    while (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digit = (bytes[++at] as number) - ZERO;
    }
    const digits = at - begin;
    const code = digit + ZERO;
    if (digits === 0 || digits > 15 || (digits > 1 && bytes[begin] === ZERO)) throw NOT_SIMPLE;
    if (code === POINT || code === LOWER_E || code === UPPER_E) throw NOT_SIMPLE;
    this.#at = at;
    return negative ? -value : value;
  }

  /** A number, or the strings and the null that stand for NaN and the infinities. */
  number(): number {
    const bytes = this.#bytes;
    const start = this.#space(this.#at);
    let at = start;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    const begin = at;
    // The first nine digits and the next nine, in 32 bits each: several times faster than in a double.
    let head = 0;
    let tail = 0;
    let count = 0;
    let decimals = 0;
    let digit = (bytes[at] as number) - ZERO;
    if (digit < 0 || digit > 9) return this.#special();
    for (; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - ZERO, count++) {
      if (count < 9) head = (head * 10 + digit) | 0;
      else tail = (tail * 10 + digit) | 0;
    }
    if (count > 1 && bytes[begin] === ZERO) throw NOT_SIMPLE;
    if (digit === POINT - ZERO) {
      digit = (bytes[++at] as number) - ZERO;
      for (; digit >= 0 && digit <= 9; digit = (bytes[++at] as number) - ZERO, decimals++) {
        if (count + decimals < 9) head = (head * 10 + digit) | 0;
        else tail = (tail * 10 + digit) | 0;
      }
      if (decimals === 0) throw NOT_SIMPLE;
      count += decimals;
    }
    const exponent = digit === LOWER_E - ZERO || digit === UPPER_E - ZERO;
    if (exponent) at = this.#exponent(at + 1);
    this.#at = at;
    const power = count <= 18 ? (POWERS_OF_TEN[decimals] as number) : 0;
    const mantissa = count <= 9 ? head : head * (POWERS_OF_TEN[count - 9] as number) + tail;
    let value = mantissa / power;
    if (exponent || power === 0) value = Number.NaN;
    else if (mantissa > Number.MAX_SAFE_INTEGER) value = decimal(head, count - 9, tail, power);
    if (Number.isNaN(value)) return Number(bytes.toString('latin1', start, at));
    return negative ? -value : value;
  }

  /**
   * Reads the next elements of an array of numbers into `values`; the array has ended where they are fewer than
   * `JSON_NUMBERS_AT_ONCE`.
   * @param read how many elements have been read
   * @param limit throws for a number that is finite and not below it; at least 10^9
   */
  numbers(read: number, limit: number): number {
    const bytes = this.#bytes;
    if (!this.element(read)) return 0;
    let at = this.#space(this.#at);
    let code = bytes[at] as number;
    let count = 0;
    for (;;) {
      // Most numbers are short decimals; for the others this was only a look ahead.
      const start = at;
      if (code === MINUS) code = bytes[++at] as number;
      const begin = at;
      let mantissa = 0;
      for (; code >= ZERO && code <= NINE; code = bytes[++at] as number) {
        mantissa = (Math.imul(mantissa, 10) + code - ZERO) | 0;
      }
      const wholes = at - begin;
      let digits = wholes;
      let power = 1;
      if (code === POINT) {
        code = bytes[++at] as number;
        for (; code >= ZERO && code <= NINE; code = bytes[++at] as number) {
          mantissa = (Math.imul(mantissa, 10) + code - ZERO) | 0;
        }
        digits = at - begin - 1;
        if (digits === wholes) throw NOT_SIMPLE;
        if (digits <= 9) power = POWERS_OF_TEN[digits - wholes] as number;
      }
      const simple = digits <= 9 && (wholes === 1 || (wholes > 1 && bytes[begin] !== ZERO));
      if (simple && (code === COMMA || code === CLOSE_ARRAY)) {
        const magnitude = mantissa / power;
        values[count++] = begin > start ? -magnitude : magnitude;
      } else {
        this.#at = start;
        const value = this.number();
        this.require(Math.abs(value) < limit || !Number.isFinite(value));
        values[count++] = value;
        at = this.#space(this.#at);
        code = bytes[at] as number;
      }
      if (code !== COMMA || count === JSON_NUMBERS_AT_ONCE) break;
      code = bytes[++at] as number;
      if (code <= SPACE) {
        at = this.#space(at);
        code = bytes[at] as number;
      }
    }
    this.#at = at;
    // A full chunk leaves what is behind it to the next call.
    if (count < JSON_NUMBERS_AT_ONCE) this.#expect(CLOSE_ARRAY);
    return count;
  }

  /** What `numbers` has read; the next call puts others there. */
  get values(): Float64Array {
    return values;
  }

  /** Copies a string without escapes into CDR. */
  string(writer: CdrWriter, bound: number): void {
    const begin = this.#skipString();
    writer.utf8(this.#bytes, begin, this.#at - 1 - begin, bound);
  }

  /** A string without escapes. */
  text(): string {
    const begin = this.#skipString();
    return this.#bytes.toString('utf8', begin, this.#at - 1);
  }

  /** A string of ASCII without escapes, such as base64. */
  ascii(): string {
    this.#expect(QUOTE);
    const begin = this.#at;
    const end = this.#bytes.indexOf(QUOTE, begin);
    if (end < 0) throw NOT_SIMPLE;
    this.#at = end + 1;
    return this.#bytes.toString('latin1', begin, end);
  }

  #special(): number {
    if (this.#word('"NaN"') || this.#word('null')) return Number.NaN;
    if (this.#word('"Infinity"')) return Number.POSITIVE_INFINITY;
    if (this.#word('"-Infinity"')) return Number.NEGATIVE_INFINITY;
    throw NOT_SIMPLE;
  }

  /** Where the digits of an exponent end. */
  #exponent(start: number): number {
    const bytes = this.#bytes;
    const signed = bytes[start] === PLUS || bytes[start] === MINUS;
    const begin = signed ? start + 1 : start;
    let at = begin;
    while ((bytes[at] as number) >= ZERO && (bytes[at] as number) <= ZERO + 9) at++;
    if (at === begin) throw NOT_SIMPLE;
    return at;
  }

  #word(word: string): boolean {
    const expected = WORDS[word] as Buffer;
    const at = this.#space(this.#at);
    for (let index = 0; index < expected.length; index++) {
      if (this.#bytes[at + index] !== expected[index]) return false;
    }
    this.#at = at + expected.length;
    return true;
  }

  /** Steps over a string without escapes, and returns where its content begins; it ends before the last quote. */
  #skipString(): number {
    this.#expect(QUOTE);
    const bytes = this.#bytes;
    const begin = this.#at;
    let at = begin;
    let code = bytes[at];
    while (code !== QUOTE) {
      // Also at the end of the text, where it is undefined.
      if (!((code as number) >= SPACE) || code === BACKSLASH) throw NOT_SIMPLE;
      code = bytes[++at];
    }
    this.#at = at + 1;
    return begin;
  }

  #expect(code: number): void {
    const at = this.#space(this.#at);
    if (this.#bytes[at] !== code) throw NOT_SIMPLE;
    this.#at = at + 1;
  }

  /** The first place from `at` on where no white space is. */
  #space(at: number): number {
    const bytes = this.#bytes;
    let code = bytes[at] as number;
    if (code > SPACE) return at;
    while (code === SPACE || code === 0x0a || code === 0x0d || code === 0x09) code = bytes[++at] as number;
    return at;
  }
}
