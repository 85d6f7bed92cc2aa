import { isDeepStrictEqual } from 'node:util';
import { BundledInterfaces } from './bundled-interfaces';
import { InstalledInterfaces } from './installed-interfaces';
import { type MessageDefinition, messageDefinitionFault } from './message-definition';

/**
 * Interface types by their canonical names (`sensor_msgs/msg/Imu`): the bundled ones, and what is added to them. A
 * service or an action is there as what rosidl makes of it (see `serviceTypes`, `actionTypes`).
 */
export class InterfaceLibrary {
  readonly #bundled: BundledInterfaces;
  readonly #installed: InstalledInterfaces;
  readonly #added = new Map<string, MessageDefinition>();

  private constructor(bundled: BundledInterfaces, installed: InstalledInterfaces) {
    this.#bundled = bundled;
    this.#installed = installed;
  }

  /** A library with the common interfaces of ROS 2; what is added to it is not in other libraries. */
  static bundled(): InterfaceLibrary {
    return new InterfaceLibrary(BundledInterfaces.shared(), new InstalledInterfaces([]));
  }

  /** The same where those of the ROS 2 that this process was started in, if any, take the place of bundled ones. */
  static installed(): InterfaceLibrary {
    return new InterfaceLibrary(BundledInterfaces.shared(), InstalledInterfaces.ofEnvironment());
  }

  /**
   * A library with the same bundled interfaces and these definitions, which take the place of bundled ones: a robot may
   * have another version of a common type. Throws an Error that names the fault when one is invalid or defined twice
   * differently.
   */
  with(definitions: readonly MessageDefinition[]): InterfaceLibrary {
    const library = new InterfaceLibrary(this.#bundled, this.#installed);
    library.#add(definitions, (type) => library.#added.get(type));
    return library;
  }

  /** Throws DefinitionError when the file of an installed type is wrong. */
  get(type: string): MessageDefinition | undefined {
    return this.#added.get(type) ?? this.#installed.get(type) ?? this.#bundled.get(type);
  }

  /** The canonical names of all types, sorted; without those that are only installed. */
  names(): string[] {
    return [...new Set([...this.#bundled.names(), ...this.#added.keys()])].sort();
  }

  /**
   * Adds definitions, all or none. Throws an Error that names the fault when one is invalid, or when a type is known
   * with another content: codecs made from the old one would not notice.
   */
  add(...definitions: MessageDefinition[]): void {
    this.#add(definitions, (type) => this.get(type));
  }

  #add(
    definitions: readonly MessageDefinition[],
    knownAs: (type: string) => MessageDefinition | undefined,
  ): void {
    const added = new Map<string, MessageDefinition>();
    for (const definition of definitions) {
      const fault = messageDefinitionFault(definition);
      if (fault !== undefined) throw new Error(fault);
      const known = knownAs(definition.name) ?? added.get(definition.name);
      if (known === undefined) added.set(definition.name, structuredClone(definition));
      else if (!isDeepStrictEqual(known, definition)) {
        throw new Error(`${definition.name} is already defined differently`);
      }
    }
    for (const [name, definition] of added) this.#added.set(name, definition);
  }
}
