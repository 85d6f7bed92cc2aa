import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogOutput } from '../../src/cli/log-output';

describe('the log of the command', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'log-'));
    path = join(directory, 'broker.log');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('appends lines in their order', async () => {
    for (const lines of [
      ['one\n', 'two\n'],
      ['three\n', 'four\n'],
    ]) {
      const output = new LogOutput(path, assert.fail);
      for (const line of lines) output.write(line);
      await output.close();
    }
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\nthree\nfour\n');
  });

  it('goes on in a new file where the old one was moved away', async () => {
    const output = new LogOutput(path, assert.fail);
    output.write('before\n');
    await output.close();
    renameSync(path, `${path}.1`);
    output.write('still\n');
    output.reopen();
    output.write('after\n');
    await output.close();
    const [old, young] = [readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')];
    assert.equal(old + young, 'before\nstill\nafter\n');
    assert.equal(young.endsWith('after\n'), true);
  });

  it('goes on at the beginning of a file that was copied and truncated', async () => {
    const output = new LogOutput(path, assert.fail);
    for (const line of ['before\n', 'after\n']) {
      truncateSync(path);
      output.write(line);
      await output.close();
    }
    assert.equal(readFileSync(path, 'utf8'), 'after\n');
  });

  it('goes on in the old file where none can be opened, and says so', async () => {
    const complaints: string[] = [];
    const output = new LogOutput(path, (text) => complaints.push(text));
    const moved = `${directory}-moved`;
    renameSync(directory, moved);
    try {
      output.reopen();
      output.write('goes on\n');
      await output.close();
      assert.equal(readFileSync(join(moved, 'broker.log'), 'utf8'), 'goes on\n');
      assert.match(complaints.join(), /^the log goes on in the old file: ENOENT/);
    } finally {
      renameSync(moved, directory);
    }
  });

  it('says once that lines are lost on a full disk', async function () {
    if (process.platform !== 'linux') this.skip();
    const complaints: string[] = [];
    const output = new LogOutput('/dev/full', (text) => complaints.push(text));
    for (const line of ['one\n', 'two\n', 'three\n']) {
      output.write(line);
      await output.close();
    }
    assert.equal(complaints.length, 1);
    assert.match(complaints.join(), /^lines of the log are lost: ENOSPC/);
  });

  it('does not wait for ever for a reader that does not read', async function () {
    if (process.platform !== 'linux') this.skip();
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const complained = new Promise<string>((complain) => {
      const output = new LogOutput(path, complain);
      output.write('x'.repeat(1024 * 1024));
      void output.close().then((written) => {
        assert.equal(written, false);
        closeSync(reader);
      });
    });
    assert.match(await complained, /^lines of the log are lost: EPIPE/);
  });

  it('bounds what waits, and counts in the log what is lost', async () => {
    const output = new LogOutput(path, assert.fail);
    const line = `${'x'.repeat(1024 * 1024 - 1)}\n`;
    for (let count = 0; count < 10; count++) output.write(line);
    await output.close();
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    assert.equal(lines.filter((one) => one.startsWith('x')).length, 4);
    const { level, msg, count } = JSON.parse(lines.find((one) => one.startsWith('{')) ?? '');
    assert.deepEqual([level, msg, count], ['warn', 'lines of the log were lost', 6]);
  });
});
