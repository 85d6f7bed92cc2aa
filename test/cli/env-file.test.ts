import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnvFile } from '../../src/cli/env-file';

describe('the file .env', () => {
  let directory: string;
  let path: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'env-file-'));
    path = join(directory, '.env');
  });
  after(() => rmSync(directory, { recursive: true }));

  function variablesOf(content: string | Buffer) {
    writeFileSync(path, content);
    return { ...readEnvFile(path, 'BROKER_') };
  }

  it('need not be there', () => {
    assert.deepEqual(readEnvFile(join(directory, 'other'), 'BROKER_'), {});
  });

  for (const [content, value] of [
    ['BROKER_X=a b ', 'a b'],
    [' export BROKER_X = a # comment', 'a'],
    ['BROKER_X="a # b" # comment', 'a # b'],
    ["BROKER_X='a\"b'", 'a"b'],
    ["BROKER_X=it's", "it's"],
    ['BROKER_X=a=b', 'a=b'],
    ['BROKER_X=', ''],
    ['BROKER_X= # nothing', ''],
    ['\uFEFFBROKER_X=a', 'a'],
    ['A=1\r\nBROKER_X=a\r\nB=2\r\n', 'a'],
    ['A=1\rBROKER_X=a\rB=2', 'a'],
    ['OTHER a#b\nOTHER="\nOTHER=1\nOTHER=2\nBROKER_X=a', 'a'],
  ] as const) {
    it(`sets ${JSON.stringify(value)} with ${JSON.stringify(content)}`, () => {
      assert.equal(variablesOf(content).BROKER_X, value);
    });
  }

  for (const line of [
    ...['BROKER_X', 'BROKER_X a', 'BROKER_X: a', 'export\tBROKER_X=a'],
    // Of which parseEnv takes a part, or nothing.
    ...['BROKER_X=a#b', 'BROKER_X="a', 'BROKER_X="a"b', "BROKER_X='a' b", 'BROKER_X=#a', 'BROKER_X="a\nb"'],
  ]) {
    it(`is refused with ${JSON.stringify(line)}`, () => {
      assert.throws(() => variablesOf(`A=1\n${line}\nB=2\n`), {
        name: 'SettingsError',
        message: /^\.env: line 2: expected BROKER_X=value, /,
      });
    });
  }

  it('is refused where it sets a variable twice, cannot be read, or is no text', () => {
    const refused = (content: string | Buffer, message: RegExp) =>
      assert.throws(() => variablesOf(content), { name: 'SettingsError', message });
    refused('BROKER_X=a\n\nBROKER_X=a\n', /^\.env: line 3: BROKER_X is set a second time$/);
    refused(Buffer.from('BROKER_X=é', 'latin1'), /\.env is not UTF-8$/);
    refused(Buffer.from('\uFEFFBROKER_X=a', 'utf16le'), /\.env is not UTF-8$/);
    refused(Buffer.alloc(1024 * 1024 + 1, '#'), /\.env is larger than a file of settings may be/);
    rmSync(path);
    mkdirSync(path);
    assert.throws(() => readEnvFile(path, 'BROKER_'), { message: /\.env cannot be read: EISDIR/ });
  });
});
