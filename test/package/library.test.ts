import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { freshDomain } from '../rtps/test-domain';
import { packageJson } from './package-json';
import { readmeProgram } from './readme-program';

const run = promisify(execFile);

describe('the library', function () {
  this.timeout(60_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'library-'));
    mkdirSync(join(folder, 'node_modules/@mqtt-ros'), { recursive: true });
    symlinkSync(resolve('.'), join(folder, 'node_modules', packageJson.name), 'dir');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('runs the program of the README', async () => {
    const domain = freshDomain();
    writeFileSync(join(folder, 'program.mjs'), readmeProgram());
    const { stdout, stderr } = await run(process.execPath, ['program.mjs'], {
      cwd: folder,
      env: { ...process.env, ROS_DOMAIN_ID: String(domain) },
    });
    assert.equal(stderr, '');
    assert.equal(
      stdout.replace(/program-[0-9a-f-]{36} idle since \d{4}-\d\d-\d\dT[\d:.]+Z/, 'program-# idle since #'),
      `{
  domain: 'autonomous_vehicle',
  node: 'sensor_fusion',
  messageType: 'sensor_data',
  rosName: '/sensor_fusion/sensor_data'
}
/sensor_fusion/sensor_data of domain autonomous_vehicle: { temperature: 25.5 }
{
  running: true,
  clients: { connected: 1, total: 1 },
  subscriptions: 1,
  retained: 0
}
program-# idle since #
ros/autonomous_vehicle/sensor_fusion/sensor_data had 1 message, of the node sensor_fusion
/chatter has 0 subscriptions in ROS 2
`,
    );
  });

  it('gives CommonJS the same names, all of which are defined', async () => {
    writeFileSync(
      join(folder, 'names.cjs'),
      `const required = require('${packageJson.name}');
import('${packageJson.name}').then((imported) => {
  const names = Object.keys(required).filter((name) => imported[name] === undefined || imported[name] !== required[name]);
  console.log(JSON.stringify([names, ['createBroker', 'parseRosTopic', 'createBridge'].map((name) => typeof required[name])]));
});
`,
    );
    const { stdout } = await run(process.execPath, ['names.cjs'], { cwd: folder });
    assert.deepEqual(JSON.parse(stdout), [[], ['function', 'function', 'function']]);
  });
});
