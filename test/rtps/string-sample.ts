/** The CDR of a `std_msgs/msg/String`. */
export function encodeString(text: string): Buffer {
  const octets = Buffer.from(`${text}\0`);
  const payload = Buffer.alloc(8 + octets.length);
  payload.writeUInt16BE(0x0001, 0);
  payload.writeUInt32LE(octets.length, 4);
  octets.copy(payload, 8);
  return payload;
}

export function decodeString(payload: Buffer): string {
  return payload.toString('utf8', 8, 8 + payload.readUInt32LE(4) - 1);
}
