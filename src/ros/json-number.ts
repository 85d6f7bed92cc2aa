/** Most bytes that a number takes as JSON. */
export const NUMBER_ROOM = 32;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

const POWERS_OF_TEN = Float64Array.from({ length: 16 }, (_, power) => 10 ** power);

// Each function writes ASCII at a place where there is room for it, and returns where it ends.

/** Writes an integer below 2^53 as a number, a bigint as a decimal string. */
export function writeInteger(bytes: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return writeCharacters(bytes, at, `"${value}"`);
  if (value >= 0) return writeDigits(bytes, at, value);
  bytes[at] = MINUS;
  return writeDigits(bytes, at + 1, -value);
}

/** Writes the shortest text that reads back as the same double; NaN and infinities as strings. */
export function writeFloat64(bytes: Uint8Array, start: number, value: number): number {
  if (!Number.isFinite(value)) return writeCharacters(bytes, start, `"${value}"`);
  const at = writeSign(bytes, start, value);
  const magnitude = Math.abs(value);
  if ((magnitude | 0) === magnitude) return writeDigits(bytes, at, magnitude);
  if (magnitude < 1e9) {
    // A decimal of at most 15 digits that reads back is the only one, so it is the shortest.
    const scaled = Math.round(magnitude * 1e6);
    if (scaled / 1e6 === magnitude) return writeDecimal(bytes, at, scaled, 6);
  }
  return writeCharacters(bytes, at, String(magnitude));
}

/** Writes the shortest text that reads back as the same float32 (`0.1`); NaN and infinities as strings. */
export function writeFloat32(bytes: Uint8Array, start: number, value: number): number {
  if (!Number.isFinite(value)) return writeCharacters(bytes, start, `"${value}"`);
  const at = writeSign(bytes, start, value);
  const magnitude = Math.abs(value);
  if ((magnitude | 0) === magnitude && magnitude < 2 ** 24) return writeDigits(bytes, at, magnitude);
  if (magnitude >= 1e-3 && magnitude < 1e6) {
    // Six digits always identify a decimal, nine always a float32.
    let decimals = decimalsOfSixDigits(magnitude);
    let scaled = scale(magnitude, decimals);
    while (Math.fround(scaled / (POWERS_OF_TEN[decimals] as number)) !== magnitude) {
      scaled = scale(magnitude, ++decimals);
    }
    return writeDecimal(bytes, at, scaled, decimals);
  }
  return writeCharacters(bytes, at, shortestFloat32(magnitude));
}

/** Writes the sign of a number, also of -0. */
function writeSign(bytes: Uint8Array, at: number, value: number): number {
  if (value > 0 || (value === 0 && 1 / value > 0)) return at;
  bytes[at] = MINUS;
  return at + 1;
}

/** Writes an integer from 0 to 2^53. */
function writeDigits(bytes: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    bytes[at] = ZERO + value;
    return at + 1;
  }
  if (value < 1e9) return writePadded(bytes, at, value, digitCount(value));
  const high = Math.floor(value / 1e9);
  return writePadded(bytes, writeDigits(bytes, at, high), value - high * 1e9, 9);
}

/** Writes `scaled / 10^decimals`, where the integer part and the fraction have at most nine digits each. */
function writeDecimal(bytes: Uint8Array, start: number, scaled: number, decimals: number): number {
  const power = POWERS_OF_TEN[decimals] as number;
  const whole = Math.floor(scaled / power);
  const at = writeDigits(bytes, start, whole);
  let fraction = (scaled - whole * power) | 0;
  if (fraction === 0) return at;
  let count = decimals;
  while (fraction % 10 === 0) {
    fraction = (fraction / 10) | 0;
    count--;
  }
  bytes[at] = POINT;
  return writePadded(bytes, at + 1, fraction, count);
}

/** Writes an integer below 2^31 with exactly `count` digits. */
function writePadded(bytes: Uint8Array, begin: number, value: number, count: number): number {
  let rest = value | 0;
  for (let at = begin + count - 1; at >= begin; at--) {
    const quotient = (rest / 10) | 0;
    bytes[at] = ZERO + rest - quotient * 10;
    rest = quotient;
  }
  return begin + count;
}

function writeCharacters(bytes: Uint8Array, start: number, text: string): number {
  let at = start;
  for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
  return at;
}

/** The integer nearest to `value * 10^decimals`, which is below 2^31. */
function scale(value: number, decimals: number): number {
  return (value * (POWERS_OF_TEN[decimals] as number) + 0.5) | 0;
}

function digitCount(value: number): number {
  if (value < 1e4) return value < 100 ? (value < 10 ? 1 : 2) : value < 1000 ? 3 : 4;
  if (value < 1e6) return value < 1e5 ? 5 : 6;
  return value < 1e7 ? 7 : value < 1e8 ? 8 : 9;
}

/** Decimals with which a number from 0.001 to 1,000,000 has six significant digits. */
function decimalsOfSixDigits(value: number): number {
  if (value < 1) return value < 0.1 ? (value < 0.01 ? 8 : 7) : 6;
  if (value < 1000) return value < 10 ? 5 : value < 100 ? 4 : 3;
  return value < 1e4 ? 2 : value < 1e5 ? 1 : 0;
}

function shortestFloat32(magnitude: number): string {
  // Six digits always survive a float32, so fewer are not shorter; subnormal ones hold less.
  for (let digits = magnitude < 2 ** -126 ? 1 : 6; digits < 9; digits++) {
    const shorter = Number(magnitude.toPrecision(digits));
    if (Math.fround(shorter) === magnitude) return String(shorter);
  }
  return String(Number(magnitude.toPrecision(9)));
}
