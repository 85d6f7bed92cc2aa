// The demo, rebuilt and restarted on every change: tsc watches the sources, this script the forms and texts, and
// node --watch-path what both emit.
import { execFileSync, spawn } from 'node:child_process';
import { watch } from 'node:fs';

execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
const children = [
  spawn('node_modules/.bin/tsc', ['--watch', '--preserveWatchOutput'], { stdio: 'inherit' }),
  spawn(process.execPath, ['--watch-path=dist/nodes', '--watch-path=dist/src', 'dist/demo/start.js'], {
    stdio: 'inherit',
  }),
];

let scheduled;
watch('nodes', { recursive: true }, (_event, file) => {
  if (!/\.(html|json)$|(editor.*\.ts)$/.test(file ?? '')) return;
  clearTimeout(scheduled);
  scheduled = setTimeout(() => {
    try {
      execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });
    } catch {
      // esbuild has printed what is wrong; the next change tries again.
    }
  }, 100);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of children) child.kill(signal);
    process.exit();
  });
}
