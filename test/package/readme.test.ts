import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { NODE_TYPES, packageJson } from './package-json';

const README = readFileSync('README.md', 'utf8');

/** What a pattern's group finds, each once and in order of its names. */
const found = (pattern: RegExp, text = README) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort();

describe('the README', () => {
  it('has a row for each node', () => {
    assert.deepEqual(found(/^\| \*\*([\w-]+)\*\* \|/gm), NODE_TYPES.toSorted());
  });

  it('names each example', () => {
    const [, paragraph = ''] = /\n\*Import > Examples\* has([\s\S]*?)\n\n/.exec(README) ?? [];
    const examples = readdirSync('examples').map((name) => name.replace(/\.json$/, ''));
    assert.deepEqual(found(/\*([^*]+)\*/g, paragraph.replaceAll('\n', ' ')), examples.sort());
  });

  it('names only commands that there are', () => {
    const commands = found(/\bnpm run ([\w:-]+)/g);
    assert.ok(commands.length > 0);
    for (const command of commands) assert.ok(command in packageJson.scripts, command);
  });

  it('links only to files that there are', () => {
    const links = found(/\]\((?!https?:)([^)]+)\)/g);
    assert.ok(links.length > 0);
    for (const link of links) assert.ok(existsSync(link), link);
  });

  it('says which versions are needed, and how the package is called', () => {
    const { name, engines, 'node-red': nodeRed } = packageJson;
    const version = (range: string) => range.replace(/^>=/, '').replace(/(\.\d+)\.0$/, '$1');
    assert.ok(
      README.includes(
        `In Node-RED ${version(nodeRed.version)} or later, on Node.js ${version(engines.node)} or newer`,
      ),
    );
    assert.deepEqual(found(/((?:@[\w-]+\/)?node-red-mqtt-ros)\b/g), [name]);
  });
});
