import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createUserDir, NODE_RED_VERSIONS, NodeRedProcess } from '../editor/node-red-process';
import { NODE_TYPES, packageJson } from './package-json';

const run = promisify(execFile);

interface NodeSet {
  name: string;
  module: string;
  enabled: boolean;
  err?: string;
  types: string[];
}

describe('the packed tarball', function () {
  // It installs from the registry.
  this.timeout(120_000);
  let folder: string;
  let tarball: string;
  let files: string[];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pack-'));
    // The build is what the tests run from: it stands already, and must not be replaced below them.
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]);
    const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
    assert.ok(packed);
    tarball = join(folder, packed.filename);
    files = packed.files.map(({ path }) => path);
  });

  after(() => rmSync(folder, { recursive: true }));

  it('holds what Node-RED loads, and neither tests nor sources', () => {
    for (const type of NODE_TYPES) {
      for (const path of [
        `dist/nodes/${type}.js`,
        `dist/nodes/${type}.html`,
        `dist/nodes/locales/en-US/${type}.json`,
        `dist/nodes/locales/en-US/${type}.html`,
      ]) {
        assert.ok(files.includes(path), `${path} is missing`);
      }
    }
    for (const name of readdirSync('examples')) assert.ok(files.includes(`examples/${name}`));
    const strangers = files.filter(
      (path) => /(^|\/)(test|demo|src\/.*\.ts)/.test(path) && !/^dist\/src\/.*\.(js|d\.ts|map)$/.test(path),
    );
    assert.deepEqual(strangers, []);
  });

  for (const version of NODE_RED_VERSIONS) {
    it(`installs into an empty user directory, and all nodes load (${version.title})`, async function () {
      const program = version.program(this);
      const userDir = createUserDir();
      let nodeRed: NodeRedProcess | undefined;
      try {
        await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {
          cwd: userDir,
        });
        const command = join(userDir, 'node_modules/.bin/mqtt-ros-broker');
        assert.equal((await run(command, ['--version'])).stdout, `${packageJson.version}\n`);
        // Without a command's name, as the package has only one.
        const npx = await run('npx', ['--no-install', packageJson.name, '--version'], { cwd: userDir });
        assert.equal(npx.stdout, `${packageJson.version}\n`);
        const code = `import { createBroker } from '${packageJson.name}'; console.log(typeof createBroker);`;
        const imported = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: userDir });
        assert.equal(imported.stdout, 'function\n');
        nodeRed = await NodeRedProcess.start(program, userDir);

        const sets = await nodeRed.get<NodeSet[]>('/nodes');
        const ours = sets.filter(({ module }) => module === packageJson.name);
        assert.deepEqual(ours.map(({ name }) => name).sort(), [...NODE_TYPES].sort());
        for (const { name, enabled, err, types } of ours) {
          assert.deepEqual({ enabled, err, types }, { enabled: true, err: undefined, types: [name] });
        }

        const examples = await nodeRed.get<unknown[]>(`/library/examples/flows/${packageJson.name}`);
        assert.equal(examples.length, readdirSync('examples').length);

        for (const icon of readdirSync('icons')) {
          const answer = await fetch(`${nodeRed.url}/icons/${packageJson.name}/${icon}`);
          assert.match(answer.headers.get('content-type') ?? '', /svg/, icon);
          await answer.arrayBuffer();
        }
      } finally {
        await nodeRed?.stop();
        rmSync(userDir, { recursive: true });
      }
    });
  }
});
