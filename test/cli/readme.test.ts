import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigFile } from '../../src/cli/config-file';
import { ExitCode } from '../../src/cli/exit-code';
import { optionOf, type Setting, saysYes, settingNames, settingsTable } from '../../src/cli/settings-table';

const README = readFileSync('README.md', 'utf8');

/** The code block of this language that has a line which begins so. */
function block(language: string, begins: string): string {
  const blocks = [...README.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))];
  const found = blocks
    .map(([, text = '']) => text)
    .find((text) => text.includes(`\n${begins}`) || text.startsWith(begins));
  assert.ok(found, `${language} with ${begins}`);
  return found;
}

function settingRow(setting: Setting<unknown>): string {
  const { short, variable, key, kind, standard, help } = setting;
  const option = optionOf(setting);
  const written = option === undefined ? '' : `\`${`${option} ${kind.placeholder ?? ''}`.trimEnd()}\``;
  const shown = short === undefined ? written : `\`-${short}\`, ${written}`;
  const meaning = saysYes(setting) ? help : `${help}; the option: do not`;
  const standardShown = standard === '' ? '' : `\`${standard}\``;
  return `| ${shown} | \`${variable}\` | ${key === undefined ? '' : `\`${key}\``} | ${standardShown} | ${meaning} |`;
}

describe('the README on the command', () => {
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'readme-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  it('has all settings', () => {
    const rows = settingNames.map((name) => settingRow(settingsTable[name])).join('\n');
    const [, table] = /\| Option \| Variable .*\n\|[-|]+\n([\s\S]*?)\n\n/.exec(README) ?? [];
    assert.equal(table, rows);
  });

  it('has all exit codes', () => {
    const [, table = ''] = /\| Exit code \|.*\n\|[-|]+\n([\s\S]*?)\n\n/.exec(README) ?? [];
    const codes = table.split('\n').map((row) => Number(row.split('|')[1]));
    assert.deepEqual(codes, Object.values(ExitCode));
  });

  it('has a configuration file that can be read', () => {
    const path = join(directory, 'broker.yaml');
    writeFileSync(path, block('yaml', 'upstreams:'));
    const file = new ConfigFile(path);
    assert.equal(file.take('mqtt.host'), '0.0.0.0');
    assert.equal(file.take('auth.enabled'), true);
    const { access, upstreams, limits, bridge, gateway } = file.sections();
    assert.deepEqual([access?.users?.length, access?.rules?.length, upstreams?.length], [2, 3, 1]);
    assert.equal(limits?.queuePolicy, 'drop-oldest');
    assert.equal(gateway?.brokers?.length, 1);
    assert.deepEqual([bridge?.routes?.length, bridge?.patterns?.length], [2, 1]);
  });

  it('has a service that systemd understands', function () {
    const unit = join(directory, 'mqtt-ros-broker.service');
    // What is not installed here would be refused.
    writeFileSync(unit, block('ini', '[Unit]').replace('/usr/bin/mqtt-ros-broker', '/bin/true'));
    const { error, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
    if (error !== undefined) this.skip();
    assert.equal(stdout + stderr, '');
  });

  it('names only settings that there are', () => {
    const variables = new Set<string>(settingNames.map((name) => settingsTable[name].variable));
    for (const [variable] of README.matchAll(/\bBROKER_[A-Z_]+/g))
      assert.ok(variables.has(variable), variable);
  });
});
