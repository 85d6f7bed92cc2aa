import { parseArgs } from 'node:util';
import { EXIT_CODES_HELP } from './exit-code';
import { SettingsError } from './settings-error';
import {
  optionOf,
  type Setting,
  type SettingName,
  saysYes,
  settingNames,
  settingsTable,
} from './settings-table';

/** What the command is asked to do, with the texts of the options that were given. */
export type CommandLine =
  | { action: 'help' }
  | { action: 'version' }
  | { action: 'run'; options: ReadonlyMap<SettingName, string> };

/**
 * Reads the arguments that follow the command's name.
 * @throws SettingsError an option is unknown, lacks its value or has an empty one, or an argument is none
 */
export function readCommandLine(args: string[]): CommandLine {
  const values = parse(args);
  if (values.help === true) return { action: 'help' };
  if (values.version === true) return { action: 'version' };
  const options = new Map<SettingName, string>();
  for (const name of settingNames) {
    const setting: Setting<unknown> = settingsTable[name];
    const value = setting.option === undefined ? undefined : values[setting.option];
    // Where an empty variable stands for none, an empty option is one whose value got lost: `--store "$DIRECTORY"`.
    if (value === '' && setting.kind.ofText(value) !== undefined) {
      throw new SettingsError(`${optionOf(setting)} is "", expected a text that is not empty`);
    }
    if (value !== undefined) options.set(name, typeof value === 'string' ? value : String(saysYes(setting)));
  }
  return { action: 'run', options };
}

function parse(args: string[]): Readonly<Record<string, string | boolean | undefined>> {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  };
  for (const name of settingNames) {
    const { option, short, kind }: Setting<unknown> = settingsTable[name];
    if (option === undefined) continue;
    options[option] = {
      type: kind.placeholder === undefined ? 'boolean' : 'string',
      ...(short !== undefined && { short }),
    };
  }
  try {
    return parseArgs({ args, options, allowPositionals: false }).values as Record<string, string | boolean>;
  } catch (error) {
    throw new SettingsError((error as Error).message.replaceAll('\n', ' '));
  }
}

/** What `--help` prints. */
export function helpText(): string {
  const rows = settingNames.map((name) => {
    const setting: Setting<unknown> = settingsTable[name];
    const { short, variable, kind, standard, help } = setting;
    const option = optionOf(setting);
    const written = option === undefined ? [] : [`${option} ${kind.placeholder ?? ''}`.trimEnd()];
    if (short !== undefined) written.unshift(`-${short}`);
    const names = [...written, saysYes(setting) ? variable : `${variable}=false`].join(', ');
    return row(
      names,
      `${saysYes(setting) ? '' : 'do not '}${help}${standard === '' ? '' : ` (${standard})`}`,
    );
  });
  return `Usage: mqtt-ros-broker [options]

Runs an MQTT 3.1.1 and 5 broker until it gets SIGINT or SIGTERM. Each setting is an option, a variable of the
environment, a variable in the file .env here, or a key of the configuration file; where there are several, the first
of these counts. Variables say true or false where the option takes no value. Defaults stand in parentheses.

${rows.join('\n')}
${row('-h, --help', 'print this')}
${row('-v, --version', 'print the version')}

${EXIT_CODES_HELP}`;
}

function row(names: string, help: string): string {
  return `  ${names}\n        ${help}`;
}
