import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BUNDLED_DEFINITIONS } from './bundled-definitions';
import { parseInterface, parseInterfaces } from './interface-text';
import type { MessageDefinition } from './message-definition';

let shared: BundledInterfaces | undefined;

/**
 * The common interfaces of ROS 2 Jazzy: the `.msg` files of `@foxglove/rosmsg-msgs-common`, each read when it is first
 * asked for, and our own definitions of what that package lacks. Its parsed form would not do: it has `byte` and `char`
 * as `uint8`, so that no type hash would be right.
 */
export class BundledInterfaces {
  readonly #folder: string;
  readonly #definitions: Map<string, MessageDefinition>;
  /** By type; what is in the folder and was not read yet. */
  readonly #unread: Map<string, string>;

  private constructor() {
    this.#folder = join(
      dirname(require.resolve('@foxglove/rosmsg-msgs-common/package.json')),
      'msgdefs',
      'ros2jazzy',
    );
    const own = parseInterfaces(BUNDLED_DEFINITIONS, 'bundled definitions');
    this.#definitions = new Map(own.map((definition) => [definition.name, definition]));
    const paths = readdirSync(this.#folder, { recursive: true, encoding: 'utf8' });
    this.#unread = new Map(
      paths
        .filter((path) => path.endsWith('.msg'))
        .map((path) => [path.slice(0, -'.msg'.length).replaceAll('\\', '/'), path]),
    );
  }

  /** The same for the whole thread, made when it is first asked for. */
  static shared(): BundledInterfaces {
    shared ??= new BundledInterfaces();
    return shared;
  }

  get(type: string): MessageDefinition | undefined {
    const path = this.#unread.get(type);
    if (path !== undefined) {
      // Behind a line of "=" a file has the messages that its message contains, each of which has a file of its own.
      const [text = ''] = readFileSync(join(this.#folder, path), 'utf8').split(/^={3,}$/m, 1);
      const [definition] = parseInterface(type, text, path);
      this.#definitions.set(type, definition as MessageDefinition);
      this.#unread.delete(type);
    }
    return this.#definitions.get(type);
  }

  /** The canonical names of all types. */
  names(): string[] {
    return [...this.#definitions.keys(), ...this.#unread.keys()];
  }
}
