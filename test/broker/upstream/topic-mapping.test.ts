import assert from 'node:assert/strict';
import { type MappingRule, TopicMapping } from '../../../src/broker/upstream/topic-mapping';

function mapped(topic: string, ...rules: MappingRule[]): string | undefined {
  const bytes = Buffer.from(`--${topic}--`);
  const mapping = new TopicMapping(rules);
  const first = mapping.map(bytes, 2, bytes.length - 2)?.toString();
  assert.equal(mapping.map(bytes, 2, bytes.length - 2)?.toString(), first, 'the same when asked again');
  return first;
}

describe('the names of topics on the other side', () => {
  for (const [topic, filter, prefix, newPrefix, expected] of [
    ['a/b', '#', '', '', 'a/b'],
    ['a/b', '#', '', 'site1', 'site1/a/b'],
    ['a/b', '#', '', 'site1/', 'site1/a/b'],
    ['a/b', '#', '', '/', '/a/b'],
    ['site1/a/b', 'site1/#', 'site1', '', 'a/b'],
    ['site1/a/b', 'site1/a/+', 'site1/', 'x/y', 'x/y/a/b'],
    ['site1', 'site1/#', 'site1', 'x/y', 'x/y'],
    ['site1', 'site1/#', 'site1', '', undefined],
    ['site1/', 'site1/#', 'site1', '', undefined],
    ['other', 'site1/#', 'site1', '', undefined],
    ['größe/ü', 'größe/#', 'größe', 'size', 'size/ü'],
    ['site1/$SYS/x', 'site1/#', 'site1', '', undefined],
    ['$SYS/broker/uptime', '#', '', 'x', undefined],
    ['$SYS/broker/uptime', '$SYS/#', '', 'site1', 'site1/$SYS/broker/uptime'],
    ['site1/$data/x', 'site1/$data/#', 'site1', '', '$data/x'],
    [`a/${'b'.repeat(300)}`, 'a/#', 'a', 'c', `c/${'b'.repeat(300)}`],
    [`a/${'b'.repeat(65_531)}`, 'a/#', 'a', 'long', undefined],
  ] as const) {
    const line = `${topic} by ${filter} from "${prefix}" to "${newPrefix}" is ${expected}`;
    it(line.length > 150 ? `${line.slice(0, 150)}…` : line, () =>
      assert.equal(mapped(topic, { filter, prefix, newPrefix }), expected),
    );
  }

  it('come from the first rule that matches', () => {
    const rules = [
      { filter: 'a/b', prefix: 'a', newPrefix: 'first' },
      { filter: 'a/#', prefix: 'a', newPrefix: 'second' },
    ];
    assert.equal(mapped('a/b', ...rules), 'first/b');
    assert.equal(mapped('a/c', ...rules), 'second/c');
  });

  it('are remembered for so many topics only', () => {
    const mapping = new TopicMapping([{ filter: '#', prefix: '', newPrefix: 'x' }]);
    for (let index = 0; index < 10_000; index++) {
      const bytes = Buffer.from(`topic/${index}`);
      assert.equal(mapping.map(bytes, 0, bytes.length)?.toString(), `x/topic/${index}`);
    }
  });
});
