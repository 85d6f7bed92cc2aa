import assert from 'node:assert/strict';
import { TopicCounts } from '../../src/broker/topic-counts';

describe('the topics that a broker counts', () => {
  it('are bounded in number, those that come too late being counted together', () => {
    const counts = new TopicCounts();
    const first = counts.of('t/0');
    for (let index = 0; index < 10_000; index++) counts.of(`t/${index}`);
    assert.equal(counts.size, 10_000);
    const late = counts.of('late');
    assert.equal(late.topic, '');
    assert.equal(counts.of('later'), late);
    assert.equal(counts.of('t/0'), first);
    assert.deepEqual([counts.size, [...counts][9999]?.topic], [10_000, 't/9999']);
  });

  it('are bounded in the bytes of their names', () => {
    const counts = new TopicCounts();
    const long = 'x'.repeat(65_000);
    for (let index = 0; index < 100; index++) counts.of(`${index}/${long}`);
    assert.equal(counts.size, 64);
    assert.equal(counts.of('short').topic, 'short');
  });
});
