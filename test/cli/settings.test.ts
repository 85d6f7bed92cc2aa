import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { helpText, readCommandLine } from '../../src/cli/command-line';
import { type Configuration, readSettings, shownSettings } from '../../src/cli/settings';
import { SettingsError } from '../../src/cli/settings-error';
import {
  optionOf,
  type Setting,
  type SettingName,
  saysYes,
  settingNames,
  settingsTable,
} from '../../src/cli/settings-table';
import { BROKER_COMMAND } from './broker-command';

/** Another value than the default for each setting, as options and variables write it and as the file does. */
const OTHER: Record<Exclude<SettingName, 'config'>, readonly [text: string, value: unknown]> = {
  mqttHost: ['localhost', 'localhost'],
  mqttPort: ['1884', 1884],
  keepAlive: ['30', 30],
  maxConnections: ['7', 7],
  webSocketEnabled: ['false', false],
  webSocketHost: ['::1', '::1'],
  webSocketPort: ['0', 0],
  httpEnabled: ['0', false],
  httpHost: ['localhost', 'localhost'],
  httpPort: ['8442', 8442],
  httpToken: ['a secret', 'a secret'],
  enableAuth: ['true', true],
  username: ['ann', 'ann'],
  password: ['secret', 'secret'],
  allowAnonymous: ['yes', true],
  enableTls: ['1', true],
  tlsCertFile: ['cert.pem', 'cert.pem'],
  tlsKeyFile: ['key.pem', 'key.pem'],
  tlsCaFile: ['ca.pem', 'ca.pem'],
  tlsRequireClientCertificate: ['yes', true],
  maxMessageSize: ['1024', 1024],
  maxInFlight: ['1', 1],
  maxQueued: ['2', 2],
  rosPrefix: ['fleet/ros', 'fleet/ros'],
  rosIntegration: ['off', false],
  store: ['kept', 'kept'],
  durability: ['STRICT', 'strict'],
  logLevel: ['debug', 'DEBUG'],
  logFile: ['broker.log', 'broker.log'],
};
const names = settingNames.filter((name) => name !== 'config');

/** A text that each kind of setting refuses; none where it takes any. */
const MALFORMED: Readonly<Record<string, string>> = {
  'a text that is not empty': '',
  'topic levels without wildcards': 'ros/+',
  'true or false': 'maybe',
  'one of write, strict': 'sometimes',
  'one of DEBUG, INFO, WARNING, ERROR': 'LOUD',
};
const malformed = ({ kind }: Setting<unknown>) =>
  kind.expected.startsWith('a whole number') ? '1e3' : MALFORMED[kind.expected];

