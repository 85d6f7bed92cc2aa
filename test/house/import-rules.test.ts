import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { endingAfterEach } from '../ending-after-each';

const script = resolve('scripts/import-rules.mjs');

function check(tree: string): { status: number | null; output: string } {
  const { status, stderr } = spawnSync(process.execPath, [script], { cwd: tree, encoding: 'utf8' });
  return { status, output: stderr };
}

describe('the import rule of the house', () => {
  const keep = endingAfterEach();

  it('is kept by the sources', () => assert.deepEqual(check('.'), { status: 0, output: '' }));

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
      const tree = keep(mkdtempSync(join(tmpdir(), 'house-')), (made) => rmSync(made, { recursive: true }));
      for (const folder of ['nodes', 'src', dirname(path)])
        mkdirSync(join(tree, folder), { recursive: true });
      writeFileSync(join(tree, path), text);
      const { status, output } = check(tree);
      assert.equal(status, 1);
      assert.ok(output.includes(fault), output);
    });
  }
});
