import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { helpText } from '../../src/cli/command-line';
import { BrokerCommand } from '../cli/broker-command';
import { counterpart } from '../counterparts';
import { createUserDir, NODE_RED_VERSIONS, NodeRedProcess } from '../editor/node-red-process';
import { NODE_TYPES, packageJson } from './package-json';
import { readmeProgram } from './readme-program';

const run = promisify(execFile);

/** All that the package is built from. */
const SOURCES = [
  ...['package.json', 'tsconfig.json', 'README.md', 'CHANGELOG.md', 'LICENSE'],
  ...['src', 'nodes', 'icons', 'examples', 'scripts'],
];

interface NodeSet {
  name: string;
  module: string;
  enabled: boolean;
  err?: string;
  types: string[];
}

describe('the packed tarball', function () {
  // It builds the package, and installs it from the registry.
  this.timeout(120_000);
  let folder: string;
  let userDir: string;
  let files: string[];

  const command = () => join(userDir, 'node_modules/.bin/mqtt-ros-broker');

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pack-'));
    const sources = join(folder, 'sources');
    for (const name of SOURCES) cpSync(name, join(sources, name), { recursive: true });
    symlinkSync(resolve('node_modules'), join(sources, 'node_modules'), 'dir');
    const options = ['--json', '--foreground-scripts=false', '--pack-destination', folder];
    const { stdout } = await run('npm', ['pack', ...options], { cwd: sources });
    const [packed] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
    assert.ok(packed);
    files = packed.files.map(({ path }) => path);

    userDir = createUserDir();
    const tarball = join(folder, packed.filename);
    // The dependencies take any version of Node's types, and so whatever is the newest today.
    const { version } = require('@types/node/package.json') as { version: string };
    const packages = [tarball, `@types/node@${version}`];
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], {
      cwd: userDir,
    });
  });

  after(() => {
    for (const made of [folder, userDir]) if (made !== undefined) rmSync(made, { recursive: true });
  });

  it('holds what Node-RED and programs load, and nothing else', () => {
    const nodes = NODE_TYPES.flatMap((type) => [
      ...[`dist/nodes/${type}.js`, `dist/nodes/${type}.html`],
      ...[`dist/nodes/locales/en-US/${type}.json`, `dist/nodes/locales/en-US/${type}.html`],
    ]);
    const library = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `dist/src/${path.slice(0, -'.ts'.length)}`)
      .flatMap((path) => [`${path}.js`, `${path}.d.ts`]);
    const others = [
      ...['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE'],
      ...readdirSync('examples').map((name) => `examples/${name}`),
      ...readdirSync('icons').map((name) => `dist/nodes/icons/${name}`),
      // What the nodes are made of.
      ...files.filter((path) => /^dist\/nodes\/[\w-]+\.js$/.test(path) && !nodes.includes(path)),
    ];
    assert.deepEqual(files.toSorted(), [...nodes, ...library, ...others].toSorted());
    const entry = readFileSync(
      join(userDir, 'node_modules', packageJson.name, 'dist/src/mqtt-ros.js'),
      'utf8',
    );
    assert.equal(entry.includes('sourceMappingURL'), false);
  });

  it('has a command, also as npx starts it', async () => {
    assert.equal((await run(command(), ['--help'])).stdout, helpText());
    // Without a command's name, as the package has only one.
    const npx = await run('npx', ['--no-install', packageJson.name, '--version'], { cwd: userDir });
    assert.equal(npx.stdout, `${packageJson.version}\n`);
  });

  it('has a broker that mosquitto clients talk to, and that a signal stops', async function () {
    const subscriber = counterpart(this, 'mosquitto_sub');
    const publisher = counterpart(this, 'mosquitto_pub');
    const broker = await BrokerCommand.start({ command: command(), directory: folder });
    try {
      const address = ['-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', 'from/tarball'];
      await run(publisher, [...address, '-r', '-m', 'kept']);
      const { stdout } = await run(subscriber, [...address, '-C', '1']);
      assert.equal(stdout, 'kept\n');
      assert.equal(await broker.stop('SIGTERM'), 0);
    } finally {
      await broker.stop('SIGKILL');
    }
  });

  it('has types for programs, as strict as they are, in ES modules and CommonJS', async () => {
    const programs = ['consumer.mts', 'consumer.cts', 'consumer.ts'];
    for (const program of programs) copyFileSync('test/package/consumer.mts', join(userDir, program));
    writeFileSync(join(userDir, 'readme.mts'), readmeProgram());
    const strict = ['--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes'];
    for (const [module, resolution] of [
      ['node16', 'node16'],
      ['esnext', 'bundler'],
    ] as const) {
      const modules = ['--module', module, '--moduleResolution', resolution, '--target', 'es2022'];
      const { stdout } = await run(
        resolve('node_modules/.bin/tsc'),
        ['--noEmit', '--skipLibCheck', 'false', ...strict, ...modules, ...programs, 'readme.mts'],
        { cwd: userDir },
      ).catch((error: { stdout: string }) => error);
      assert.equal(stdout, '', module);
    }
  });

  it('is imported by ES modules', async () => {
    const code = `import { createBroker } from '${packageJson.name}'; console.log(typeof createBroker);`;
    const imported = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: userDir });
    assert.equal(imported.stdout, 'function\n');
  });

  for (const version of NODE_RED_VERSIONS) {
    it(`is installed in a user directory, and all nodes load (${version.title})`, async function () {
      const program = version.program(this);
      // What another version has left.
      for (const name of readdirSync(userDir).filter((one) => one.startsWith('.config'))) {
        rmSync(join(userDir, name), { recursive: true });
      }
      const nodeRed = await NodeRedProcess.start(program, userDir);
      try {
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
        await nodeRed.stop();
      }
    });
  }
});
