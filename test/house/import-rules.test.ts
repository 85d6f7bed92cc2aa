import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const script = resolve('scripts/import-rules.mjs');

describe('the import rule of the house', function () {
  // Copying the sources takes seconds on a machine that does much else.
  this.timeout(60_000);
  let tree: string;

  beforeEach(() => {
    tree = mkdtempSync(join(tmpdir(), 'house-'));
    for (const folder of ['src', 'nodes']) cpSync(folder, join(tree, folder), { recursive: true });
  });
  afterEach(() => rmSync(tree, { recursive: true }));

  function check(path?: string, text = ''): { status: number | null; output: string } {
    if (path !== undefined) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), text);
    }
    const { status, stderr } = spawnSync(process.execPath, [script], { cwd: tree, encoding: 'utf8' });
    return { status, output: stderr };
  }

  it('is kept by the sources', () => assert.deepEqual(check(), { status: 0, output: '' }));

  for (const [path, text, fault] of [
    ['src/topic/x.ts', "import { a } from '../client/port-stream';", 'topic must not import client'],
    ['src/rtps/x.ts', "export * from '../topic/topic-name';", 'rtps must not import topic'],
    ['src/rtps/x.ts', '// As rmw_cyclonedds_cpp does it.', 'src/rtps must not know ROS'],
    ['src/client/x.ts', "const b = require('../broker/broker');", 'client must not import broker'],
    ['src/broker/x.ts', "const b = await import('../ros/bridge');", 'broker must not import ros'],
    ['src/ros/x.ts', "import type { Node } from 'node-red';", 'must not know node-red'],
    ['src/ros/x.ts', 'export const f = () => RED.log;', 'must not know RED'],
    ['nodes/x.ts', "import { b } from '../src/rtps/participant';", 'nodes must not import rtps'],
    ['src/client/x.ts', "import { c } from '../../test/counterparts';", 'outside src/ and nodes/'],
  ] as const) {
    it(`refuses ${text}`, () => {
      const { status, output } = check(path, text);
      assert.equal(status, 1);
      assert.ok(output.includes(fault), output);
    });
  }
});
