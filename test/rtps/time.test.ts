import assert from 'node:assert/strict';
import { toNanoseconds } from '../../src/rtps/time';

describe('RTPS time', () => {
  it('becomes nanoseconds, rounded to the nearest', () => {
    const fractions = [0, 1, 2, 3, 4, 2 ** 22, 2 ** 31, 2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1];
    for (let bit = 5; bit < 32; bit++) fractions.push(2 ** bit - 1, 2 ** bit + 1, 2 ** 32 - 2 ** bit);
    for (const seconds of [0, 1, 1_700_000_000, 2 ** 32 - 1]) {
      for (const fraction of fractions) {
        const exact = (BigInt(fraction) * 1_000_000_000n + 2n ** 31n) / 2n ** 32n;
        assert.equal(toNanoseconds(seconds, fraction), BigInt(seconds) * 1_000_000_000n + exact);
      }
    }
  });
});
