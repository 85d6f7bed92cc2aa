import assert from 'node:assert/strict';
import { EarlyTraffic } from '../../src/rtps/early-traffic';
import { Statistics } from '../../src/rtps/statistics';

const change = (sequence: number, bytes: number) => ({
  sequence,
  timestamp: undefined,
  payload: Buffer.alloc(bytes),
  status: 0,
  keyHash: undefined,
  related: undefined,
  annotation: undefined,
  ownsMemory: false,
});

describe('what writers send before they are discovered', () => {
  it('is kept up to 256 samples of 64 writers, and the rest is counted', () => {
    const statistics = new Statistics();
    const early = new EarlyTraffic(statistics);
    for (let writer = 0; writer < 65; writer++)
      for (let sequence = 1; sequence <= 4; sequence++)
        early.addChange(`writer ${writer}`, 0, change(sequence, 8));
    assert.equal(statistics.samplesTooEarly, 4);
    assert.equal(early.take('writer 64'), undefined);
    early.addChange('writer 0', 0, change(5, 8));
    assert.equal(statistics.samplesTooEarly, 5);
    assert.equal(early.take('writer 0')?.changes.length, 4);
    early.addChange('writer 1', 0, change(5, 8));
    assert.equal(statistics.samplesTooEarly, 5);
  });

  it('is kept up to a megabyte', () => {
    const statistics = new Statistics();
    const early = new EarlyTraffic(statistics);
    for (let sequence = 1; sequence <= 20; sequence++)
      early.addChange('writer', 0, change(sequence, 64 * 1024));
    assert.equal(early.take('writer')?.changes.length, 16);
    assert.equal(statistics.samplesTooEarly, 4);
  });
});
