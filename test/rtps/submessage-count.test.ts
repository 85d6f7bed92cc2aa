import assert from 'node:assert/strict';
import { SubmessageCount } from '../../src/rtps/submessage-count';

describe('the count of a submessage', () => {
  it('tells a repeated and an overtaken one from a new one', () => {
    const count = new SubmessageCount();
    assert.deepEqual(
      [1, 1, 5, 4, 6].map((number) => count.accept(number)),
      [true, false, true, false, true],
    );
  });

  it('wraps', () => {
    const count = new SubmessageCount();
    assert.deepEqual(
      [0x7fffffff, 0x80000000, 0xffffffff, 0, 0xffffffff].map((number) => count.accept(number)),
      [true, true, true, true, false],
    );
  });
});
