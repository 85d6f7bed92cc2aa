import assert from 'node:assert/strict';
import { wildcardParts } from '../../src/topic/topic-match';

describe('what wildcards stand for', () => {
  for (const [filter, topic, parts] of [
    ['a/b', 'a/b', []],
    ['a/b', 'a/b/c', undefined],
    ['a/b', 'a', undefined],
    ['a/+/c', 'a/b/c', ['b']],
    ['a/+/c', 'a//c', ['']],
    ['+/+', '/x', ['', 'x']],
    ['+', 'a/b', undefined],
    ['a/#', 'a/b/c', ['b/c']],
    ['a/#', 'a', ['']],
    ['a/+/#', 'a', undefined],
    ['#', 'a/b', ['a/b']],
    ['+/c/#', 'b/c/d/e', ['b', 'd/e']],
    // [MQTT-4.7.2-1]
    ['#', '$SYS/uptime', undefined],
    ['+/uptime', '$SYS/uptime', undefined],
    ['$SYS/+', '$SYS/uptime', ['uptime']],
    ['a.c', 'abc', undefined],
    ['a{2}', 'aa', undefined],
  ] as const) {
    it(`${filter} and ${topic}`, () => assert.deepEqual(wildcardParts(filter.split('/'), topic), parts));
  }
});
