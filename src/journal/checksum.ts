// Four tables, so that four bytes are taken in one step (Sarwate's algorithm, sliced).
const tables = [0, 1, 2, 3].map(() => new Uint32Array(256)) as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];
for (let byte = 0; byte < 256; byte++) {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  tables[0][byte] = value;
}
for (let slice = 1; slice < 4; slice++) {
  const before = tables[slice - 1] as Uint32Array;
  const table = tables[slice] as Uint32Array;
  for (let byte = 0; byte < 256; byte++) {
    const value = before[byte] as number;
    table[byte] = (value >>> 8) ^ (tables[0][value & 255] as number);
  }
}

/** CRC-32 as in IEEE 802.3 and zlib (whose own function not every supported Node has). */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = tables;
  let crc = -1;
  let at = 0;
  for (const end = bytes.length - 3; at < end; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (t3[crc & 255] as number) ^
      (t2[(crc >>> 8) & 255] as number) ^
      (t1[(crc >>> 16) & 255] as number) ^
      (t0[crc >>> 24] as number);
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] as number)) & 255] as number);
  return ~crc >>> 0;
}
