import { isUtf8 } from 'node:buffer';
import type { MessageProperties } from './connection-settings';

/**
 * What a subscriber wants a payload as; `auto` is what its Content Type says, else JSON if it is, else text if it is
 * UTF-8 or its Payload Format Indicator says so, else bytes.
 */
export type PayloadOutput = 'auto' | 'json' | 'string' | 'buffer' | 'base64';

export const PAYLOAD_OUTPUTS: readonly PayloadOutput[] = ['auto', 'json', 'string', 'buffer', 'base64'];

/** Media types of which `auto` knows the kind; those of Node-RED's own MQTT nodes, and whole families of them. */
const KINDS: readonly [RegExp, 'json' | 'string' | 'buffer'][] = [
  [/^application\/(.+\+)?json$/, 'json'],
  [/^(text\/(plain|html|css)|application\/xml)$/, 'string'],
  [
    /^((image|audio|video)\/(?!svg\+xml$).+|application\/(octet-stream|pdf|zip|x-gtar|x-gzip|x-tar))$/,
    'buffer',
  ],
];

/** A value that cannot be a payload, or bytes that are not what they should be; the message says what was expected. */
export class PayloadError extends Error {
  override name = 'PayloadError';
}

/**
 * What an application passes as payload, as MQTT carries it: the bytes of Buffers, copied as the message may have to
 * wait; text, numbers and booleans as text, objects and arrays as JSON. `undefined` and `null` are refused: an empty payload would delete a retained message.
 */
export function encodePayload(value: unknown): Buffer | string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value);
  switch (typeof value) {
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      if (value !== null) return encodeJson(value);
  }
  throw new PayloadError(
    `payload is ${value === null ? 'null' : typeof value}, expected a Buffer, text, number, boolean or object`,
  );
}

function encodeJson(value: object): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (error) {
    throw new PayloadError(`payload cannot be written as JSON: ${(error as Error).message}`);
  }
  if (json === undefined)
    throw new PayloadError('payload cannot be written as JSON: its toJSON() returns nothing');
  return json;
}

/**
 * A received payload as the subscriber wants it; a Buffer is a copy.
 * @param properties what `auto` is to heed (MQTT 5.0 sections 3.3.2.3.2 and 3.3.2.3.9)
 * @throws PayloadError JSON is wanted, or the Content Type says so, and this is none
 */
export function decodePayload(
  payload: Buffer,
  output: PayloadOutput,
  properties?: Pick<MessageProperties, 'contentType' | 'payloadFormatIndicator'>,
): unknown {
  switch (output) {
    case 'buffer':
      return Buffer.from(payload);
    case 'string':
      return payload.toString();
    case 'base64':
      return payload.toString('base64');
    case 'json':
      return parseJson(payload.toString());
    case 'auto': {
      const kind = properties?.contentType && kindOf(properties.contentType);
      if (kind) return decodePayload(payload, kind);
      if (properties?.payloadFormatIndicator !== true && !isUtf8(payload)) return Buffer.from(payload);
      const text = payload.toString();
      if (!looksLikeJson(text)) return text;
      try {
        return JSON.parse(text);
      } catch {
        return text;
      }
    }
  }
}

function kindOf(contentType: string): PayloadOutput | undefined {
  const [mediaType = ''] = contentType.toLowerCase().split(';');
  return KINDS.find(([pattern]) => pattern.test(mediaType.trim()))?.[1];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PayloadError(`payload is not JSON: ${(error as Error).message}`);
  }
}

// A thrown SyntaxError per message of plain text would cost more than all the rest.
function looksLikeJson(text: string): boolean {
  const trimmed = text.trim();
  const last = trimmed.at(-1);
  switch (trimmed[0]) {
    case '{':
      return last === '}';
    case '[':
      return last === ']';
    case '"':
      return last === '"' && trimmed.length > 1;
    case 't':
    case 'f':
    case 'n':
      return /^(true|false|null)$/.test(trimmed);
    default:
      return /^-?\d[\d.eE+-]*$/.test(trimmed);
  }
}
