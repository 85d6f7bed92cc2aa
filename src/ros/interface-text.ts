import { DefinitionError } from './definition-error';
import { actionTypes, type InterfacePart, serviceTypes } from './derived-types';
import { parseDefault, parseLiteral } from './literal';
import {
  isPrimitive,
  type MessageConstant,
  type MessageDefinition,
  type MessageField,
  messageDefinitionFault,
} from './message-definition';
import { constantNameFault, interfaceTypeFault } from './names';

/** Longest text of definitions, in characters; ROS's own files stay below 20,000. */
const MAX_TEXT = 1024 * 1024;
/** Most fields and constants of one message. */
const MAX_ENTRIES = 4096;

/** The parts that a definition consists of, by its kind; a line of `---` is between them. */
const PARTS = {
  msg: ['message'],
  srv: ['request', 'response'],
  action: ['goal', 'result', 'feedback'],
} as const;

type Kind = keyof typeof PARTS;

interface Line {
  /** From 1. */
  number: number;
  text: string;
}

/**
 * Reads the text of a `.msg`, `.srv` or `.action` file and returns its messages; for a service or an action also what
 * rosidl derives from it. Source: rosidl_adapter's parser, whose rules these are.
 * @param type its canonical name, `my_msgs/srv/Start`, which says what kind it is
 * @param source names the text in errors
 * @throws DefinitionError
 */
export function parseInterface(type: string, text: string, source = type): MessageDefinition[] {
  checkLength(text, source);
  return parseLines(type, linesOf(text), source);
}

/**
 * Reads several definitions: each begins after a line of `=` with one of `MSG: package/msg/Name` (or `package/Name`),
 * `SRV:` or `ACTION:`, as tools print them and rosbag2 records them. What stands before the first such line is the
 * definition of `first`. Lines behind a field that are indented by a tab define the field's type, as in the output of
 * `ros2 interface show`.
 * @throws DefinitionError
 */
export function parseInterfaces(text: string, source: string, first?: string): MessageDefinition[] {
  checkLength(text, source);
  const definitions: MessageDefinition[] = [];
  let type = first;
  let section: Line[] = [];
  const finish = () => {
    if (type !== undefined) definitions.push(...parseLines(type, section, source));
    else {
      const stray = section.find(({ text }) => content(text) !== '');
      if (stray !== undefined) fail(source, stray, 'expected a line like "MSG: my_msgs/msg/Name" before it');
    }
    section = [];
  };
  for (const line of linesOf(text)) {
    const [, kind, name] = /^\s*(MSG|SRV|ACTION):\s*(\S+)\s*$/.exec(line.text) ?? [];
    if (kind !== undefined && name !== undefined) {
      finish();
      type = canonicalType(name, kind.toLowerCase() as Kind);
    } else if (!/^\s*={3,}\s*$/.test(line.text)) section.push(line);
  }
  finish();
  return definitions;
}

function parseLines(type: string, lines: Line[], source: string): MessageDefinition[] {
  const fault = interfaceTypeFault(type);
  if (fault !== undefined) throw new DefinitionError(`${source}: ${fault}`);
  const [packageName, kind, name] = type.split('/') as [string, Kind, string];
  if (kind !== 'msg' && name.includes('_')) {
    throw new DefinitionError(
      `${source}: "${name}" is not the name of a service or action like "AddTwoInts"`,
    );
  }
  const parts: Line[][] = [[]];
  for (const line of lines) {
    if (line.text.trimEnd() === '---') parts.push([]);
    else parts.at(-1)?.push(line);
  }
  const expected = PARTS[kind];
  if (parts.length !== expected.length) {
    const separators = expected.length === 1 ? 'no line' : expected.length === 2 ? 'one line' : 'two lines';
    throw new DefinitionError(
      `${source}: expected ${expected.join(', ')} with ${separators} of "---", found ${parts.length - 1}`,
    );
  }
  const nested: MessageDefinition[] = [];
  const [first, second, third] = parts.map((part) => parsePart(part, packageName, source, nested));
  const definitions =
    third !== undefined && second !== undefined && first !== undefined
      ? actionTypes(type, first, second, third)
      : second !== undefined && first !== undefined
        ? serviceTypes(type, first, second)
        : [{ name: type, ...(first as InterfacePart) }];
  const all = [...definitions, ...nested];
  for (const definition of all) {
    const found = messageDefinitionFault(definition);
    if (found !== undefined) throw new DefinitionError(`${source}: ${found}`);
  }
  return all;
}

