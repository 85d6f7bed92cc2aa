/** The types of JSON Schema's `type`. */
type TypeName = 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'null';

/**
 * The part of JSON Schema 2020-12 that this API is described with and held to: what stands in the OpenAPI document is
 * what requests are checked against.
 */
export interface Schema {
  readonly type?: TypeName;
  readonly enum?: readonly (string | number)[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  /** Annotations, which check nothing. */
  readonly format?: string;
  readonly contentEncoding?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly writeOnly?: boolean;
}

type Required<S extends Schema> = S['required'] extends readonly (infer Name)[] ? Name : never;

type Properties<S extends Schema, P extends { readonly [name: string]: Schema }> = {
  [Name in keyof P as Name extends Required<S> ? Name : never]: ValueOf<P[Name]>;
} & {
  [Name in keyof P as Name extends Required<S> ? never : Name]?: ValueOf<P[Name]>;
};

/** The schema of an object with these properties, all of which are there but the optional ones, and no others. */
export function objectOf<
  const P extends { readonly [name: string]: Schema },
  const Optional extends keyof P & string = never,
>(properties: P, optional: readonly Optional[] = []) {
  type Name = Exclude<keyof P & string, Optional>;
  const isRequired = (name: string): name is Name => !(optional as readonly string[]).includes(name);
  return {
    type: 'object',
    properties,
    required: Object.keys(properties).filter(isRequired),
    additionalProperties: false,
  } as const;
}

/** The TypeScript type of the values that a schema allows, where it is a constant of this program. */
export type ValueOf<S extends Schema> = S extends { enum: readonly (infer Value)[] }
  ? Value
  : S extends { anyOf: readonly (infer Each extends Schema)[] }
    ? ValueOf<Each>
    : S extends { type: 'string' }
      ? string
      : S extends { type: 'integer' | 'number' }
        ? number
        : S extends { type: 'boolean' }
          ? boolean
          : S extends { type: 'array'; items: infer Items extends Schema }
            ? ValueOf<Items>[]
            : S extends { type: 'object'; properties: infer P extends { readonly [name: string]: Schema } }
              ? Properties<S, P>
              : S extends { type: 'object'; additionalProperties: infer Each extends Schema }
                ? Record<string, ValueOf<Each>>
                : unknown;

/** What is wrong with a value. */
interface SchemaFault {
  /** Where, with dots: `will.topic`; empty for the value as a whole. */
  field: string;
  /** Names the field, the value and what was expected. */
  message: string;
}

/** What quotes a value in a message, in characters. */
const MOST_SHOWN = 60;

/** Says what a value has that its schema does not allow, or `undefined`. */
export function schemaFault(schema: Schema, value: unknown, field = ''): SchemaFault | undefined {
  if (schema.anyOf !== undefined) {
    if (schema.anyOf.some((each) => schemaFault(each, value, field) === undefined)) return undefined;
    const alike = schema.anyOf.filter(({ type }) => type !== undefined && hasType(type, value));
    // Which says what within it is wrong.
    if (alike.length === 1) return schemaFault(alike[0] as Schema, value, field);
    return unexpected(field, value, schema.anyOf.map(expectation).join(', or '));
  }
  if (schema.enum !== undefined && !schema.enum.includes(value as string | number)) {
    return unexpected(field, value, expectation(schema));
  }
  if (schema.type !== undefined && !hasType(schema.type, value)) {
    return unexpected(field, value, expectation(schema));
  }
  if (typeof value === 'number') return numberFault(schema, value, field);
  if (typeof value === 'string') return textFault(schema, value, field);
  if (Array.isArray(value)) return arrayFault(schema, value, field);
  if (typeof value === 'object' && value !== null) return objectFault(schema, value, field);
  return undefined;
}

function hasType(type: TypeName, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'null':
      return value === null;
    default:
      return typeof value === type;
  }
}

function numberFault(schema: Schema, value: number, field: string): SchemaFault | undefined {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema;
  return value < minimum || value > maximum ? unexpected(field, value, expectation(schema)) : undefined;
}

function textFault(schema: Schema, value: string, field: string): SchemaFault | undefined {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern } = schema;
  // JSON Schema counts characters, which may be of two units.
  if (value.length < minLength || (value.length > maxLength && [...value].length > maxLength)) {
    return unexpected(field, value, expectation(schema));
  }
  if (minLength > 1 && [...value].length < minLength) return unexpected(field, value, expectation(schema));
  if (pattern === undefined || patternOf(pattern).test(value)) return undefined;
  return unexpected(field, value, expectation(schema));
}

function arrayFault(schema: Schema, value: readonly unknown[], field: string): SchemaFault | undefined {
  if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)) {
    return {
      field,
      message: `${named(field)} has ${value.length} entries, expected at most ${schema.maxItems}`,
    };
  }
  if (schema.items === undefined) return undefined;
  for (const [index, entry] of value.entries()) {
    const fault = schemaFault(schema.items, entry, joined(field, String(index)));
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function objectFault(schema: Schema, value: object, field: string): SchemaFault | undefined {
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) {
      const missing = joined(field, name);
      return { field: missing, message: `${missing} is missing` };
    }
  }
  const entries = Object.entries(value);
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  if (entries.length < minProperties || entries.length > maxProperties) {
    return {
      field,
      message: `${named(field)} has ${entries.length} entries, expected ${minProperties} to ${maxProperties}`,
    };
  }
  const { properties = {}, additionalProperties = true } = schema;
  for (const [name, entry] of entries) {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const at = joined(field, name);
    if (known === undefined && additionalProperties === false) {
      return {
        field: at,
        message: `${shortened(at)} is unknown, expected ${Object.keys(properties).join(', ')}`,
      };
    }
    const rule = known ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
    const fault = rule === undefined ? undefined : schemaFault(rule, entry, at);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const patterns = new Map<string, RegExp>();

/** The patterns are those of this program's schemas, so there are not many. */
function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    pattern = new RegExp(source, 'u');
    patterns.set(source, pattern);
  }
  return pattern;
}

function expectation(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.join(', ').replace(/, ([^,]*)$/, ' or $1');
  const { type, minimum, maximum, minLength, maxLength, pattern, description } = schema;
  if (pattern !== undefined && description !== undefined) return description;
  const noun = {
    string: 'text',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
    null: 'null',
  }[type ?? 'object'];
  if (minimum !== undefined && maximum !== undefined) return `${noun} from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${noun} from ${minimum} on`;
  if (maxLength !== undefined && minLength) return `${noun} of ${minLength} to ${maxLength} characters`;
  if (maxLength !== undefined) return `${noun} of at most ${maxLength} characters`;
  return minLength ? `${noun} that is not empty` : noun;
}

function unexpected(field: string, value: unknown, expected: string): SchemaFault {
  return { field, message: `${named(field)} is ${shown(value)}, expected ${expected}` };
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string') return JSON.stringify(shortened(value));
  return String(value);
}

const shortened = (text: string): string =>
  text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text;

const named = (field: string): string => (field === '' ? 'the body' : shortened(field));

const joined = (field: string, name: string): string => (field === '' ? name : `${field}.${name}`);
