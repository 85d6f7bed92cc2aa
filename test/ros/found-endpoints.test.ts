import assert from 'node:assert/strict';
import { FoundEndpoints } from '../../src/ros/found-endpoints';

describe('FoundEndpoints', () => {
  const endpoint = (guid: string, rosName: string, type = 'String') => ({ guid, rosName, type });
  const guids = (found: Iterable<{ guid: string }>) => [...found].map(({ guid }) => guid);

  it('gives those of a name, or all', () => {
    const found = new FoundEndpoints();
    for (const one of [endpoint('1', '/a'), endpoint('2', '/b'), endpoint('3', '/a')]) found.set(one);
    assert.deepEqual(guids(found.of('/a')), ['1', '3']);
    assert.deepEqual(guids(found.of('/c')), []);
    assert.deepEqual(guids(found.of()), ['1', '2', '3']);
  });

  it('has one that changes as it is now, also under another name', () => {
    const found = new FoundEndpoints<ReturnType<typeof endpoint>>();
    found.set(endpoint('1', '/a'));
    found.set(endpoint('1', '/a', 'Int8'));
    assert.deepEqual([...found.of('/a')], [endpoint('1', '/a', 'Int8')]);
    found.set(endpoint('1', '/b'));
    assert.deepEqual([guids(found.of('/a')), guids(found.of('/b')), guids(found.of())], [[], ['1'], ['1']]);
  });

  it('forgets what is gone', () => {
    const found = new FoundEndpoints();
    const one = endpoint('1', '/a');
    found.set(one);
    assert.deepEqual([found.delete('2'), found.delete('1'), found.delete('1')], [undefined, one, undefined]);
    assert.deepEqual([guids(found.of('/a')), guids(found.of()), found.get('1')], [[], [], undefined]);
    found.set(one);
    found.clear();
    assert.deepEqual([guids(found.of('/a')), guids(found.of())], [[], []]);
  });
});
