import assert from 'node:assert/strict';
import { mergePatch } from '../../src/gateway/merge-patch';

describe('JSON merge patches', () => {
  // RFC 7396, appendix A.
  for (const [original, patch, result] of [
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    // Names that objects of JavaScript have anyway.
    ['{}', '{"__proto__":{"a":1},"constructor":{"b":2}}', '{"__proto__":{"a":1},"constructor":{"b":2}}'],
  ] as const) {
    it(`make ${result} of ${original} and ${patch}`, () => {
      const before = JSON.parse(original);
      assert.equal(JSON.stringify(mergePatch(before, JSON.parse(patch))), result);
      assert.equal(JSON.stringify(before), original);
    });
  }
});
