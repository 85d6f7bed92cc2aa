import { isDeepStrictEqual } from 'node:util';
import { type MessageDefinition, type MessageField, messageDefinitionFault } from './message-definition';

/** The shape of a definition in `@foxglove/rosmsg-msgs-common`. */
type FoxgloveDefinition = typeof import('@foxglove/rosmsg-msgs-common')['ros2jazzy']['std_msgs/Header'];
type FoxgloveField = FoxgloveDefinition['definitions'][number];

let bundledDefinitions: ReadonlyMap<string, MessageDefinition> | undefined;

/** Interface types by their canonical names (`sensor_msgs/msg/Imu`): the bundled ones, and what is added to them. */
export class InterfaceLibrary {
  readonly #bundled: ReadonlyMap<string, MessageDefinition>;
  readonly #added = new Map<string, MessageDefinition>();

  private constructor(bundled: ReadonlyMap<string, MessageDefinition>) {
    this.#bundled = bundled;
  }

  /**
   * A library with the common interfaces of ROS 2 Jazzy, which are read when this is first called; what is added to it
   * is not in other libraries.
   */
  static bundled(): InterfaceLibrary {
    bundledDefinitions ??= readBundled();
    return new InterfaceLibrary(bundledDefinitions);
  }

  get(type: string): MessageDefinition | undefined {
    return this.#added.get(type) ?? this.#bundled.get(type);
  }

  /** The canonical names of all types, sorted. */
  names(): string[] {
    return [...this.#bundled.keys(), ...this.#added.keys()].sort();
  }

  /**
   * Adds a definition. Throws an Error that names the fault when it is invalid, or when the type is known with another
   * content: codecs made from the old one would not notice.
   */
  add(definition: MessageDefinition): void {
    const fault = messageDefinitionFault(definition);
    if (fault !== undefined) throw new Error(fault);
    const known = this.get(definition.name);
    if (known === undefined) this.#added.set(definition.name, structuredClone(definition));
    else if (!isDeepStrictEqual(known, definition)) {
      throw new Error(`${definition.name} is already defined differently`);
    }
  }
}

function readBundled(): ReadonlyMap<string, MessageDefinition> {
  // Required here because it takes longer to load than all the rest, and only bridges need it.
  const { ros2jazzy } =
    require('@foxglove/rosmsg-msgs-common') as typeof import('@foxglove/rosmsg-msgs-common');
  const definitions = new Map<string, MessageDefinition>();
  for (const [name, { definitions: entries }] of Object.entries<FoxgloveDefinition>(ros2jazzy)) {
    const constants: MessageDefinition['constants'][number][] = [];
    const fields: MessageField[] = [];
    for (const entry of entries) {
      if (entry.isConstant !== true) fields.push(fieldOf(entry));
      else if (entry.value !== undefined) {
        constants.push({ name: entry.name, type: entry.type, value: entry.value });
      }
    }
    const canonical = canonicalName(name);
    definitions.set(canonical, { name: canonical, fields, constants });
  }
  return definitions;
}

function fieldOf(entry: FoxgloveField): MessageField {
  const field: MessageField = { name: entry.name, type: entry.type };
  if (entry.type === 'time') field.type = 'builtin_interfaces/msg/Time';
  else if (entry.type === 'duration') field.type = 'builtin_interfaces/msg/Duration';
  else if (entry.isComplex === true) field.type = canonicalName(entry.type);
  if (entry.isArray === true) {
    field.array = {};
    if (entry.arrayLength !== undefined) field.array.length = entry.arrayLength;
    if (entry.arrayUpperBound !== undefined) field.array.bound = entry.arrayUpperBound;
  }
  if (entry.upperBound !== undefined) field.stringBound = entry.upperBound;
  if (entry.defaultValue !== undefined) field.default = entry.defaultValue;
  return field;
}

/** `std_msgs/Header` -> `std_msgs/msg/Header`. */
function canonicalName(name: string): string {
  return name.replace('/', '/msg/');
}
