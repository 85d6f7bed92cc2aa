import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { TakeoverWatch } from '../../src/client/takeover';

const end = (code?: number, overPacket = false) => ({
  reason: 'ended',
  refused: false,
  overPacket,
  ...(code !== undefined && { code }),
});

describe('takeover watch', () => {
  let now = 0;
  beforeEach(() => mock.method(performance, 'now', () => now));
  afterEach(() => mock.restoreAll());

  it('names a loop of three takeovers within a minute, and no three in more', () => {
    const watch = new TakeoverWatch('mine');
    const named = [0, 40_000, 80_000, 90_000].map((at) => {
      now = at;
      return watch.ended(end(0x8e), 1) !== undefined;
    });
    assert.deepEqual(named, [false, false, false, true]);
  });

  it('suspects one where nothing is said and four connections in a row end soon', () => {
    const watch = new TakeoverWatch('mine');
    const named = [1, 1, 1, 60_000, 1, 1, 1, 1].map(
      (lasted) => watch.ended(end(undefined, true), lasted) !== undefined,
    );
    assert.deepEqual(named, [...Array(7).fill(false), true]);
  });
});
