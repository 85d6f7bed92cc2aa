/** The kinds of values that parameters have, by their numbers. Source: rcl_interfaces/msg/ParameterType. */
const KINDS = [
  'not_set',
  'bool',
  'integer',
  'double',
  'string',
  'byte_array',
  'bool_array',
  'integer_array',
  'double_array',
  'string_array',
] as const;

export type ParameterKind = (typeof KINDS)[number];

/** A `rcl_interfaces/msg/ParameterValue` in its JSON form: the field `<kind>_value` of its kind counts. */
export type ParameterValue = { type: number } & Record<string, unknown>;

export function kindOf({ type }: ParameterValue): ParameterKind {
  return KINDS[type] ?? 'not_set';
}

/** The plain value; `null` where it is not set. */
export function plainValue(value: ParameterValue): unknown {
  const kind = kindOf(value);
  return kind === 'not_set' ? null : value[`${kind}_value`];
}

/**
 * What a plain value is as a parameter: of the kind that the parameter has now, else of the kind that it looks like.
 * `{"type": "double", "value": 2}` says its kind itself. Throws an Error where the kind cannot be told; whether the value
 * is of the kind is the codec's to check.
 */
export function parameterValue(plain: unknown, present: ParameterKind = 'not_set'): ParameterValue {
  const explicit = explicitKind(plain);
  if (explicit !== undefined) return typed(explicit.kind, explicit.value);
  if (plain === null) return typed('not_set', plain);
  return typed(present === 'not_set' ? apparentKind(plain) : present, plain);
}

function typed(kind: ParameterKind, value: unknown): ParameterValue {
  const type = KINDS.indexOf(kind);
  return kind === 'not_set' ? { type } : { type, [`${kind}_value`]: value };
}

function explicitKind(plain: unknown): { kind: ParameterKind; value: unknown } | undefined {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) return undefined;
  const { type, value } = plain as { type?: unknown; value?: unknown };
  const kind = KINDS.find((each) => each === type);
  if (kind !== undefined) return { kind, value };
  throw new Error(`expected a plain value, or an object with value and one of the types ${KINDS.join(', ')}`);
}

function apparentKind(plain: unknown): ParameterKind {
  if (typeof plain === 'boolean') return 'bool';
  if (typeof plain === 'number') return Number.isInteger(plain) ? 'integer' : 'double';
  if (typeof plain === 'string') return 'string';
  if (Array.isArray(plain) && plain.length > 0) {
    const kinds = new Set(plain.map(apparentKind));
    if (kinds.size === 2 && kinds.has('integer') && kinds.has('double')) return 'double_array';
    const [kind] = kinds;
    if (kinds.size === 1 && kind !== undefined && !kind.endsWith('_array'))
      return `${kind}_array` as ParameterKind;
  }
  throw new Error(
    'expected a boolean, a number, a text or a list of one of these; an empty list needs its type',
  );
}
