import assert from 'node:assert/strict';
import { parseLargeJson } from '../../src/ros/large-json';
import { Random } from '../random';

const LONG = 'A'.repeat(70_000);
/** Beside plain ones: those that need escapes or more than a byte, and what stands for a long one. */
const TEXTS = [
  '',
  'short',
  '"',
  '\\',
  '\u0000',
  '\u00000',
  'ä',
  '€',
  'a'.repeat(65_536),
  LONG,
  `${LONG}"${LONG}`,
];

function randomValue(random: Random, depth: number, texts: readonly string[]): unknown {
  switch (random.below(depth > 3 ? 3 : 5)) {
    case 0:
      return random.next() / 3;
    case 1:
      return random.pick([true, false, null]);
    case 2:
      return random.pick(texts);
    case 3:
      return random.times(random.below(4), () => randomValue(random, depth + 1, texts));
    default:
      return Object.fromEntries(
        random.times(random.below(4), () => [random.pick(texts), randomValue(random, depth + 1, texts)]),
      );
  }
}

describe('large JSON', () => {
  it('is read to what JSON.parse makes of it', () => {
    const random = new Random(8);
    for (let round = 0; round < 100; round++) {
      // Of these some have long strings alone that can be copied.
      const texts = round % 2 === 0 ? TEXTS : ['', 'short', LONG];
      const json = JSON.stringify({ data: LONG, more: randomValue(random, 0, texts) });
      assert.deepEqual(parseLargeJson(Buffer.from(json)), JSON.parse(json));
    }
  });

  it('may have many strings, or long lists beside a long one', () => {
    for (const more of [listOf(2000, () => 'short'), listOf(20_000, (index) => index)]) {
      const value = { more, data: LONG };
      assert.deepEqual(parseLargeJson(Buffer.from(JSON.stringify(value))), value);
    }
  });

  it('that is none is refused', () => {
    for (const text of ['', `{"data":"${LONG}`, `{"data":"${LONG}",}`, `"${LONG}" "${LONG}"`, `{"${LONG}"}`])
      assert.throws(() => parseLargeJson(Buffer.from(text)), SyntaxError, text.slice(0, 20));
  });
});

function listOf<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
