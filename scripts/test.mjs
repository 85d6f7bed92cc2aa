// The whole test run: set-up where CI asks for it, check, build, then mocha on Node-RED 4 and the node tests once
// more on Node-RED 5. Its last line counts everything.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ci = process.env.CI === 'true';
const total = { passes: 0, failures: 0, pending: 0 };

function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  return status ?? 1;
}

function mustRun(command, ...args) {
  const status = run(command, args);
  if (status !== 0) {
    console.error(`"${command} ${args.join(' ')}" failed`);
    process.exit(status);
  }
}

function mocha(title, node, files, env) {
  console.log(`\n== ${title}`);
  const folder = mkdtempSync(join(tmpdir(), 'mocha-'));
  const report = join(folder, 'stats.json');
  const options = [
    '--enable-source-maps',
    '--reporter',
    './scripts/counting-reporter.cjs',
    '--timeout',
    '30000',
  ];
  const status = run(node, ['node_modules/mocha/bin/mocha.js', ...options, ...files], {
    ...env,
    TEST_STATS: report,
  });
  if (existsSync(report)) {
    const stats = JSON.parse(readFileSync(report, 'utf8'));
    for (const key of Object.keys(total)) total[key] += stats[key];
  }
  if (status !== 0 && total.failures === 0) total.failures++;
  rmSync(folder, { recursive: true });
}

if (ci) mustRun('npm', 'run', '--silent', 'test:setup');
mustRun('npm', 'run', '--silent', 'check');
rmSync('dist', { recursive: true, force: true });
mustRun('npm', 'run', '--silent', 'build');

mocha('Node-RED 4', process.execPath, ['dist/test/**/*.test.js']);

const nodeRed5 = resolve('.counterparts/node-red-5/node_modules');
const node24 = join(nodeRed5, `node-linux-${process.arch}/bin/node`);
if (existsSync(node24)) {
  mocha('the nodes on Node-RED 5 and Node 24', node24, ['dist/test/nodes/*.test.js'], {
    NODE_RED: join(nodeRed5, 'node-red/lib/red.js'),
  });
} else {
  console.log('\nSkipped: the nodes on Node-RED 5 ("npm run test:setup" installs it).');
  total.pending++;
}

console.log(`\n${total.passes} passed, ${total.failures} failed, ${total.pending} skipped`);
process.exit(total.failures > 0 || total.passes === 0 ? 1 : 0);