/** Reads the fields and constants of one message; the types that indented lines define go to `nested`. */
function parsePart(
  lines: Line[],
  packageName: string,
  source: string,
  nested: MessageDefinition[],
): InterfacePart {
  const fields: MessageField[] = [];
  const constants: MessageConstant[] = [];
  const names = new Set<string>();
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] as Line;
    const text = content(line.text);
    if (text === '') continue;
    if (line.text.startsWith('\t')) {
      const type = fields.at(-1)?.type;
      if (type === undefined || isPrimitive(type))
        fail(source, line, 'indented behind no field of a message type');
      const inner: Line[] = [];
      for (; lines[index] !== undefined && isInner(lines[index] as Line); index++) {
        const { number, text } = lines[index] as Line;
        inner.push({ number, text: text.slice(1) });
      }
      index--;
      nested.push({ name: type, ...parsePart(inner, type.slice(0, type.indexOf('/')), source, nested) });
      continue;
    }
    const [, type = '', rest = ''] = /^(\S+)\s*(.*)$/.exec(text) ?? [];
    try {
      const entry = rest.includes('=') ? parseConstant(type, rest) : parseField(type, rest, packageName);
      if (names.has(entry.name)) throw new Error(`"${entry.name}" is there twice`);
      names.add(entry.name);
      if ('value' in entry) constants.push(entry);
      else fields.push(entry);
    } catch (error) {
      fail(source, line, (error as Error).message);
    }
    if (names.size > MAX_ENTRIES) fail(source, line, `expected at most ${MAX_ENTRIES} fields and constants`);
  }
  return { fields, constants };
}

function isInner({ text }: Line): boolean {
  return text.startsWith('\t') || content(text) === '';
}

function parseConstant(type: string, rest: string): MessageConstant {
  const equals = rest.indexOf('=');
  const name = rest.slice(0, equals).trimEnd();
  const fault = constantNameFault(name);
  if (fault !== undefined) throw new Error(fault);
  if (!isPrimitive(type))
    throw new Error(`constant "${name}": expected a primitive type, got ${shorten(type)}`);
  return { name, type, value: located(name, () => parseLiteral(type, rest.slice(equals + 1).trimStart())) };
}

function parseField(type: string, rest: string, packageName: string): MessageField {
  const [, name = '', value = ''] = /^(\S*)\s*(.*)$/.exec(rest) ?? [];
  if (name === '') throw new Error(`expected a type and a name like "float64 x", got ${shorten(type)}`);
  const field: MessageField = { name, ...parseType(type, packageName) };
  if (value === '') return field;
  if (!isPrimitive(field.type)) throw new Error(`field "${name}": only primitive types have a default`);
  field.default = located(name, () => parseDefault(field, value));
  return field;
}

function parseType(text: string, packageName: string): Omit<MessageField, 'name'> {
  const [, element, brackets, atMost, size] = /^([^[\]]+)(\[(<=)?(\d*)\])?$/.exec(text) ?? [];
  const [, stringType, stringBound] = /^(w?string)<=(\d+)$/.exec(element ?? '') ?? [];
  const type = stringType ?? element ?? '';
  const field: Omit<MessageField, 'name'> = {
    type: isPrimitive(type)
      ? type
      : canonicalType(type.includes('/') ? type : `${packageName}/${type}`, 'msg'),
  };
  const unfinished = brackets !== undefined && atMost !== undefined && size === '';
  if (unfinished || (!isPrimitive(field.type) && interfaceTypeFault(field.type) !== undefined)) {
    throw new Error(
      `expected a type like float64, string<=10, uint8[16], float32[<=5] or geometry_msgs/Point, got ${shorten(text)}`,
    );
  }
  if (brackets !== undefined) {
    field.array =
      size === '' ? {} : atMost === undefined ? { length: Number(size) } : { bound: Number(size) };
  }
  if (stringBound !== undefined) field.stringBound = Number(stringBound);
  return field;
}

/** `std_msgs/Header` -> `std_msgs/msg/Header`. */
function canonicalType(name: string, kind: Kind): string {
  return name.split('/').length === 2 ? name.replace('/', `/${kind}/`) : name;
}

/** The line without its comment, which starts at the first `#`, also in quotes, as rosidl_adapter has it. */
function content(line: string): string {
  const comment = line.indexOf('#');
  return (comment < 0 ? line : line.slice(0, comment)).trim();
}

function linesOf(text: string): Line[] {
  return text.split(/\r\n|\r|\n/).map((line, index) => ({ number: index + 1, text: line }));
}

function located<T>(name: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`"${name}": ${(error as Error).message}`);
  }
}

function checkLength(text: string, source: string): void {
  if (text.length > MAX_TEXT) {
    throw new DefinitionError(`${source}: ${text.length} characters; at most ${MAX_TEXT} are read`);
  }
}

function fail(source: string, { number }: Line, message: string): never {
  throw new DefinitionError(`${source}:${number}: ${message}`);
}

function shorten(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
