/** A moment or a span as RTPS writes it: whole seconds and 1/2^32 seconds (RTPS 9.3.2.1). */
export interface RtpsTime {
  readonly seconds: number;
  readonly fraction: number;
}

const FRACTIONS_PER_SECOND = 2 ** 32;

/** The present moment, to the microsecond. */
export function now(): RtpsTime {
  const milliseconds = performance.timeOrigin + performance.now();
  const seconds = Math.floor(milliseconds / 1000);
  return {
    seconds,
    fraction: Math.floor(((milliseconds - seconds * 1000) / 1000) * FRACTIONS_PER_SECOND),
  };
}

/** Milliseconds since that moment. */
export function millisecondsSince({ seconds, fraction }: RtpsTime): number {
  const { seconds: present, fraction: presentFraction } = now();
  return (present - seconds) * 1000 + ((presentFraction - fraction) / FRACTIONS_PER_SECOND) * 1000;
}

/** Nanoseconds since the epoch, rounded to the nearest. */
export function toNanoseconds(seconds: number, fraction: number): bigint {
  // 10^9 / 2^32 in lowest terms: the product is below 2^53, and so exact.
  const nanoseconds = Math.round((fraction * 1_953_125) / 2 ** 23);
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}

/** DURATION_INFINITE (RTPS 9.3.2.3). */
const INFINITE: RtpsTime = { seconds: 0x7fffffff, fraction: 0xffffffff };

/**
 * A span of milliseconds as RTPS writes it; what is longer than it can write is for ever. Rounded up: Fast DDS reads
 * fractions as whole nanoseconds, and a lease of 399,999,999 of them would not suit an offer of 400 ms.
 */
export function durationOf(milliseconds: number): RtpsTime {
  const nanoseconds = Math.round(milliseconds * 1_000_000);
  const seconds = Math.floor(nanoseconds / 1_000_000_000);
  if (seconds >= INFINITE.seconds) return INFINITE;
  return {
    seconds,
    fraction: Math.ceil(((nanoseconds % 1_000_000_000) / 1_000_000_000) * FRACTIONS_PER_SECOND),
  };
}

/**
 * Milliseconds of a span, to the microsecond: two stacks that write the same span differ by a fraction or two.
 * 0x7fffffff seconds mean for ever (RTPS 9.3.2.3).
 */
export function toMilliseconds(seconds: number, fraction: number): number {
  if (seconds === INFINITE.seconds) return Number.POSITIVE_INFINITY;
  return seconds * 1000 + Math.round((fraction / FRACTIONS_PER_SECOND) * 1_000_000) / 1000;
}
