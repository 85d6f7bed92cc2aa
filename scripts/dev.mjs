// The demo, rebuilt and restarted on every change: tsc watches the sources, this script the forms and texts, and what
// both emit.
import { execFileSync, spawn } from 'node:child_process';
import { watch } from 'node:fs';

/** What one change emits comes within this time, in ms. */
const QUIET_TIME = 300;

execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
const compiler = spawn('node_modules/.bin/tsc', ['--watch', '--preserveWatchOutput'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
compiler.stdout.pipe(process.stdout);

let demo;
let stopping = false;

function startDemo() {
  demo = spawn(process.execPath, ['dist/demo/start.js'], { stdio: 'inherit' });
  demo.once('exit', () => {
    demo = undefined;
  });
}

/** Its ports must be free before the next one starts. */
function restartDemo() {
  if (stopping) return;
  if (demo === undefined) return startDemo();
  if (demo.killed) return;
  demo.once('exit', () => stopping || startDemo());
  demo.kill('SIGTERM');
}

/** Calls back once the files of a folder have changed and rest again. */
function whenChanged(folder, concerns, callback) {
  let scheduled;
  watch(folder, { recursive: true }, (_event, file) => {
    if (!concerns.test(file ?? '')) return;
    clearTimeout(scheduled);
    scheduled = setTimeout(callback, QUIET_TIME);
  });
}

whenChanged('nodes', /\.(html|json)$|(editor.*\.ts)$/, () => {
  try {
    execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
  } catch {
    // esbuild has printed what is wrong; the next change tries again.
  }
});

// The first run of the compiler writes every file again, and the demo must not load half of one.
compiler.stdout.on('data', function compiled(chunk) {
  if (!chunk.includes('Watching for file changes')) return;
  compiler.stdout.off('data', compiled);
  for (const folder of ['dist/nodes', 'dist/src', 'dist/demo']) whenChanged(folder, /./, restartDemo);
  startDemo();
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stopping = true;
    compiler.kill(signal);
    if (demo === undefined) process.exit();
    demo.once('exit', () => process.exit());
    demo.kill(signal);
  });
}
