import { isUtf8 } from 'node:buffer';
import { CdrError, type CdrForm, CdrReader } from './cdr-reader';
import { CdrWriter } from './cdr-writer';
import type { InterfaceLibrary } from './interface-library';
import { JsonReader } from './json-reader';
import { JsonText } from './json-text';
import { compileDecoder, type MessageDecoder } from './message-decoder';
import type { MessageDefinition } from './message-definition';
import { compileEncoder, type MessageEncoder } from './message-encoder';
import { layOut, type MessageLayout, UnknownTypeError } from './message-layout';
import { PayloadError } from './payload-error';
import { typeHash } from './type-description';

export { CdrError, PayloadError, UnknownTypeError };

const codecs = new WeakMap<InterfaceLibrary, Map<string, MessageCodec>>();

// Shared by all codecs of the thread. Taken while in use, because a getter in an encoded value may encode too.
let spareText: JsonText | undefined;
let spareWriter: CdrWriter | undefined;

/**
 * Converts messages of one interface type between CDR, as ROS 2 carries them, and JSON:
 * time and duration are `{sec, nanosec}`; 64-bit integers a number where that is exact, else a decimal string; NaN and
 * infinities the strings `"NaN"`, `"Infinity"`, `"-Infinity"`; arrays of uint8, byte and char base64.
 */
export class MessageCodec {
  readonly type: string;
  /** The hash of the type's definition, `RIHS01_…` (see `typeHash`). */
  readonly typeHash: string;
  readonly #layout: MessageLayout;
  /** By form; compiled when the first message of a form comes. */
  readonly #decoders: Partial<Record<CdrForm, MessageDecoder>>;
  readonly #encoder: MessageEncoder;

  private constructor(library: InterfaceLibrary, type: string) {
    const layout = layOut(library, type);
    this.type = type;
    this.typeHash = typeHash(library, type);
    this.#layout = layout;
    this.#decoders = { xcdr1: compileDecoder(layout, 'xcdr1') };
    this.#encoder = compileEncoder(layout);
    try {
      this.encode({});
    } catch (error) {
      throw new UnknownTypeError(`type ${type} has an invalid default: ${(error as Error).message}`);
    }
  }

  /**
   * The codec of a type (`sensor_msgs/msg/Imu`); made once per library. Throws UnknownTypeError when the library does
   * not know the type or one that it contains.
   */
  static for(library: InterfaceLibrary, type: string): MessageCodec {
    let known = codecs.get(library);
    if (known === undefined) {
      known = new Map();
      codecs.set(library, known);
    }
    let codec = known.get(type);
    if (codec === undefined) {
      codec = new MessageCodec(library, type);
      known.set(type, codec);
    }
    return codec;
  }

  /** The type's definition. */
  get definition(): MessageDefinition {
    return this.#layout.definitions.at(-1) as MessageDefinition;
  }

  /** Fewest bytes of CDR that a message takes behind the encapsulation header. */
  get leastBytes(): number {
    return this.#layout.leastBytes(this.type);
  }

  /**
   * The JSON text of a message.
   * @param cdr CDR of either byte order, XCDR1 or XCDR2 (plain or delimited), with its encapsulation header; bytes after
   *   the message are ignored, because writers pad it
   * @throws CdrError when the CDR is truncated or malformed
   */
  decodeToJson(cdr: Buffer): string {
    return this.#decode(cdr, (text) => text.toString());
  }

  /** The same in UTF-8: for whoever sends it on, cheaper than a string. */
  decodeToJsonBuffer(cdr: Buffer): Buffer {
    return this.#decode(cdr, (text) => text.toBuffer());
  }

  /**
   * The CDR, little endian and with its encapsulation header, of a message in JSON.
   * @throws PayloadError, which names the path, when the text is not JSON or does not fit the type
   */
  encodeFromJson(json: Buffer | string): Buffer {
    if (typeof json !== 'string') {
      if (!isUtf8(json)) throw new PayloadError('not valid JSON: invalid UTF-8');
      const cdr = this.#transcode(json);
      if (cdr !== undefined) return cdr;
    }
    let value: unknown;
    try {
      value = JSON.parse(json.toString());
    } catch (error) {
      throw new PayloadError(`not valid JSON: ${(error as Error).message}`);
    }
    return this.encode(value);
  }

  /**
   * The same from a value: what JSON can hold, and also bigints, typed arrays, and bytes where the type has octets.
   * @throws PayloadError, which names the path, when the value does not fit the type
   */
  encode(value: unknown): Buffer {
    const writer = spareWriter ?? new CdrWriter();
    spareWriter = undefined;
    try {
      this.#encoder.encode(writer, value);
      return writer.toBuffer();
    } finally {
      writer.clear();
      spareWriter = writer;
    }
  }

  /** The CDR of a message in JSON, or `undefined` where the JSON is invalid or too unusual for the short way. */
  #transcode(json: Buffer): Buffer | undefined {
    const writer = spareWriter ?? new CdrWriter();
    spareWriter = undefined;
    try {
      const reader = new JsonReader(json);
      this.#encoder.transcode(reader, writer);
      reader.end();
      return writer.toBuffer();
    } catch {
      return undefined;
    } finally {
      writer.clear();
      spareWriter = writer;
    }
  }

  #decode<T>(cdr: Buffer, take: (text: JsonText) => T): T {
    const text = spareText ?? new JsonText();
    spareText = undefined;
    try {
      const reader = new CdrReader(cdr);
      this.#decoders[reader.form] ??= compileDecoder(this.#layout, reader.form);
      this.#decoders[reader.form]?.(reader, text);
      return take(text);
    } catch (error) {
      if (error instanceof CdrError) throw new CdrError(`${this.type}: ${error.message}`);
      throw error;
    } finally {
      text.clear();
      spareText = text;
    }
  }
}
