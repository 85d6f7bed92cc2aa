import { type CST, Parser, parseDocument } from 'yaml';
import { type FileSections, fileShape } from './file-sections';
import { SettingsError } from './settings-error';
import { readTextFile } from './text-file';

/** The configuration file, YAML, from which single values are taken before the rest is read. */
export class ConfigFile {
  readonly path: string;
  readonly #document: Record<string, unknown>;

  /** @throws SettingsError it cannot be read, or is not YAML with keys */
  constructor(path: string) {
    this.path = path;
    const text = readTextFile(path);
    if (text === undefined) throw new SettingsError(`the configuration file ${path} does not exist`);
    const content = contentOf(text, path) ?? {};
    if (!isSection(content)) throw new SettingsError(`${path}: expected keys with values`);
    this.#document = content;
  }

  /** Removes and returns the value at a key such as `mqtt.port`; `undefined` where there is none. */
  take(key: string): unknown {
    const [sectionName = '', name = ''] = key.split('.');
    const section = this.#document[sectionName];
    if (!isSection(section) || !Object.hasOwn(section, name)) return undefined;
    const value = section[name];
    delete section[name];
    return value;
  }

  /**
   * What was not taken.
   * @throws SettingsError it has an unknown key, or a value of another kind than expected
   */
  sections(): FileSections {
    return fileShape(this.#document, `${this.path}: `);
  }
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Faults for which the parser has words of its own, which do not help a user of the command. */
const FAULTS: Readonly<Record<string, string>> = {
  NON_STRING_KEY: 'a list or keys with values stand where a key is expected',
  MULTIPLE_DOCS: 'expected one document, without "---" between parts',
};

/** Far more than the settings have. */
const MOST_LEVELS = 100;

function contentOf(text: string, path: string): unknown {
  if (isNestedDeeper(text)) throw new SettingsError(`${path}: nested deeper than ${MOST_LEVELS} levels`);
  const document = parseDocument(text, { stringKeys: true, logLevel: 'error' });
  // Such as an unknown tag, without which the value is not what was meant.
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    throw new SettingsError(`${path}: ${FAULTS[fault.code] ?? firstLine(fault)}`);
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (error) {
    throw new SettingsError(`${path}: ${firstLine(error as Error)}`);
  }
  try {
    // What an alias stands for is a value of its own in each place.
    return JSON.parse(JSON.stringify(content));
  } catch {
    throw new SettingsError(`${path}: an alias stands for a value that it is part of`);
  }
}

/** What reads the values calls itself for each level, and near the end of its stack V8 may end the process. */
function isNestedDeeper(text: string): boolean {
  for (const document of new Parser().parse(text)) {
    const left: Array<[token: CST.Token, level: number]> = [[document, 0]];
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const [token, level] = next;
      if (level > MOST_LEVELS) return true;
      if (token.type === 'document' && token.value !== undefined) left.push([token.value, level]);
      if (!('items' in token)) continue;
      for (const { key, value } of token.items) {
        if (key) left.push([key, level + 1]);
        if (value) left.push([value, level + 1]);
      }
    }
  }
  return false;
}

function firstLine({ message }: Error): string | undefined {
  return message.split('\n')[0]?.replace(/:$/, '');
}
