import { createHash } from 'node:crypto';
import type { InterfaceLibrary } from './interface-library';
import type { MessageDefinition, MessageField } from './message-definition';
import { UnknownTypeError } from './message-layout';

/** A type and all that it contains: `type_description_interfaces/msg/TypeDescription`, without default values. */
export interface TypeDescription {
  type_description: IndividualTypeDescription;
  /** By name. */
  referenced_type_descriptions: IndividualTypeDescription[];
}

interface IndividualTypeDescription {
  type_name: string;
  fields: { name: string; type: FieldType }[];
}

interface FieldType {
  type_id: number;
  /** Elements of an array, or most elements of a sequence; 0 without a limit. */
  capacity: number;
  /** Most characters of a string; 0 without a limit. */
  string_capacity: number;
  /** Empty for a primitive. */
  nested_type_name: string;
}

export const NESTED_TYPE = 1;
/** `type_description_interfaces/msg/FieldType`; what a `.msg` calls char is a uint8 to rosidl. */
export const TYPE_IDS: Readonly<Record<string, number>> = {
  int8: 2,
  uint8: 3,
  char: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float32: 10,
  float64: 11,
  bool: 15,
  byte: 16,
  string: 17,
  wstring: 18,
};
export const BOUNDED_STRING_OFFSET = 4;
export const ARRAY_OFFSET = 48;
export const BOUNDED_SEQUENCE_OFFSET = 96;
export const UNBOUNDED_SEQUENCE_OFFSET = 144;

/** What rosidl gives a message without fields. */
export const EMPTY_FIELD: MessageField = { name: 'structure_needs_at_least_one_member', type: 'uint8' };

/**
 * Describes a message, service or action as ROS 2 does. Throws UnknownTypeError when the library does not know it or
 * one that it contains. Source: REP-2016; rosidl_generator_type_description.
 */
export function describeType(library: Pick<InterfaceLibrary, 'get'>, type: string): TypeDescription {
  const described = new Map<string, IndividualTypeDescription>();
  const visit = (name: string): IndividualTypeDescription => {
    const definition = library.get(name);
    if (definition === undefined) throw new UnknownTypeError(`no definition of type ${name}`);
    const description = describe(definition);
    described.set(name, description);
    for (const { nested_type_name: nested } of description.fields.map((field) => field.type)) {
      if (nested !== '' && !described.has(nested)) visit(nested);
    }
    return description;
  };
  const description = visit(type);
  described.delete(type);
  const byName = (a: IndividualTypeDescription, b: IndividualTypeDescription) =>
    a.type_name < b.type_name ? -1 : 1;
  return {
    type_description: description,
    referenced_type_descriptions: [...described.values()].sort(byName),
  };
}

/**
 * The hash of a type by the ROS Interface Hashing Standard, `RIHS01_` and 64 hexadecimal digits: SHA-256 of the
 * description's JSON in the form that Python writes. Source: REP-2016; rosidl_generator_type_description,
 * `calculate_type_hash`.
 */
export function hashOf(description: TypeDescription): string {
  const types = (all: IndividualTypeDescription[]) => `[${all.map(individualJson).join(', ')}]`;
  const json = `{"type_description": ${individualJson(description.type_description)}, "referenced_type_descriptions": ${types(description.referenced_type_descriptions)}}`;
  return `RIHS01_${createHash('sha256').update(json).digest('hex')}`;
}

/** The hash of a type of a library. Throws like `describeType`. */
export function typeHash(library: Pick<InterfaceLibrary, 'get'>, type: string): string {
  return hashOf(describeType(library, type));
}

function describe({ name, fields }: MessageDefinition): IndividualTypeDescription {
  const described = fields.length === 0 ? [EMPTY_FIELD] : fields;
  return {
    type_name: name,
    fields: described.map((field) => ({ name: field.name, type: fieldType(field) })),
  };
}

function fieldType({ type, array, stringBound }: MessageField): FieldType {
  const primitive = Object.hasOwn(TYPE_IDS, type) ? TYPE_IDS[type] : undefined;
  let id = primitive ?? NESTED_TYPE;
  if (stringBound !== undefined) id += BOUNDED_STRING_OFFSET;
  if (array?.length !== undefined) id += ARRAY_OFFSET;
  else if (array?.bound !== undefined) id += BOUNDED_SEQUENCE_OFFSET;
  else if (array !== undefined) id += UNBOUNDED_SEQUENCE_OFFSET;
  return {
    type_id: id,
    capacity: array?.length ?? array?.bound ?? 0,
    string_capacity: stringBound ?? 0,
    nested_type_name: primitive === undefined ? type : '',
  };
}

function individualJson({ type_name, fields }: IndividualTypeDescription): string {
  const json = fields.map(
    ({ name, type }) =>
      `{"name": "${name}", "type": {"type_id": ${type.type_id}, "capacity": ${type.capacity}, "string_capacity": ${type.string_capacity}, "nested_type_name": "${type.nested_type_name}"}}`,
  );
  return `{"type_name": "${type_name}", "fields": [${json.join(', ')}]}`;
}
