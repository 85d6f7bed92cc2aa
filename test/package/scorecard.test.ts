import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { NODE_TYPES, packageJson } from './package-json';

// The public library parses forms with acorn, which Node-RED brings along.
const acorn = createRequire(require.resolve('@node-red/nodes/package.json'))('acorn') as {
  parse(code: string, options: { ecmaVersion: number }): SyntaxNode;
};

interface SyntaxNode {
  type: string;
  [field: string]: unknown;
}

interface Property {
  key: { name?: string; value?: string };
  value: SyntaxNode;
}

/** All `RED.nodes.registerType` calls below a syntax node. */
function registrations(node: unknown): { type: unknown; definition: SyntaxNode }[] {
  if (Array.isArray(node)) return node.flatMap(registrations);
  if (typeof node !== 'object' || node === null) return [];
  const { type, callee, arguments: given } = node as SyntaxNode;
  const found = Object.values(node).flatMap(registrations);
  const method = (callee as { property?: { name?: string } } | undefined)?.property?.name;
  if (type !== 'CallExpression' || method !== 'registerType') return found;
  const [name, definition] = given as SyntaxNode[];
  assert.ok(definition);
  return [{ type: name?.value, definition }, ...found];
}

/** The properties of an object literal by name. */
function properties(object: SyntaxNode): Map<string, SyntaxNode> {
  assert.equal(object.type, 'ObjectExpression', 'the library reads only object literals');
  return new Map(
    (object.properties as Property[]).map(({ key, value }) => [key.name ?? key.value ?? '', value]),
  );
}

/** What the public library finds in a built form. */
function registeredIn(type: string): { type: unknown; definition: Map<string, SyntaxNode> } {
  const html = readFileSync(join('dist/nodes', `${type}.html`), 'utf8');
  const scripts = [...html.matchAll(/<script type="text\/javascript">([\s\S]*?)<\/script>/g)];
  const [found, ...more] = scripts.flatMap(([, code]) =>
    registrations(acorn.parse(code ?? '', { ecmaVersion: 2022 })),
  );
  assert.ok(found, `no registerType in ${type}.html`);
  assert.deepEqual(more, []);
  return { type: found.type, definition: properties(found.definition) };
}

// Numbers are those of node-red-dev, the tool behind the scorecard of flows.nodered.org.
describe('the scorecard', () => {
  it('P01 P03 P04: has a licence, a repository and a scope', () => {
    assert.ok(packageJson.license);
    assert.ok(packageJson.repository ?? packageJson.bugs);
    assert.match(packageJson.name, /^@[a-z\d][\w-.]+\/[a-z\d][\w-.]*$/);
  });

  it('P05: is found by the library', () => {
    assert.ok(packageJson.keywords.includes('node-red'));
  });

  it('P06 P07: accepts the maintained versions of Node-RED and the Node.js they ask for', () => {
    assert.equal(packageJson['node-red'].version, '>=4.0.0');
    const [, major] = /^>=(\d+)$/.exec(packageJson.engines.node) ?? [];
    // Node-RED 5 asks for Node.js 22.9.
    assert.ok(Number(major) <= 22, packageJson.engines.node);
  });

  it('D01: has at most six dependencies', () => {
    assert.ok(Object.keys(packageJson.dependencies).length <= 6);
  });

  for (const type of NODE_TYPES) {
    it(`N01: the library can read ${type}`, () => {
      const { type: registered, definition } = registeredIn(type);
      assert.equal(registered, type);
      const category = definition.get('category')?.value;
      assert.equal(typeof category, 'string');
      assert.ok(properties(definition.get('defaults') as SyntaxNode).has('name'));
      if (category === 'config') return;
      assert.match(String(definition.get('color')?.value), /^#[0-9A-F]{6}$/);
      assert.match(String(definition.get('inputs')?.value), /^[01]$/);
      assert.match(String(definition.get('outputs')?.value), /^\d$/);
      const icon = String(definition.get('icon')?.value);
      assert.ok(existsSync(join('icons', icon)), `no icon ${icon}`);
    });
  }

  it('N02: every flow node occurs in an example', () => {
    const used = new Set(
      readdirSync('examples').flatMap((name) =>
        (JSON.parse(readFileSync(join('examples', name), 'utf8')) as { type: string }[]).map(
          ({ type }) => type,
        ),
      ),
    );
    assert.deepEqual(
      NODE_TYPES.filter((type) => !used.has(type)),
      [],
    );
  });
});
