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

/** Nanoseconds since the epoch, rounded to the nearest. */
export function toNanoseconds(seconds: number, fraction: number): bigint {
  return BigInt(seconds) * 1_000_000_000n + ((BigInt(fraction) * 1_000_000_000n + 0x8000_0000n) >> 32n);
}

/** A span of milliseconds as RTPS writes it. */
export function durationOf(milliseconds: number): RtpsTime {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, fraction: Math.floor(((milliseconds % 1000) / 1000) * FRACTIONS_PER_SECOND) };
}

/** Milliseconds of a span; 0x7fffffff seconds mean for ever (RTPS 9.3.2.3). */
export function toMilliseconds(seconds: number, fraction: number): number {
  return seconds === 0x7fffffff
    ? Number.POSITIVE_INFINITY
    : seconds * 1000 + (fraction / FRACTIONS_PER_SECOND) * 1000;
}
