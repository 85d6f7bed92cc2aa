import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

describe('a journal on a full disk', function () {
  this.timeout(60_000);

  for (const durability of ['write', 'strict']) {
    it(`keeps what it has, leaves no litter and goes on when there is room (${durability})`, async function () {
      if (process.platform === 'win32') this.skip(); // It has no such limit.
      const folder = mkdtempSync(join(tmpdir(), 'full-'));
      const script = require.resolve('./full-disk-process');
      try {
        // In blocks of 512 or 1024 bytes.
        const command = 'ulimit -f 100 && exec "$@"';
        const directory = join(folder, 'store');
        const given = ['-c', command, 'sh', process.execPath, script, directory, durability];
        const { stderr } = await promisify(execFile)('sh', given, { timeout: 45_000 });
        assert.equal(stderr, '');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
