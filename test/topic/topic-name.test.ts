import assert from 'node:assert/strict';
import { parseFilter, topicFilterFault } from '../../src/topic/topic-filter';
import { MAX_TOPIC_BYTES, topicNameFault } from '../../src/topic/topic-name';

describe('Topic names', () => {
  it('may be any text of one to 65,535 bytes', () => {
    for (const name of [
      'a',
      '/',
      '//',
      'a b',
      '$SYS/x',
      'ä/안녕/😀',
      'a'.repeat(MAX_TOPIC_BYTES),
      'é'.repeat(32767),
    ]) {
      assert.equal(topicNameFault(name), undefined);
    }
  });

  it('are refused with the fault in words', () => {
    for (const [name, fault] of [
      ['', /topic name is empty/],
      ['a/+', /wildcard/],
      ['a#', /wildcard/],
      ['a\0b', /NUL/],
      ['a\ud800', /lone surrogate/],
      ['\udc00a', /lone surrogate/],
      ['a'.repeat(MAX_TOPIC_BYTES + 1), /longer than 65535 bytes/],
      ['é'.repeat(32768), /longer than 65535 bytes/],
      ['€'.repeat(21846), /longer than 65535 bytes/],
    ] as const) {
      assert.match(topicNameFault(name) ?? 'accepted', fault);
    }
  });
});

describe('Topic filters', () => {
  it('may have wildcards as whole levels', () => {
    for (const filter of [
      '#',
      '+',
      'a/#',
      '/#',
      '+/+',
      'a/+/b/#',
      '$share/g/#',
      '$share/g//',
      '$share',
      '$sharex/+',
    ]) {
      assert.equal(topicFilterFault(filter), undefined, filter);
    }
  });

  it('are refused with the fault in words', () => {
    for (const [filter, fault] of [
      ['', /topic filter is empty/],
      ['a\0', /NUL/],
      ['a#', /# must be alone in the last level/],
      ['#/a', /# must be alone in the last level/],
      ['a/#b', /# must be alone/],
      ['a+/b', /\+ must be alone/],
      ['$share/', /no valid group name/],
      ['$share//a', /no valid group name/],
      ['$share/g+/a', /no valid group name/],
      ['$share/#/a', /no valid group name/],
      ['$share/g', /no topic filter after the group/],
      ['$share/g/', /no topic filter after the group/],
      ['$share/g/a#', /# must be alone/],
    ] as const) {
      assert.match(topicFilterFault(filter) ?? 'accepted', fault, filter);
    }
  });

  it('of shared subscriptions are taken apart', () => {
    assert.deepEqual(parseFilter('$share/g/a/+'), { group: 'g', filter: 'a/+' });
    assert.deepEqual(parseFilter('$share/g//a'), { group: 'g', filter: '/a' });
    assert.deepEqual(parseFilter('a/b'), { filter: 'a/b' });
  });
});
