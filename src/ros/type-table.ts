import { interfaceTypeFault, isMessageType, rosNameFault } from './names';

/** One row: the type of topics that bear a name. */
export interface TypeTableRow {
  /** A whole ROS name (`/sensor_fusion/sensor_data`), or the last part of names (`sensor_data`). */
  name: string;
  /** For example `std_msgs/msg/String`. */
  type: string;
}

/** The types that a user gives by names, for topics of which nothing else tells the type. */
export class TypeTable {
  readonly #types: ReadonlyMap<string, string>;

  /** The rows must be valid (see `typeTableFault`). */
  constructor(rows: readonly TypeTableRow[]) {
    this.#types = new Map(rows.map(({ name, type }) => [name, type]));
  }

  /** The type of a topic: by its whole name, otherwise by the last part. */
  typeOf(rosName: string): string | undefined {
    return this.#types.get(rosName) ?? this.#types.get(rosName.slice(rosName.lastIndexOf('/') + 1));
  }
}

/** Says what is wrong with a row, or with its place after others that it repeats; `undefined` when it is valid. */
export function typeTableFault(
  { name, type }: TypeTableRow,
  before: readonly TypeTableRow[],
): string | undefined {
  const nameFault = rosNameFault(name.startsWith('/') ? name : `/${name}`);
  if (nameFault !== undefined) return nameFault;
  if (!name.startsWith('/') && name.includes('/')) {
    return `"${name}" is neither a whole ROS name, which starts with /, nor the last part of one`;
  }
  if (before.some((row) => row.name === name)) return `"${name}" stands in the table twice`;
  return messageTypeFault(type);
}

/** Says what is wrong with the type of a topic, or `undefined` when it is valid. */
export function messageTypeFault(type: string): string | undefined {
  const fault = interfaceTypeFault(type);
  if (fault !== undefined || isMessageType(type)) return fault;
  return `"${type}" is a service or an action, not a message`;
}
