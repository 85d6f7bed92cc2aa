import { isUtf8 } from 'node:buffer';
import { malformed } from './protocol-error';

/**
 * Checks an MQTT UTF-8 string in place: well-formed [MQTT-1.5.4-1] and without U+0000 [MQTT-1.5.4-2].
 * @param field names the string in the error
 */
export function checkUtf8(bytes: Buffer, start: number, end: number, field: string): void {
  let ascii = true;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === 0) throw malformed(`${field} contains a NUL character`);
    if (byte > 127) ascii = false;
  }
  if (!ascii && !isUtf8(bytes.subarray(start, end))) throw malformed(`${field} is not well-formed UTF-8`);
}
