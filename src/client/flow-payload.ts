import { isUtf8 } from 'node:buffer';

/** What a subscriber wants a payload as; `auto` is JSON if it is, else text if it is UTF-8, else bytes. */
export type PayloadOutput = 'auto' | 'json' | 'string' | 'buffer' | 'base64';

export const PAYLOAD_OUTPUTS: readonly PayloadOutput[] = ['auto', 'json', 'string', 'buffer', 'base64'];

/** A value that cannot be a payload, or bytes that are not what they should be; the message says what was expected. */
export class PayloadError extends Error {
  override name = 'PayloadError';
}

/**
 * What an application passes as payload, as MQTT carries it: Buffers as they are, text, numbers and booleans as text,
 * objects and arrays as JSON. `undefined` and `null` are refused: an empty payload would delete a retained message.
 */
export function encodePayload(value: unknown): Buffer | string {
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
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
 * @throws PayloadError JSON is wanted and this is none
 */
export function decodePayload(payload: Buffer, output: PayloadOutput): unknown {
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
      if (!isUtf8(payload)) return Buffer.from(payload);
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
