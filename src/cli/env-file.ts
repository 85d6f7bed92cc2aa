import { parseEnv } from 'node:util';
import { SettingsError } from './settings-error';
import { readTextFile } from './text-file';

/** A line that sets a variable with this prefix, as far as its name. */
const begins = (prefix: string) => new RegExp(`^\\s*(?:export\\s+)?(${prefix}\\w*)`);

/** What follows the name: a value in quotes, or one without that has no `#`; and a comment. */
const FOLLOWS = /^[^\S\n]*=[^\S\n]*(?:(["'`])(?:(?!\1).)*\1|[^"'`#\s](?:[^#]*[^#\s])?)?(?:\s+#.*|\s*)$/;

/**
 * The variables of a `.env` file; none where there is no such file.
 * @param prefix of the names whose lines are checked: what `parseEnv` of Node.js skips in silence, or takes for a comment,
 * is refused. Other lines belong to other programs.
 * @throws SettingsError the file cannot be read, or one of these lines is malformed, or sets what another one has set
 */
export function readEnvFile(path: string, prefix: string): Readonly<Record<string, string | undefined>> {
  const content = readTextFile(path)?.replaceAll(/\r\n?/g, '\n');
  if (content === undefined) return {};
  // The package runs on any Node 20, parseEnv came with 20.12.
  if (parseEnv === undefined) throw new SettingsError('.env cannot be read: that needs Node 20.12 or newer');
  const variables = parseEnv(content);
  const set = new Set<string>();
  for (const [index, line] of content.split('\n').entries()) {
    const [all = '', name = ''] = begins(prefix).exec(line) ?? [];
    if (all === '') continue;
    const place = `.env: line ${index + 1}`;
    if (set.has(name)) throw new SettingsError(`${place}: ${name} is set a second time`);
    set.add(name);
    if (!FOLLOWS.test(line.slice(all.length)) || !Object.hasOwn(variables, name)) {
      throw new SettingsError(
        `${place}: expected ${name}=value, with a value that has # or quotes in quotes`,
      );
    }
  }
  return variables;
}
