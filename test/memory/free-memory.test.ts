import assert from 'node:assert/strict';
import { freeMemory } from '../../src/memory/free-memory';

const MEGABYTE = 1024 * 1024;

describe('memory given back at once', () => {
  it('is not there any more, without a collection of garbage', () => {
    const all = Array.from({ length: 100 }, () => Buffer.allocUnsafeSlow(MEGABYTE).fill(1));
    const before = process.memoryUsage().arrayBuffers;
    for (const buffer of all) freeMemory(buffer);
    // A collection cannot have taken them: they are all named.
    assert.ok(process.memoryUsage().arrayBuffers <= before - 99 * MEGABYTE);
    assert.deepEqual(new Set(all.map(({ length }) => length)), new Set([0]));
  });

  it('is not that of others', () => {
    const whole = Buffer.allocUnsafeSlow(4096).fill(1);
    const pooled = Buffer.from('x'.repeat(2000));
    for (const part of [whole.subarray(1), whole.subarray(0, 4000), pooled]) {
      const { length } = part;
      freeMemory(part);
      assert.equal(part.length, length);
    }
    assert.equal(whole.length, 4096);
  });

  it('may have been given away before', () => {
    const buffer = Buffer.allocUnsafeSlow(4096);
    freeMemory(buffer);
    freeMemory(buffer);
    assert.equal(buffer.length, 0);
  });
});
