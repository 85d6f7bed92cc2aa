import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { type FileSections, fileShape } from './file-sections';
import { SettingsError } from './settings-error';

/** The configuration file, YAML, from which single values are taken before the rest is read. */
export class ConfigFile {
  readonly path: string;
  readonly #document: Record<string, unknown>;

  /** @throws SettingsError it cannot be read, or is not YAML with keys */
  constructor(path: string) {
    this.path = path;
    const document = parseDocument(contentOf(path), { prettyErrors: true });
    const [fault] = document.errors;
    if (fault !== undefined) throw new SettingsError(`${path}: ${fault.message.split('\n')[0]}`);
    let content: unknown;
    try {
      content = document.toJS();
    } catch (error) {
      throw new SettingsError(`${path}: ${(error as Error).message}`);
    }
    if (!isSection(content ?? {})) throw new SettingsError(`${path}: expected keys with values`);
    this.#document = (content ?? {}) as Record<string, unknown>;
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

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`the configuration file cannot be read: ${(error as Error).message}`);
  }
}
