// The whole test run: set-up where CI asks for it, check, build, then two mochas at a time: most of the tests in one,
// beside them the editor's and the MQTT client's and then the node tests once more on Node-RED 5. Its last line counts
// everything.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ci = process.env.CI === 'true';
const total = { passes: 0, failures: 0, pending: 0 };
const failed = [];

function mustRun(command, ...args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`"${command} ${args.join(' ')}" failed`);
    process.exit(status ?? 1);
  }
}

/** Runs mocha; what it says is printed when it has ended where it runs beside another. */
async function mocha(title, { node = process.execPath, files, env = {}, beside = false }) {
  if (!beside) console.log(`\n== ${title}`);
  const folder = mkdtempSync(join(tmpdir(), 'mocha-'));
  const report = join(folder, 'stats.json');
  const options = [
    '--enable-source-maps',
    '--reporter',
    './scripts/counting-reporter.cjs',
    '--timeout',
    '30000',
  ];
  const child = spawn(node, ['node_modules/mocha/bin/mocha.js', ...options, ...files], {
    stdio: beside ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: { ...process.env, ...env, TEST_STATS: report },
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => output.push(chunk));
  const [status] = await once(child, 'close');
  if (beside) process.stdout.write(Buffer.concat([Buffer.from(`\n== ${title}\n`), ...output]));
  let failures = 0;
  if (existsSync(report)) {
    const stats = JSON.parse(readFileSync(report, 'utf8'));
    for (const key of Object.keys(total)) total[key] += stats[key];
    failures = stats.failures;
    failed.push(...stats.failed.map((test) => ({ ...test, run: title })));
  }
  if (status !== 0 && failures === 0) total.failures++;
  rmSync(folder, { recursive: true });
}

if (ci) mustRun('npm', 'run', '--silent', 'test:setup');
mustRun('npm', 'run', '--silent', 'check');
rmSync('dist', { recursive: true, force: true });
mustRun('npm', 'run', '--silent', 'build');

// As long as all the others take, and most of it waiting.
const BESIDE = ['editor', 'client'];

async function besideTheRest() {
  const files = BESIDE.map((folder) => `dist/test/${folder}/**/*.test.js`);
  await mocha('the editor and the MQTT client', { files, beside: true });
  const nodeRed5 = resolve('.counterparts/node-red-5/node_modules');
  const node24 = join(nodeRed5, `node-linux-${process.arch}/bin/node`);
  if (existsSync(node24)) {
    await mocha('the nodes on Node-RED 5 and Node 24', {
      node: node24,
      files: ['dist/test/nodes/*.test.js'],
      env: { NODE_RED: join(nodeRed5, 'node-red/lib/red.js') },
      beside: true,
    });
  } else {
    console.log('\nSkipped: the nodes on Node-RED 5 ("npm run test:setup" installs it).');
    total.pending++;
  }
}

const others = BESIDE.flatMap((folder) => ['--ignore', `dist/test/${folder}/**`]);
await Promise.all([mocha('Node-RED 4', { files: ['dist/test/**/*.test.js', ...others] }), besideTheRest()]);

// Once more at the end: of a long log often only the end is at hand.
for (const { run, title, error } of failed) console.log(`\nFailed on ${run}: ${title}\n${error}`);
console.log(`\n${total.passes} passed, ${total.failures} failed, ${total.pending} skipped`);
process.exit(total.failures > 0 || total.passes === 0 ? 1 : 0);
