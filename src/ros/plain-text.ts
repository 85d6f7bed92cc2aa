import { isUtf8 } from 'node:buffer';
import type { MessageCodec } from './message-codec';
import { isPrimitive } from './message-definition';
import { PayloadError } from './payload-error';

const BEFORE_VALUE = '{"data":';
const AFTER_VALUE = '}';
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Writes messages whose only field is a single `data`, such as `std_msgs/msg/String`, as the text of that field. */
export class PlainText {
  readonly #codec: MessageCodec;
  /** The primitive type of `data`. */
  readonly #type: string;

  private constructor(codec: MessageCodec, type: string) {
    this.#codec = codec;
    this.#type = type;
  }

  /** `undefined` for types of another form. */
  static for(codec: MessageCodec): PlainText | undefined {
    const [field, ...more] = codec.definition.fields;
    if (field?.name !== 'data' || more.length > 0) return undefined;
    return field.array === undefined && isPrimitive(field.type)
      ? new PlainText(codec, field.type)
      : undefined;
  }

  /** The text of `data`: a string as it is, else a number, `NaN`, `Infinity`, `-Infinity`, `true` or `false`. */
  decode(cdr: Buffer): string {
    const value = this.#codec.decodeToJson(cdr).slice(BEFORE_VALUE.length, -AFTER_VALUE.length);
    return value.startsWith('"') ? JSON.parse(value) : value;
  }

  /**
   * The CDR of the message; only a string's blanks at the ends are part of the value.
   * @throws PayloadError, which names the field
   */
  encode(text: Buffer | string): Buffer {
    if (typeof text !== 'string' && !isUtf8(text)) throw new PayloadError('invalid UTF-8', 'data');
    return this.#codec.encode({ data: this.#valueOf(text.toString()) });
  }

  #valueOf(text: string): unknown {
    if (this.#type === 'string' || this.#type === 'wstring') return text;
    const trimmed = text.trim();
    if (this.#type === 'bool') return trimmed === 'true' || (trimmed === 'false' ? false : trimmed);
    // 64-bit integers are exact as text only.
    return NUMBER.test(trimmed) && !this.#type.endsWith('int64') ? Number(trimmed) : trimmed;
  }
}
