/** Most bytes that a number takes as JSON. */
export const NUMBER_ROOM = 32;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** All powers of ten that a double has exactly, and the upper and lower 26 bits of each. */
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const UPPER_POWERS = POWERS_OF_TEN.map(upperHalf);
const LOWER_POWERS = POWERS_OF_TEN.map((power) => power - upperHalf(power));

/** How near to a border a decimal of 17 digits may come; it is known to a hundredth of this. */
const DOUBT = 1e-6;

// Each function writes ASCII at a place where there is room for it, and returns where it ends.

/** Writes an integer below 2^53 as a number, a bigint as a decimal string. */
export function writeInteger(bytes: Uint8Array, at: number, value: number | bigint): number {
  if (typeof value === 'bigint') return writeCharacters(bytes, at, `"${value}"`);
  if (value >= 0) return writeDigits(bytes, at, value);
  bytes[at] = MINUS;
  return writeDigits(bytes, at + 1, -value);
}

export function writeBoolean(bytes: Uint8Array, at: number, value: boolean): number {
  return writeCharacters(bytes, at, value ? 'true' : 'false');
}

/** Writes the shortest text that reads back as the same double; NaN and infinities as strings. */
export function writeFloat64(bytes: Uint8Array, start: number, value: number): number {
  const integer = value | 0;
  if (integer === value && (integer !== 0 || 1 / value > 0)) return writeInteger(bytes, start, integer);
  if (!Number.isFinite(value)) return writeCharacters(bytes, start, `"${value}"`);
  const at = writeSign(bytes, start, value);
  const magnitude = Math.abs(value);
  if (magnitude < 1e9) {
    // A decimal of at most 15 digits that reads back is the only one, so it is the shortest.
    const scaled = Math.round(magnitude * 1e6);
    if (scaled / 1e6 === magnitude) return writeDecimal(bytes, at, scaled, 6);
  }
  if (magnitude >= 1e-6 && magnitude < 1e16) {
    const end = writeShortest(bytes, at, magnitude);
    if (end > at) return end;
  }
  return writeCharacters(bytes, at, String(magnitude));
}

/**
 * Writes the shortest decimal that reads back as the same double, of several the nearest, as `String` does but in half
 * the time; returns `at` where it is too near to a border to tell.
 *
 * The value times a power of ten, so that 17 digits stand before the point, is exactly the sum of two doubles (T. J.
 * Dekker, "A floating-point technique for extending the available precision", 1971). All decimals that are nearer to it
 * than half the distance to the next double read back as it: some of 17 digits always, and of 15 digits at most one.
 * (Below a power of two the next double is nearer; of these few, none has a shorter decimal in between.)
 * @param value from 10^-6 to 10^16
 */
function writeShortest(bytes: Uint8Array, at: number, value: number): number {
  const exponent = decimalExponent(value);
  const decimals = 16 - exponent;
  const power = POWERS_OF_TEN[decimals] as number;
  const product = value * power;
  const a = upperHalf(value);
  const b = value - a;
  const c = UPPER_POWERS[decimals] as number;
  const d = LOWER_POWERS[decimals] as number;
  const rest = a * c - product + a * d + b * c + b * d;
  // The greatest power of two in the value (S. M. Rump, T. Ogita, S. Oishi, "Accurate floating-point summation", 2008).
  const shifted = value * (2 ** 52 + 1);
  const leading = shifted - shifted * (1 - 2 ** -53);
  const half = leading * 2 ** -53 * power;
  // The first nine digits, and the last eight with a fraction.
  let upper = Math.floor(product / 1e8);
  const lower = product - upper * 1e8 + rest;
  let digits = lower;
  let distance = half;
  for (let step = 100; distance >= half; step /= 10) {
    digits = Math.floor(lower * (1 / step) + 0.5) * step;
    distance = Math.abs(digits - lower);
    if (Math.abs(distance - half) < DOUBT || Math.abs(distance - step / 2) < DOUBT) return at;
  }
  if (digits < 0) {
    digits += 1e8;
    upper--;
  } else if (digits >= 1e8) {
    digits -= 1e8;
    upper++;
  }
  return writeSeventeenDigits(bytes, at, exponent, upper, digits);
}

/** Writes nine digits and eight, of which the first stands for 10^exponent, without the zeros at the end. */
function writeSeventeenDigits(
  bytes: Uint8Array,
  at: number,
  exponent: number,
  upper: number,
  lower: number,
): number {
  const start = exponent < 0 ? at + 1 - exponent : at + 1;
  for (let place = at; place < start; place++) bytes[place] = ZERO;
  let end = writePadded(bytes, writePadded(bytes, start, upper, 9), lower, 8);
  let point = at + 1;
  if (exponent > 0) point += exponent;
  for (let place = start - 1; place < point; place++) bytes[place] = bytes[place + 1] as number;
  bytes[point] = POINT;
  while (bytes[end - 1] === ZERO) end--;
  return bytes[end - 1] === POINT ? end - 1 : end;
}

/** The exponent of the greatest power of ten that is not above a value from 10^-6 to 10^16. */
function decimalExponent(value: number): number {
  let exponent = 0;
  if (value < 1) while (value * (POWERS_OF_TEN[-exponent] as number) < 1) exponent--;
  else while (value >= (POWERS_OF_TEN[exponent + 1] as number)) exponent++;
  return exponent;
}

/** The upper 26 bits of a double's 53 (Veltkamp's splitting). */
function upperHalf(value: number): number {
  const scaled = value * (2 ** 27 + 1);
  return scaled - (scaled - value);
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
