import { DefinitionError } from './definition-error';
import { type MessageDefinition, type MessageField, messageDefinitionFault } from './message-definition';
import {
  ARRAY_OFFSET,
  BOUNDED_SEQUENCE_OFFSET,
  BOUNDED_STRING_OFFSET,
  describeType,
  EMPTY_FIELD,
  hashOf,
  NESTED_TYPE,
  TYPE_IDS,
  UNBOUNDED_SEQUENCE_OFFSET,
} from './type-description';

/** Primitive types by their ids; 3 is a uint8, which rosidl does not tell from a char. */
const TYPES = new Map(
  Object.entries(TYPE_IDS)
    .filter(([type]) => type !== 'char')
    .map(([type, id]) => [id, type]),
);

/**
 * The definitions of a type and of all that it contains, from the description that a robot gives of it. They are the
 * robot's only if they have the hash that discovery told of the type, and no others are returned, because code is
 * generated from them. Source: REP-2016.
 * @param described a `type_description_interfaces/msg/TypeDescription` in its JSON form
 * @param hash `RIHS01_…`
 * @throws DefinitionError that names the fault
 */
export function describedTypes(described: unknown, hash: string): MessageDefinition[] {
  const description = record(described, 'description');
  const referenced = list(description.referenced_type_descriptions, 'referenced_type_descriptions');
  const definitions = new Map<string, MessageDefinition>();
  for (const each of [description.type_description, ...referenced]) {
    const definition = definitionOf(record(each, 'type'));
    const fault = messageDefinitionFault(definition);
    if (fault !== undefined) throw new DefinitionError(`type description: ${fault}`);
    definitions.set(definition.name, definition);
  }
  const root = text(record(description.type_description, 'type').type_name, 'type_name');
  // Made anew of the definitions, so that nothing in them is beside what the hash stands for.
  const again = describe(definitions, root);
  const found = hashOf(again);
  if (found !== hash) {
    throw new DefinitionError(`type description of ${root}: its hash is ${found}, expected ${shorten(hash)}`);
  }
  const names = [again.type_description, ...again.referenced_type_descriptions].map((type) => type.type_name);
  return names.map((name) => definitions.get(name) as MessageDefinition);
}

function describe(definitions: ReadonlyMap<string, MessageDefinition>, type: string) {
  try {
    return describeType(definitions, type);
  } catch (error) {
    throw new DefinitionError(`type description: ${(error as Error).message}`);
  }
}

function definitionOf({ type_name, fields }: Record<string, unknown>): MessageDefinition {
  const found = list(fields, 'fields').map((field) => fieldOf(record(field, 'field')));
  const isEmpty = found.length === 1 && found[0]?.name === EMPTY_FIELD.name;
  return { name: text(type_name, 'type_name'), fields: isEmpty ? [] : found, constants: [] };
}

function fieldOf(field: Record<string, unknown>): MessageField {
  const name = text(field.name, 'name');
  const { type_id, capacity, string_capacity, nested_type_name } = record(field.type, 'type');
  const id = number(type_id, 'type_id');
  const element = id % ARRAY_OFFSET;
  const bounded = TYPES.get(element - BOUNDED_STRING_OFFSET);
  const isBounded = bounded === 'string' || bounded === 'wstring';
  const type = isBounded ? bounded : TYPES.get(element);
  if (type === undefined && element !== NESTED_TYPE) {
    throw new DefinitionError(
      `type description: field "${shorten(name)}" has the type ${id}, which ROS 2 has not`,
    );
  }
  return {
    name,
    type: type ?? text(nested_type_name, 'nested_type_name'),
    ...arrayOf(id - element, number(capacity, 'capacity')),
    ...(isBounded && { stringBound: number(string_capacity, 'string_capacity') }),
  };
}

function arrayOf(offset: number, capacity: number): Pick<MessageField, 'array'> {
  if (offset === ARRAY_OFFSET) return { array: { length: capacity } };
  if (offset === BOUNDED_SEQUENCE_OFFSET) return { array: { bound: capacity } };
  return offset === UNBOUNDED_SEQUENCE_OFFSET ? { array: {} } : {};
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return unexpected(name, 'an object');
  return value as Record<string, unknown>;
}

function list(value: unknown, name: string): unknown[] {
  return Array.isArray(value) ? value : unexpected(name, 'an array');
}

function text(value: unknown, name: string): string {
  return typeof value === 'string' ? value : unexpected(name, 'a string');
}

function number(value: unknown, name: string): number {
  return typeof value === 'number' ? value : unexpected(name, 'a number');
}

function unexpected(name: string, expected: string): never {
  throw new DefinitionError(`type description: expected ${name} to be ${expected}`);
}

function shorten(value: string): string {
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}
