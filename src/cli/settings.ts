import { join } from 'node:path';
import { ConfigFile } from './config-file';
import { readEnvFile } from './env-file';
import type { FileSections } from './file-sections';
import { SettingsError } from './settings-error';
import {
  optionOf,
  type Setting,
  type SettingName,
  type Settings,
  settingNames,
  settingsTable,
} from './settings-table';

const PREFIX = 'BROKER_';

/** Where settings are looked for. */
export interface SettingSources {
  /** Texts of the command line's options. */
  options: ReadonlyMap<SettingName, string>;
  environment: Readonly<Record<string, string | undefined>>;
  /** In which the file `.env` may be. */
  directory: string;
}

/** All that the command is told. */
export interface Configuration {
  settings: Settings;
  /** Of the configuration file; empty without one. */
  sections: FileSections;
  /** Where a setting was found, as it is named there; absent for a default. */
  origins: ReadonlyMap<SettingName, string>;
}

interface Found {
  /** Such as `BROKER_MQTT_PORT of .env`. */
  origin: string;
  said: { text: string } | { value: unknown };
}

/**
 * Reads all settings: an option counts before a variable of the environment, that before one of `.env`, and that before
 * the configuration file.
 * @throws SettingsError one of them is unknown or malformed, whether or not another one counts in its place
 */
export function readSettings({ options, environment, directory }: SettingSources): Configuration {
  const dotEnv = readEnvFile(join(directory, '.env'), PREFIX);
  checkNames(environment, 'the environment');
  checkNames(dotEnv, '.env');
  /** From the weakest on. */
  const sources: Array<(name: SettingName) => Found | undefined> = [
    (name) => variable(dotEnv, name, ' of .env'),
    (name) => variable(environment, name, ''),
    (name) => {
      const text = options.get(name);
      return text === undefined
        ? undefined
        : { origin: optionOf(settingsTable[name]) ?? name, said: { text } };
    },
  ];
  const path = read('config', sources).value as string;
  const file = path === '' ? undefined : new ConfigFile(path);
  if (file !== undefined) sources.unshift((name) => taken(file, name));

  const values: Partial<Record<SettingName, unknown>> = {};
  const origins = new Map<SettingName, string>();
  for (const name of settingNames) {
    const { value, origin } = read(name, sources);
    values[name] = value;
    if (origin !== undefined) origins.set(name, origin);
  }
  return { settings: values as Settings, sections: file?.sections() ?? {}, origins };
}

/** The settings as they may be shown: of what is secret only whether there is something. */
export function shownSettings(settings: Settings): Record<string, unknown> {
  const shown = (name: SettingName) => {
    const { secret }: Setting<unknown> = settingsTable[name];
    return secret && settings[name] !== '' ? '***' : settings[name];
  };
  return Object.fromEntries(settingNames.map((name) => [name, shown(name)]));
}

function read(name: SettingName, sources: ReadonlyArray<(name: SettingName) => Found | undefined>) {
  const { kind, standard, secret }: Setting<unknown> = settingsTable[name];
  let value = standard;
  let origin: string | undefined;
  for (const source of sources) {
    const found = source(name);
    if (found === undefined) continue;
    const { said } = found;
    const meant = 'text' in said ? kind.ofText(said.text) : kind.ofValue(said.value);
    if (meant === undefined) {
      const shown = secret ? 'not usable' : JSON.stringify('text' in said ? said.text : said.value);
      throw new SettingsError(`${found.origin} is ${shown}, expected ${kind.expected}`);
    }
    value = meant;
    origin = found.origin;
  }
  return { value, origin };
}

function variable(
  variables: Readonly<Record<string, string | undefined>>,
  name: SettingName,
  where: string,
): Found | undefined {
  const { variable: key } = settingsTable[name];
  const text = variables[key];
  return text === undefined ? undefined : { origin: key + where, said: { text } };
}

function taken(file: ConfigFile, name: SettingName): Found | undefined {
  const { key }: Setting<unknown> = settingsTable[name];
  const value = key === undefined ? undefined : file.take(key);
  return value === undefined ? undefined : { origin: `${file.path}: ${key}`, said: { value } };
}

/** A variable that is misspelt must not pass for one that is not set. */
function checkNames(variables: Readonly<Record<string, string | undefined>>, where: string): void {
  const known = new Set<string>(settingNames.map((name) => settingsTable[name].variable));
  for (const name of Object.keys(variables)) {
    if (name.startsWith(PREFIX) && !known.has(name)) {
      throw new SettingsError(`${name} of ${where} is no setting; --help lists them`);
    }
  }
}
