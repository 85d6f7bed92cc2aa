import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { NODE_TYPES } from './package-json';

const LOCALES = 'nodes/locales/en-US';

/** The built form without its code. */
function formOf(type: string): string {
  const [form = ''] = readFileSync(join('dist/nodes', `${type}.html`), 'utf8').split(
    '<script type="text/javascript">',
  );
  return form;
}

/** The text of a key such as `mqtt-pub.label.topic` in the node's locale file. */
function textOf(type: string, key: string): unknown {
  const texts: unknown = JSON.parse(readFileSync(join(LOCALES, `${type}.json`), 'utf8'));
  return key
    .split('.')
    .reduce<unknown>((level, part) => (level as Record<string, unknown> | undefined)?.[part], texts);
}

describe('the texts', () => {
  for (const type of NODE_TYPES) {
    it(`has every text that the form of ${type} names`, () => {
      const form = formOf(type);
      const keys = [...form.matchAll(/data-i18n="(?:\[\w+\])?([^"]+)"/g)].map(([, key]) => key as string);
      assert.ok(keys.length > 0);
      for (const key of keys) assert.equal(typeof textOf(type, key), 'string', key);
    });

    it(`leaves no text of ${type} outside its locale file`, () => {
      const form = formOf(type).replace(/<style>[\s\S]*<\/style>/, '');
      const words = form
        .replace(/<[^>]*>/g, '')
        .trim()
        .split(/\s+/)
        .filter((word) => !/^\d?$/.test(word));
      assert.deepEqual(words, []);
    });

    it(`has every text that the code of ${type} names`, () => {
      const code = readFileSync(join('dist/nodes', `${type}.html`), 'utf8');
      const keys = [...code.matchAll(/_\("([\w-]+\.[\w.-]+)"/g)].map(([, key]) => key as string);
      for (const key of keys) {
        const owner = NODE_TYPES.find((name) => key.startsWith(`${name}.`));
        assert.ok(owner, key);
        assert.equal(typeof textOf(owner, key), 'string', key);
      }
    });
  }

  it('proposes only interface types that the package knows', () => {
    const proposed = [
      ...readFileSync('nodes/editor/interface-types.ts', 'utf8').matchAll(/'(\w+\/msg\/\w+)'/g),
    ].map(([, name]) => name as string);
    const known = new Set(InterfaceLibrary.bundled().names());
    assert.ok(proposed.length > 0);
    assert.deepEqual(
      proposed.filter((name) => !known.has(name)),
      [],
    );
  });

  it('has help and texts for each node, and for nothing else', () => {
    const expected = NODE_TYPES.flatMap((type) => [`${type}.html`, `${type}.json`]);
    assert.deepEqual(readdirSync(LOCALES).sort(), expected.sort());
  });
});
