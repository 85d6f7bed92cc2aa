import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseInterface } from './interface-text';
import type { MessageDefinition } from './message-definition';
import { interfaceTypeFault } from './names';

/**
 * The interfaces of the ROS 2 packages that are installed below some prefixes, in `share/<package>/<kind>/<Name>.<kind>`,
 * where the first prefix that has a file counts (`AMENT_PREFIX_PATH`). Each file is read when it is first asked for.
 */
export class InstalledInterfaces {
  readonly #prefixes: readonly string[];
  /** By type; `undefined` for what is not installed. */
  readonly #definitions = new Map<string, MessageDefinition | undefined>();

  constructor(prefixes: readonly string[]) {
    this.#prefixes = prefixes;
  }

  /** Those of the environment, as a sourced ROS 2 sets it; none without one. */
  static ofEnvironment(): InstalledInterfaces {
    const path = process.env.AMENT_PREFIX_PATH ?? '';
    return new InstalledInterfaces(path.split(delimiter).filter((prefix) => prefix !== ''));
  }

  /** Throws DefinitionError, which names the file and line, when the file is wrong. */
  get(type: string): MessageDefinition | undefined {
    if (this.#prefixes.length === 0 || interfaceTypeFault(type) !== undefined) return undefined;
    if (!this.#definitions.has(type)) this.#read(type);
    return this.#definitions.get(type);
  }

  #read(type: string): void {
    this.#definitions.set(type, undefined);
    const [packageName, kind, name] = type.split('/') as [string, string, string];
    // What rosidl derives from a service or action stands in the file of that.
    const [whole] = kind === 'msg' ? [name] : name.split('_', 1);
    for (const prefix of this.#prefixes) {
      const file = join(prefix, 'share', packageName, kind, `${whole}.${kind}`);
      const text = textOf(file);
      if (text === undefined) continue;
      for (const definition of parseInterface(`${packageName}/${kind}/${whole}`, text, file)) {
        this.#definitions.set(definition.name, definition);
      }
      return;
    }
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Absent, or not readable for us, which is the same to its user.
    return undefined;
  }
}
