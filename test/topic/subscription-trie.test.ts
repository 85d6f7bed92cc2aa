import assert from 'node:assert/strict';
import { SubscriptionTrie } from '../../src/topic/subscription-trie';
import { collectedHeap } from '../heap';
import { Random } from '../random';

/** The matching of MQTT 5.0 section 4.7 written straight from its words, one level at a time. */
function matches(filter: string[], topic: string[], first = true): boolean {
  if (first && topic[0]?.startsWith('$') && (filter[0] === '+' || filter[0] === '#')) return false;
  if (filter[0] === '#') return true;
  if (filter.length === 0 || topic.length === 0) return filter.length === topic.length;
  if (filter[0] !== '+' && filter[0] !== topic[0]) return false;
  return matches(filter.slice(1), topic.slice(1), false);
}

const sorted = (values: Iterable<string>) => [...values].sort();

function trieOf(...filters: string[]): SubscriptionTrie<string> {
  const trie = new SubscriptionTrie<string>();
  for (const filter of filters) trie.add(filter, filter);
  return trie;
}

describe('SubscriptionTrie', () => {
  it('matches the examples of the specification', () => {
    for (const [filter, matching, other] of [
      [
        'sport/tennis/player1/#',
        ['sport/tennis/player1', 'sport/tennis/player1/ranking', 'sport/tennis/player1/s/w'],
        ['sport/tennis'],
      ],
      ['sport/#', ['sport', 'sport/', 'sport/a/b'], ['sports', '/sport']],
      ['#', ['sport', '/', '//', 'a/b/c'], ['$SYS', '$SYS/a']],
      [
        'sport/tennis/+',
        ['sport/tennis/player1', 'sport/tennis/'],
        ['sport/tennis', 'sport/tennis/player1/ranking'],
      ],
      ['sport/+', ['sport/'], ['sport']],
      ['+', ['finance', ''], ['/finance', '$SYS']],
      ['+/+', ['/finance', '/'], ['finance', '$SYS/monitor']],
      ['/+', ['/finance', '/'], ['finance', '//']],
      ['+/monitor/Clients', ['SYS/monitor/Clients'], ['$SYS/monitor/Clients']],
      ['$SYS/#', ['$SYS', '$SYS/a/b'], ['SYS/a', '$SY']],
      ['$SYS/monitor/+', ['$SYS/monitor/Clients'], ['$SYS/monitor']],
      ['a//b', ['a//b'], ['a/b', 'a/+/b']],
    ] as const) {
      const trie = trieOf(filter);
      for (const topic of matching)
        assert.deepEqual(trie.match(topic), [filter], `${filter} should match ${topic}`);
      for (const topic of other)
        assert.deepEqual(trie.match(topic), [], `${filter} should not match ${topic}`);
    }
  });

  it('gives a value once though several of its filters match, and several values of one filter', () => {
    const trie = new SubscriptionTrie<string>();
    trie.add('a/+', 'x');
    trie.add('a/#', 'x');
    trie.add('a/b', 'x');
    trie.add('a/b', 'x');
    trie.add('a/b', 'y');
    assert.equal(trie.size, 4);
    assert.deepEqual(sorted(trie.match('a/b')), ['x', 'y']);
  });

  it('forgets what is deleted, and only that', () => {
    const trie = new SubscriptionTrie<string>();
    trie.add('a/b/c', 'x');
    trie.add('a/b', 'x');
    trie.add('a/b', 'y');
    trie.add('a/#', 'x');
    assert.equal(trie.delete('a/b/c', 'y'), false);
    assert.equal(trie.delete('a', 'x'), false);
    assert.equal(trie.delete('a/z', 'x'), false);
    assert.equal(trie.size, 4);
    assert.deepEqual(sorted(trie.match('a/b')), ['x', 'y']);
    assert.equal(trie.delete('a/b', 'y'), true);
    assert.equal(trie.delete('a/b', 'y'), false);
    assert.deepEqual(trie.match('a/b'), ['x']);
    assert.equal(trie.delete('a/#', 'x'), true);
    assert.deepEqual(trie.match('a/b'), ['x']);
    assert.equal(trie.delete('a/b', 'x'), true);
    assert.deepEqual(trie.match('a/b'), []);
    assert.deepEqual(trie.match('a/b/c'), ['x']);
    assert.equal(trie.size, 1);
  });

  it('keeps no memory of filters that came and went', () => {
    const heapAfter = (filters: number) => {
      for (let index = 0; index < filters; index++) {
        const filter = `${index}/a/b/c/d`;
        trie.add(filter, 'x');
        trie.delete(filter, 'x');
      }
      return collectedHeap();
    };
    const trie = new SubscriptionTrie<string>();
    const before = heapAfter(1000);
    const grown = heapAfter(50_000) - before;
    // Kept nodes would take about 1 kB per filter.
    assert.ok(grown < 10_000_000, `heap grew by ${grown} bytes`);
  });

  it('takes little memory for deep filters', () => {
    const trie = new SubscriptionTrie<string>();
    const before = collectedHeap();
    for (let index = 0; index < 1000; index++) trie.add(`${index}${'/x'.repeat(126)}`, 'x');
    const each = (collectedHeap() - before) / 127_000;
    assert.equal(trie.size, 1000);
    assert.ok(each < 120, `${each} bytes for a level`);
  });

  it('answers from its cache until a filter comes or goes', () => {
    const trie = trieOf('a/+');
    const first = trie.match('a/b');
    assert.equal(trie.match('a/b'), first);
    trie.add('a/b', 'late');
    assert.deepEqual(sorted(trie.match('a/b')), ['a/+', 'late']);
    trie.delete('a/+', 'a/+');
    assert.deepEqual(trie.match('a/b'), ['late']);
  });

  it('still answers after more topics than the cache holds', () => {
    const trie = trieOf('t/#');
    for (let index = 0; index < 25_000; index++) trie.match(`t/${index}`);
    assert.deepEqual(trie.match('t/0'), ['t/#']);
    assert.deepEqual(trie.match('u/0'), []);
  });

  it('takes as many levels as a topic can have', () => {
    const deep = '/'.repeat(65_535);
    const trie = trieOf(deep, '#', `${'+/'.repeat(30_000)}#`);
    assert.equal(trie.match(deep).length, 3);
    assert.equal(trie.delete(deep, deep), true);
    assert.equal(trie.match(deep).length, 2);
  });

  it('agrees with the words of the specification on random filters and topics', () => {
    const random = new Random(2);
    const levels = (from: string[]) => random.times(1 + random.below(5), () => random.pick(from));
    for (let round = 0; round < 300; round++) {
      const trie = new SubscriptionTrie<string>();
      const held = new Set<string>();
      for (let step = 0; step < 40; step++) {
        const filter = levels(['a', 'b', '', '+', '$s']);
        if (random.below(3) === 0) filter.push('#');
        const text = filter.join('/');
        if (random.below(3) === 0) assert.equal(trie.delete(text, text), held.delete(text));
        else {
          trie.add(text, text);
          held.add(text);
        }
        assert.equal(trie.size, held.size);
        const topic = levels(['a', 'b', '', '$s', 'c']);
        const expected = [...held].filter((candidate) => matches(candidate.split('/'), topic));
        assert.deepEqual(sorted(trie.match(topic.join('/'))), sorted(expected), topic.join('/'));
      }
      for (const filter of held) assert.equal(trie.delete(filter, filter), true);
      assert.equal(trie.size, 0);
    }
  });
});
