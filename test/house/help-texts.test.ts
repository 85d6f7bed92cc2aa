import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'nodes/locales/en-US';

describe('help texts', () => {
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.html'))) {
    it(`have no colon in what ${name} says of a property: the editor would leave out what stands before it`, () => {
      const lines = readFileSync(join(FOLDER, name), 'utf8').split('\n');
      const properties = lines.filter((line) => line.startsWith(': '));
      assert.ok(
        properties.every((line) => /^: [^:(]+ \([^:)]+\) : [^:]+$/.test(line)),
        properties.join('\n'),
      );
    });
  }
});
