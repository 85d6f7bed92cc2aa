import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientOnly, covered, covered311, sections } from './normative';

/** The statements that test titles name, with the files that name them. Comments name none. */
function named(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const path of readdirSync('test', { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.test.ts') || path.endsWith('normative.test.ts')) continue;
    for (const line of readFileSync(join('test', path), 'utf8').split('\n')) {
      const code = line.replace(/(^|\s)\/\/.*/, '');
      for (const [, id] of code.matchAll(/\[MQTT-([^\]]+)\]/g)) {
        const files = found.get(id as string) ?? new Set();
        found.set(id as string, files.add(path.replace(/\.test\.ts$/, '').replaceAll('\\', '/')));
      }
    }
  }
  return found;
}

describe('the normative statements of MQTT', () => {
  const titles = named();
  const all = Object.entries(sections).flatMap(([section, [first, last]]) =>
    Array.from({ length: last - first + 1 }, (_, index) => `${section}-${first + index}`),
  );
  const older = (id: string) => `${id} of 3.1.1`;

  it('are each covered by tests or bind somebody else', () => {
    const accounted = [...Object.keys(covered), ...Object.keys(clientOnly)];
    assert.deepEqual(accounted.sort(), all.toSorted());
  });

  it('are named by titles in the files that the table says', () => {
    const entries = [
      ...Object.entries(covered),
      ...Object.entries(covered311).map(([id, files]) => [older(id), files] as const),
    ];
    for (const [id, files] of entries) {
      assert.ok(files.length > 0, id);
      for (const file of files) assert.ok(titles.get(id)?.has(file), `no title in ${file} names ${id}`);
    }
  });

  it('are all that titles name', () => {
    const known = new Set([...all, ...Object.keys(covered311).map(older)]);
    assert.deepEqual(
      [...titles.keys()].filter((id) => !known.has(id)),
      [],
    );
  });
});
