import { writeBoolean, writeFloat32, writeFloat64, writeInteger } from './json-number';
import type { FixedSizePrimitive } from './message-definition';

/**
 * Writes a value that stands at `from` of CDR as JSON at `at`, where `NUMBER_ROOM` bytes are free, and returns where the
 * text ends. It takes no number: one that is no small integer would be put into an object to be passed on.
 */
export type PrimitiveText = (
  bytes: Uint8Array,
  at: number,
  cdr: DataView,
  from: number,
  littleEndian: boolean,
) => number;

const octet: PrimitiveText = (bytes, at, cdr, from) => writeInteger(bytes, at, cdr.getUint8(from));

/** By type. 64-bit integers are a number where it is exact, else a decimal string. */
export const PRIMITIVE_TEXTS: Readonly<Record<FixedSizePrimitive, PrimitiveText>> = {
  bool: (bytes, at, cdr, from) => writeBoolean(bytes, at, cdr.getUint8(from) !== 0),
  byte: octet,
  char: octet,
  uint8: octet,
  int8: (bytes, at, cdr, from) => writeInteger(bytes, at, cdr.getInt8(from)),
  int16: (bytes, at, cdr, from, littleEndian) => writeInteger(bytes, at, cdr.getInt16(from, littleEndian)),
  uint16: (bytes, at, cdr, from, littleEndian) => writeInteger(bytes, at, cdr.getUint16(from, littleEndian)),
  int32: (bytes, at, cdr, from, littleEndian) => writeInteger(bytes, at, cdr.getInt32(from, littleEndian)),
  uint32: (bytes, at, cdr, from, littleEndian) => writeInteger(bytes, at, cdr.getUint32(from, littleEndian)),
  int64: (bytes, at, cdr, from, littleEndian) => {
    const high = cdr.getInt32(littleEndian ? from + 4 : from, littleEndian);
    const value = exactInteger(high, cdr, from, littleEndian) ?? cdr.getBigInt64(from, littleEndian);
    return writeInteger(bytes, at, value);
  },
  uint64: (bytes, at, cdr, from, littleEndian) => {
    const high = cdr.getUint32(littleEndian ? from + 4 : from, littleEndian);
    const value = exactInteger(high, cdr, from, littleEndian) ?? cdr.getBigUint64(from, littleEndian);
    return writeInteger(bytes, at, value);
  },
  float32: (bytes, at, cdr, from, littleEndian) =>
    writeFloat32(bytes, at, cdr.getFloat32(from, littleEndian)),
  float64: (bytes, at, cdr, from, littleEndian) =>
    writeFloat64(bytes, at, cdr.getFloat64(from, littleEndian)),
};

function exactInteger(high: number, cdr: DataView, from: number, littleEndian: boolean): number | undefined {
  const low = cdr.getUint32(littleEndian ? from : from + 4, littleEndian);
  const value = high * 2 ** 32 + low;
  return Number.isSafeInteger(value) ? value : undefined;
}
