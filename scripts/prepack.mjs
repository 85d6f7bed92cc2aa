// What is published is built anew, as dist/ may have files whose sources are gone, and without source maps, as they would
// name sources that the package does not hold.
import { execSync } from 'node:child_process';
import { rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
for (const command of ['tsc --sourceMap false', 'node scripts/build.mjs'])
  execSync(command, { stdio: 'inherit' });
