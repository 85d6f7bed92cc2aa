import { fieldNameFault, interfaceTypeFault } from './names';

/** Bytes in CDR of the primitive types that have a fixed size. */
export const PRIMITIVE_SIZES = {
  bool: 1,
  byte: 1,
  char: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
} as const;

/** A primitive type of a fixed size. */
export type FixedSizePrimitive = keyof typeof PRIMITIVE_SIZES;

/** A primitive type whose values are JavaScript's numbers and whose arrays are written as such. */
export type NumberType = Exclude<FixedSizePrimitive, 'bool' | 'byte' | 'char' | 'int64' | 'uint64'>;

export type DefaultValue =
  | string
  | number
  | bigint
  | boolean
  | readonly (string | number | bigint | boolean)[];

/** A field of a message. */
export interface MessageField {
  name: string;
  /** A primitive type (`float64`, `string`, `wstring`, …), or the canonical name of a message (`std_msgs/msg/Header`). */
  type: string;
  /** Present when the field is an array: of `length` elements, or else a sequence of at most `bound`. */
  array?: { length?: number; bound?: number };
  /** Most bytes that a string (or each string of an array) may have; of a wstring UTF-16 code units. */
  stringBound?: number;
  /** What a missing field means; without it zero, false, empty, or the defaults of the nested message. */
  default?: DefaultValue;
}

/** A constant of a message, which is not sent. */
export interface MessageConstant {
  name: string;
  type: string;
  value: string | number | bigint | boolean;
}

/** What a `.msg` file says, or one of the messages of a `.srv` or `.action` file. */
export interface MessageDefinition {
  /** The canonical name, `sensor_msgs/msg/Imu`. */
  name: string;
  fields: readonly MessageField[];
  constants: readonly MessageConstant[];
}

/** Whether the type is a primitive of a fixed size. */
export function isFixedSizePrimitive(type: string): type is FixedSizePrimitive {
  return Object.hasOwn(PRIMITIVE_SIZES, type);
}

/** Whether the type is one whose values are JavaScript's numbers. */
export function isNumberType(type: string): type is NumberType {
  return /^(?:u?int(?:8|16|32)|float(?:32|64))$/.test(type);
}

/** Whether the type is a primitive, of a fixed size or a string. */
export function isPrimitive(type: string): boolean {
  return isFixedSizePrimitive(type) || type === 'string' || type === 'wstring';
}

/** Whether an array of the type is written as base64 in JSON. */
export function isOctet(type: string): boolean {
  return type === 'uint8' || type === 'byte' || type === 'char';
}

/** Says what is wrong with a definition, or `undefined` when codecs can be generated from it. */
export function messageDefinitionFault(definition: MessageDefinition): string | undefined {
  const fault = interfaceTypeFault(definition.name);
  if (fault !== undefined) return fault;
  const names = new Set<string>();
  for (const field of definition.fields) {
    const found = names.has(field.name) ? `"${field.name}" is there twice` : fieldFault(field);
    if (found !== undefined) return `${definition.name}: ${found}`;
    names.add(field.name);
  }
  return undefined;
}

function fieldFault({ name, type, array, stringBound }: MessageField): string | undefined {
  const fault = fieldNameFault(name);
  if (fault !== undefined) return fault;
  if (!isPrimitive(type)) {
    const typeFault = interfaceTypeFault(type);
    if (typeFault !== undefined) return `field "${name}": ${typeFault}`;
  }
  if (stringBound !== undefined && type !== 'string' && type !== 'wstring')
    return `field "${name}": only strings have a string bound`;
  for (const limit of [array?.length, array?.bound, stringBound]) {
    if (limit !== undefined && !(Number.isInteger(limit) && limit > 0 && limit < 2 ** 32)) {
      return `field "${name}": ${limit} is not a valid length or bound`;
    }
  }
  return undefined;
}