describe('the settings of the command', () => {
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'settings-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  /** What is read from all sources; files only where their content is given. */
  function read({
    args = [] as string[],
    environment = {} as Record<string, string>,
    dotEnv = '',
    file = undefined as unknown,
  }): Configuration {
    const config = join(directory, 'broker.yaml');
    if (file !== undefined) writeFileSync(config, typeof file === 'string' ? file : stringify(file));
    writeFileSync(join(directory, '.env'), dotEnv);
    const command = readCommandLine([...args, ...(file === undefined ? [] : ['--config', config])]);
    assert.equal(command.action, 'run');
    return readSettings({
      options: command.action === 'run' ? command.options : new Map(),
      environment,
      directory,
    });
  }

  function optionArgs(setting: Setting<unknown>, text: string): string[] {
    const option = optionOf(setting) as string;
    return setting.kind.placeholder === undefined ? [option] : [`${option}=${text}`];
  }

  function inFile(key: string, value: unknown): Record<string, Record<string, unknown>> {
    const [section = '', name = ''] = key.split('.');
    return { [section]: { [name]: value } };
  }

  it('are their defaults where nothing is said', () => {
    const { settings, origins } = read({});
    for (const name of settingNames) assert.equal(settings[name], settingsTable[name].standard, name);
    assert.equal(origins.size, 0);
  });

  for (const name of names) {
    const setting: Setting<unknown> = settingsTable[name];
    const { variable, key = '' } = setting;
    const [text, value] = OTHER[name];

    it(`take ${name} from the file, .env, the environment and the options, the later the stronger`, () => {
      assert.notEqual(value, setting.standard);
      const said = (by: Parameters<typeof read>[0]) => {
        const { settings, origins } = read(by);
        for (const other of names) {
          if (other !== name) assert.equal(settings[other], settingsTable[other].standard, other);
        }
        return [settings[name], origins.get(name)];
      };
      const weak = String(setting.standard);
      const file = inFile(key, value);
      assert.deepEqual(said({ file }), [value, `${join(directory, 'broker.yaml')}: ${key}`]);
      const weakFile = inFile(key, setting.standard);
      const dotEnv = `OTHER=1\n${variable}="${text}"\n`;
      assert.deepEqual(said({ file: weakFile, dotEnv }), [value, `${variable} of .env`]);
      const environment = { [variable]: text };
      const weakEnv = `${variable}="${weak}"`;
      assert.deepEqual(said({ file: weakFile, dotEnv: weakEnv, environment }), [value, variable]);
      if (setting.option === undefined) return;
      const args = optionArgs(setting, text);
      assert.equal(saysYes(setting) || value === false, true);
      assert.deepEqual(said({ file: weakFile, environment: { [variable]: weak }, args }), [
        value,
        optionOf(setting),
      ]);
    });

    const wrong = malformed(setting);
    if (wrong !== undefined) {
      it(`refuse a malformed ${name} wherever it stands, and say where`, () => {
        const { placeholder, expected } = setting.kind;
        const refused = (by: Parameters<typeof read>[0], where: string) =>
          assert.throws(() => read(by), {
            name: 'SettingsError',
            message: `${where} is ${JSON.stringify(wrong)}, expected ${expected}`,
          });
        const strong = { environment: { [variable]: text } };
        refused({ ...strong, file: inFile(key, wrong) }, `${join(directory, 'broker.yaml')}: ${key}`);
        refused({ ...strong, dotEnv: `${variable}="${wrong}"` }, `${variable} of .env`);
        refused({ environment: { [variable]: wrong } }, variable);
        if (setting.option === undefined || placeholder === undefined) return;
        refused({ args: optionArgs(setting, wrong) }, `--${setting.option}`);
      });
    }

    it(`refuse a value of another kind for ${name} in the file`, () => {
      assert.throws(() => read({ file: inFile(key, [1]) }), SettingsError);
    });
  }

  /** What the command itself says that its settings are, before it fails for want of a certificate. */
  function saidByCommand(
    args: string[],
    { environment = {}, dotEnv = '' }: { environment?: Record<string, string>; dotEnv?: string },
  ): Record<string, unknown> {
    writeFileSync(join(directory, '.env'), dotEnv);
    const { status, stderr } = spawnSync(process.execPath, [BROKER_COMMAND, ...args], {
      cwd: directory,
      env: { ...process.env, ...environment },
      encoding: 'utf8',
      timeout: 20_000,
    });
    assert.equal(status, 3, stderr);
    const log = join(directory, 'broker.log');
    const [line = ''] = readFileSync(log, 'utf8').split('\n');
    rmSync(log);
    return JSON.parse(line);
  }

  it('reach the command from each source', function () {
    this.timeout(60_000);
    // These contradict each other.
    const secured = names.filter((name) => name !== 'allowAnonymous');
    const open = names.filter((name) => name !== 'enableAuth');
    const isOption = (name: SettingName) => optionOf(settingsTable[name]) !== undefined;
    const variables = (chosen: typeof names) =>
      Object.fromEntries(chosen.map((name) => [settingsTable[name].variable, OTHER[name][0]]));
    const said = (chosen: typeof names, from: Record<string, unknown>) => {
      for (const name of chosen) {
        const { secret }: Setting<unknown> = settingsTable[name];
        assert.equal(from[name], secret ? '***' : OTHER[name][1], name);
      }
    };
    const args = secured.filter(isOption).flatMap((name) => optionArgs(settingsTable[name], OTHER[name][0]));
    const others = secured.filter((name) => !isOption(name));
    said(secured, saidByCommand(args, { environment: variables(others) }));
    said(secured, saidByCommand([], { environment: variables(secured) }));
    const lines = Object.entries(variables(open)).map(([name, text]) => `${name}="${text}"\n`);
    said(open, saidByCommand([], { dotEnv: lines.join('') }));
    const file: Record<string, Record<string, unknown>> = {};
    for (const name of open) {
      const [section = '', key = ''] = (settingsTable[name] as Setting<unknown>).key?.split('.') ?? [];
      file[section] = { ...file[section], [key]: OTHER[name][1] };
    }
    writeFileSync(join(directory, 'broker.yaml'), stringify(file));
    said(open, saidByCommand(['-c', 'broker.yaml'], {}));
  });

  it('have bounds for numbers', () => {
    for (const [text, fits] of [
      ['65535', true],
      ['65536', false],
      ['-1', false],
      ['1.5', false],
      [' 1', false],
    ] as const) {
      const parse = () => read({ environment: { BROKER_MQTT_PORT: text } });
      if (fits) parse();
      else
        assert.throws(
          parse,
          /^SettingsError: BROKER_MQTT_PORT is ".*", expected a whole number from 0 to 65535$/,
        );
    }
  });

  for (const [by, message] of [
    [{ args: ['--mqtt-prot', '1'] }, /^Unknown option '--mqtt-prot'/],
    [{ args: ['1883'] }, /^Unexpected argument '1883'/],
    [{ args: ['--mqtt-port'] }, /argument missing/],
    [{ args: ['--store', ''] }, /^--store is "", expected a text that is not empty$/],
    [{ args: ['--enable-auth=yes'] }, /does not take an argument/],
    [{ environment: { BROKER_MQTT_PROT: '1' } }, /^BROKER_MQTT_PROT of the environment is no setting/],
    [
      { environment: { BROKER_ENABLE_TLS: 'constructor' } },
      /^BROKER_ENABLE_TLS is "constructor", expected true or/,
    ],
    [{ dotEnv: 'BROKER_MQTT_PROT=1' }, /^BROKER_MQTT_PROT of \.env is no setting/],
    [{ file: { mqtt: { prot: 1 } } }, /broker\.yaml: mqtt\.prot is no setting, expected one of host, port, /],
    [{ file: { mtqq: {} } }, /broker\.yaml: mtqq is no setting, expected one of mqtt, websocket, /],
    [{ file: { mqtt: 1883 } }, /broker\.yaml: mqtt is 1883, expected settings below it/],
    [{ file: { auth: { password: 1234 } } }, /broker\.yaml: auth\.password is not usable, expected a text$/],
  ] as const) {
    it(`refuse ${JSON.stringify(by)}`, () => {
      assert.throws(() => read(by as Parameters<typeof read>[0]), { name: 'SettingsError', message });
    });
  }

  it('take a file in which all is commented out', () => {
    assert.deepEqual(read({ file: '# nothing\n' }).sections, {});
    assert.deepEqual(read({ file: 'mqtt:\n#  port: 1\naccess:\n' }).sections.access, {});
  });

  it('show that there is a secret, and not which', () => {
    const { settings } = read({ environment: { BROKER_PASSWORD: 'hidden' } });
    assert.equal(shownSettings(settings).password, '***');
    assert.equal(shownSettings(read({}).settings).password, '');
  });

  it('are all in the help', () => {
    const help = helpText();
    for (const name of settingNames) {
      const setting: Setting<unknown> = settingsTable[name];
      const { variable, standard, kind } = setting;
      const entry = new RegExp(`^  (.*\\b${variable}\\b.*)\\n {8}(.*)$`, 'm').exec(help);
      assert.ok(entry, name);
      if (setting.option !== undefined) {
        assert.ok(entry[1]?.includes(`--${setting.option} ${kind.placeholder ?? ''}`.trimEnd()), name);
      }
      if (standard !== '' && saysYes(setting)) assert.ok(entry[2]?.endsWith(`(${standard})`), name);
    }
  });
});
