import { shown } from '../topic/topic-name';
import { BridgeSettingsError } from './bridge-settings';
import { MAX_CDR_BYTES } from './cdr-reader';
import type { MessageCodec } from './message-codec';
import { PayloadError } from './payload-error';
import { formatOfContentType, PAYLOAD_FACTS, type PayloadFacts, type PayloadFormat } from './payload-format';
import { PlainText } from './plain-text';

/** Bytes of the encapsulation header (RTPS 10.2). */
const HEADER_BYTES = 4;
/** Plain CDR (XCDR version 1) of either byte order: the representation that our publishers announce. */
const BIG_ENDIAN = 0x0000;
const LITTLE_ENDIAN = 0x0001;

/** Turns the messages of one interface type into payloads of a format, and payloads into messages. */
export class PayloadCodec {
  readonly format: PayloadFormat;
  readonly #codec: MessageCodec;
  readonly #text: PlainText | undefined;

  /** Throws BridgeSettingsError where the type has no such format. */
  constructor(codec: MessageCodec, format: PayloadFormat) {
    this.format = format;
    this.#codec = codec;
    this.#text = PlainText.for(codec);
    if (format === 'text' && this.#text === undefined) {
      throw new BridgeSettingsError(
        `payload format: expected json or cdr for ${codec.type}, which is more than one field "data", got "text"`,
      );
    }
  }

  /** What MQTT 5 is told of the payloads that `fromRos` makes. */
  get facts(): PayloadFacts {
    return PAYLOAD_FACTS[this.format];
  }

  /**
   * The payload of a sample; as CDR the very buffer.
   * @throws CdrError where the sample is malformed and the format is not CDR
   */
  fromRos(cdr: Buffer): Buffer {
    if (this.format === 'cdr') return cdr;
    return this.format === 'json'
      ? this.#codec.decodeToJsonBuffer(cdr)
      : Buffer.from(this.#plainText().decode(cdr));
  }

  /** Whether a payload is no message, but ends what the broker has stored [MQTT-3.3.1-6]: only a text may be empty. */
  isNone(payload: Buffer, contentType: string | undefined): boolean {
    return payload.length === 0 && this.#formatOf(contentType) !== 'text';
  }

  /**
   * The CDR of an MQTT message, in the format of its Content Type, or where it has none of the route. Of CDR only the
   * header and the fewest bytes that the type has are checked, and the very buffer is returned.
   * @throws PayloadError
   */
  fromMqtt(payload: Buffer, contentType: string | undefined): Buffer {
    switch (this.#formatOf(contentType)) {
      case 'json':
        return this.#codec.encodeFromJson(payload);
      case 'cdr':
        return this.#checked(payload);
      case 'text':
        return this.#plainText().encode(payload);
      case undefined: {
        const known = Object.values(PAYLOAD_FACTS).map((facts) => facts.contentType);
        throw new PayloadError(
          `has the Content Type ${JSON.stringify(shown(contentType as string))}, expected one of ${known.join(', ')}`,
        );
      }
    }
  }

  /**
   * The CDR of what a flow gives: bytes and text in the route's format (text for a CDR route is JSON), or a value, which
   * in a text route may be that of the only field.
   * @throws PayloadError
   */
  fromFlow(payload: unknown): Buffer {
    if (Buffer.isBuffer(payload)) return this.fromMqtt(payload, undefined);
    if (this.format === 'text') {
      if (typeof payload === 'string') return this.#plainText().encode(payload);
      if (typeof payload !== 'object') return this.#codec.encode({ data: payload });
    }
    return typeof payload === 'string' ? this.#codec.encodeFromJson(payload) : this.#codec.encode(payload);
  }

  #formatOf(contentType: string | undefined): PayloadFormat | undefined {
    return contentType ? formatOfContentType(contentType) : this.format;
  }

  #plainText(): PlainText {
    if (this.#text !== undefined) return this.#text;
    throw new PayloadError(`is plain text, and ${this.#codec.type} is more than one field "data"`);
  }

  #checked(cdr: Buffer): Buffer {
    const { leastBytes, type } = this.#codec;
    if (cdr.length < HEADER_BYTES + leastBytes) {
      throw new PayloadError(
        `has ${cdr.length} bytes, fewer than CDR of ${type} takes (${HEADER_BYTES + leastBytes})`,
      );
    }
    if (cdr.length > MAX_CDR_BYTES) throw new PayloadError(`has more than ${MAX_CDR_BYTES} bytes`);
    const representation = cdr.readUInt16BE(0);
    if (representation !== LITTLE_ENDIAN && representation !== BIG_ENDIAN) {
      const hex = representation.toString(16).padStart(4, '0');
      throw new PayloadError(`has the CDR representation 0x${hex}, expected 0x0000 or 0x0001 (plain CDR)`);
    }
    return cdr;
  }
}
