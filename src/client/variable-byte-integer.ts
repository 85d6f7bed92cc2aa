/** How many bytes the number takes (MQTT 5.0 section 1.5.5). */
export function variableByteIntegerBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4;
}

/** Returns where it ends. */
export function writeVariableByteInteger(to: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  for (; rest > 127; rest >>>= 7) to[end++] = (rest & 127) | 128;
  to[end++] = rest;
  return end;
}

/** `undefined` where it does not end before `end`, or has more bytes than the number takes [MQTT-1.5.5-1]. */
export function readVariableByteInteger(bytes: Buffer, start: number, end: number): number | undefined {
  let value = 0;
  for (let at = start; at < end && at < start + 4; at++) {
    const byte = bytes[at] as number;
    value |= (byte & 127) << (7 * (at - start));
    if (byte < 128) return variableByteIntegerBytes(value) === at - start + 1 ? value : undefined;
  }
  return undefined;
}
