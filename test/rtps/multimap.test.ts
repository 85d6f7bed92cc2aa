import assert from 'node:assert/strict';
import { Multimap } from '../../src/rtps/multimap';

describe('Multimap', () => {
  it('has several values by a key, each once, in the order in which they came', () => {
    const map = new Multimap<string, number>();
    for (const value of [3, 1, 3, 2]) map.add('a', value);
    map.add('b', 1);
    assert.deepEqual([[...map.get('a')], [...map.get('b')], [...map.get('c')]], [[3, 1, 2], [1], []]);
  });

  it('keeps no key without values', () => {
    const map = new Multimap<string, number>();
    map.add('a', 1);
    map.add('a', 2);
    assert.deepEqual([map.delete('a', 3), map.delete('b', 1), map.size], [false, false, 1]);
    assert.deepEqual([map.delete('a', 1), [...map.get('a')], map.size], [true, [2], 1]);
    assert.deepEqual([map.delete('a', 2), map.delete('a', 2), map.size], [true, false, 0]);
    map.add('b', 1);
    map.clear();
    assert.equal(map.size, 0);
  });
});
