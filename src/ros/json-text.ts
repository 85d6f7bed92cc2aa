import { CdrError } from './cdr-reader';

/** Longest JSON text that is made, in bytes: the longest MQTT packet [MQTT-1.5.5]. */
const MAX_TEXT_BYTES = 268_435_455;

const FIRST_CAPACITY = 64 * 1024;
/** A buffer that grew beyond this for one message is not kept for the next. */
const KEPT_CAPACITY = 4 * 1024 * 1024;

/** Octets that become base64 at once: a multiple of three, and small enough for V8's cheapest kind of string. */
const BASE64_PIECE = 12 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** By octet: 1 for the ASCII characters that stand in a JSON string as they are. */
const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80);
PLAIN[QUOTE] = PLAIN[BACKSLASH] = 0;

/** A piece of ASCII text in words of four characters, which are several times faster to write; the last is padded. */
export interface Literal {
  words: Int32Array;
  length: number;
}

export function literal(text: string): Literal {
  const length = Math.ceil(text.length / 4);
  const padded = Buffer.from(text.padEnd(length * 4), 'latin1');
  return {
    words: Int32Array.from({ length }, (_, index) => padded.readInt32BE(index * 4)),
    length: text.length,
  };
}

/**
 * Writes JSON text as bytes, which is several times faster than joining one string per number. Throws CdrError when
 * the text becomes longer than an MQTT packet.
 */
export class JsonText {
  #bytes: Buffer = Buffer.alloc(FIRST_CAPACITY);
  #view = viewOf(this.#bytes);
  #at = 0;
  #ascii = true;

  /** What was written. */
  toString(): string {
    // One byte per character is faster to read, and is the same where all is ASCII.
    return this.#bytes.toString(this.#ascii ? 'latin1' : 'utf8', 0, this.#at);
  }

  /** A copy of what was written, in UTF-8. */
  toBuffer(): Buffer {
    const copy = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(copy, 0, 0, this.#at);
    return copy;
  }

  /** Drops what was written, and the memory that only a large text needs. */
  clear(): void {
    this.#at = 0;
    this.#ascii = true;
    if (this.#bytes.length > KEPT_CAPACITY) this.#use(Buffer.alloc(FIRST_CAPACITY));
  }

  /** Makes room for `length` bytes, and returns where in `bytes` and `view`, which it may replace, they go. */
  reserve(length: number): number {
    if (this.#at + length > this.#bytes.length) this.#grow(this.#at + length);
    return this.#at;
  }

  /** Where whoever has made room writes. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The same memory. */
  get view(): DataView {
    return this.#view;
  }

  /** Says where what was written into the room ends. */
  advance(end: number): void {
    this.#at = end;
  }

  /** Writes a constant piece of text. */
  literal({ words, length }: Literal): void {
    const at = this.reserve(words.length * 4);
    const view = this.#view;
    for (let index = 0; index < words.length; index++) view.setInt32(at + index * 4, words[index] as number);
    this.#at = at + length;
  }

  /** Writes one ASCII character. */
  character(code: number): void {
    const at = this.reserve(1);
    this.#bytes[at] = code;
    this.#at = at + 1;
  }

  /**
   * Writes `length` bytes of UTF-8 at `start` as a string. Invalid UTF-8 becomes U+FFFD, as every decoder of the web
   * does it: JSON has no place for other bytes, and refusing the message would lose all of it.
   */
  string(source: Buffer, start: number, length: number): void {
    const at = this.reserve(length + 2);
    const bytes = this.#bytes;
    bytes[at] = QUOTE;
    if (!copyPlain(source, start, start + length, bytes, at + 1)) {
      this.text(source.toString('utf8', start, start + length));
      return;
    }
    bytes[at + 1 + length] = QUOTE;
    this.#at = at + length + 2;
  }

  /** Writes any text as a string. */
  text(text: string): void {
    const quoted = JSON.stringify(text);
    const at = this.reserve(Buffer.byteLength(quoted));
    this.#at = at + this.#bytes.write(quoted, at, 'utf8');
    this.#ascii = false;
  }

  /** Writes `length` bytes at `start` as a string of base64. */
  base64(source: Buffer, start: number, length: number): void {
    this.character(QUOTE);
    const end = start + length;
    for (let from = start; from < end; from += BASE64_PIECE) {
      const text = source.toString('base64', from, Math.min(from + BASE64_PIECE, end));
      const at = this.reserve(text.length);
      this.#at = at + this.#bytes.write(text, at, 'latin1');
    }
    this.character(QUOTE);
  }

  #grow(needed: number): void {
    if (needed > MAX_TEXT_BYTES) {
      throw new CdrError(`the JSON text of the message is longer than ${MAX_TEXT_BYTES} bytes`);
    }
    const old = this.#bytes;
    this.#use(Buffer.allocUnsafeSlow(Math.min(Math.max(needed, old.length * 2), MAX_TEXT_BYTES)));
    this.#bytes.set(old.subarray(0, this.#at));
  }

  #use(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

/** Copies characters, by fours, which is faster; `false` as soon as one of them has to be escaped or is not ASCII. */
function copyPlain(source: Buffer, start: number, end: number, target: Buffer, at: number): boolean {
  let from = start;
  let to = at;
  for (; from < end - 3; from += 4, to += 4) {
    const first = source[from] as number;
    const second = source[from + 1] as number;
    const third = source[from + 2] as number;
    const fourth = source[from + 3] as number;
    const plain = (PLAIN[first] as number) & (PLAIN[second] as number);
    if ((plain & (PLAIN[third] as number) & (PLAIN[fourth] as number)) === 0) return false;
    target[to] = first;
    target[to + 1] = second;
    target[to + 2] = third;
    target[to + 3] = fourth;
  }
  for (; from < end; from++) {
    const code = source[from] as number;
    if (PLAIN[code] === 0) return false;
    target[to++] = code;
  }
  return true;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
