import assert from 'node:assert/strict';
import { Backoff } from '../../src/client/backoff';

describe('delays between attempts to connect', () => {
  const { random } = Math;
  afterEach(() => {
    Math.random = random;
  });
  const delays = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

  it('double up to the longest, and begin anew after a good connection', () => {
    Math.random = () => 1;
    const backoff = new Backoff({ first: 100, longest: 700 });
    assert.deepEqual(delays(backoff, 5), [100, 200, 400, 700, 700]);
    backoff.reset();
    assert.deepEqual(delays(backoff, 2), [100, 200]);
    assert.deepEqual(delays(new Backoff(), 9), [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  it('differ by up to half of themselves', () => {
    Math.random = () => 0;
    assert.deepEqual(delays(new Backoff({ first: 100 }), 3), [50, 100, 200]);
  });
});
