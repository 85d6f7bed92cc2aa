import type { InterfaceLibrary } from '../../src/ros/interface-library';
import type { MessageDefinition, MessageField } from '../../src/ros/message-definition';
import { isMessageType } from '../../src/ros/names';
import type { Random } from '../random';

/** Types with what no bundled type has: bounds, defaults, fixed arrays of strings and messages, odd field names. */
export const unusualTypes: MessageDefinition[] = [
  {
    name: 'odd_msgs/msg/Inner',
    fields: [
      { name: 'octet', type: 'byte' },
      { name: 'label', type: 'string', stringBound: 5, default: 'none' },
      { name: 'long', type: 'int64', default: -5 },
    ],
    constants: [],
  },
  {
    name: 'odd_msgs/msg/Outer',
    fields: [
      { name: 'constructor', type: 'uint8' },
      { name: 'class', type: 'odd_msgs/msg/Inner', array: { length: 2 } },
      { name: 'some', type: 'odd_msgs/msg/Inner', array: { bound: 3 } },
      { name: 'nothing', type: 'std_msgs/msg/Empty', array: {} },
      { name: 'names', type: 'string', array: { length: 2 }, default: ['a', 'b'] },
      { name: 'bools', type: 'bool', array: {} },
      { name: 'longs', type: 'int64', array: {} },
      { name: 'ulongs', type: 'uint64', array: { bound: 4 } },
      { name: 'shorts', type: 'int16', array: { length: 3 }, default: [1, -2, 3] },
      { name: 'ushorts', type: 'uint16', array: {} },
      { name: 'ints', type: 'int32', array: {} },
      { name: 'uints', type: 'uint32', array: {} },
      { name: 'small', type: 'int8', array: {} },
      { name: 'id', type: 'uint8', array: { length: 16 } },
      { name: 'chars', type: 'char', array: { bound: 8 } },
      { name: 'floats', type: 'float32', array: {} },
      { name: 'doubles', type: 'float64', array: { bound: 5 } },
      { name: 'wide', type: 'wstring', default: '\u00e9' },
      { name: 'wides', type: 'wstring', array: {}, stringBound: 3 },
    ],
    constants: [],
  },
  {
    name: 'odd_msgs/msg/Long',
    fields: [
      { name: 'doubles', type: 'float64', array: { length: 100 } },
      { name: 'longs', type: 'int64', array: { length: 100 } },
      { name: 'flag', type: 'bool' },
      { name: 'flags', type: 'bool', array: { length: 100 } },
      { name: 'short', type: 'int16' },
      { name: 'more', type: 'uint32', array: { length: 300 } },
    ],
    constants: [],
  },
];

const TEXTS = [
  '',
  'a',
  'map',
  'h\u00e9llo',
  '\uc548\ub155',
  '\u{1f600}',
  '"\\/\b\f\n\r\t\u0000\u001f\u007f\u2028',
  'x'.repeat(70),
];
const SPECIAL_DOUBLES = [
  0,
  -0,
  1,
  -1,
  0.1,
  1e-9,
  1e21,
  1e300,
  5e-324,
  'NaN',
  'Infinity',
  '-Infinity',
  123456.789,
];

/** The names of all types that can be sent. */
export function messageTypes(library: InterfaceLibrary): string[] {
  return library.names().filter(isMessageType);
}

/** A value of a type in the one JSON form in which it is written (so that reading what was written gives the same). */
export function randomMessage(
  library: InterfaceLibrary,
  type: string,
  random: Random,
): Record<string, unknown> {
  const entries = library.get(type)?.fields.map((field) => [field.name, randomField(library, field, random)]);
  return Object.fromEntries(entries as [string, unknown][]);
}

function randomField(library: InterfaceLibrary, field: MessageField, random: Random): unknown {
  const { type, array } = field;
  if (array === undefined) return randomElement(library, field, random);
  const length = array.length ?? random.below(Math.min(array.bound ?? 4, 4) + 1);
  if (type === 'uint8' || type === 'byte' || type === 'char') {
    return Buffer.from(random.times(length, () => random.below(256))).toString('base64');
  }
  return random.times(length, () => randomElement(library, field, random));
}

function randomElement(
  library: InterfaceLibrary,
  { type, stringBound }: MessageField,
  random: Random,
): unknown {
  const bits = /^u?int(8|16|32|64)$/.exec(type)?.[1];
  if (bits !== undefined) return randomInteger(Number(bits), type.startsWith('u'), random);
  switch (type) {
    case 'bool':
      return random.below(2) === 1;
    case 'byte':
    case 'char':
      return random.below(256);
    case 'float32':
      return randomFloat(random, (bytes) => bytes.readFloatLE(), SPECIAL_DOUBLES.slice(0, 4));
    case 'float64':
      return randomFloat(random, (bytes) => bytes.readDoubleLE(), SPECIAL_DOUBLES);
    case 'wstring': {
      const text = random.pick([...TEXTS, '\ud800', '\udc00\ud800']);
      return text.slice(0, stringBound);
    }
    case 'string': {
      const text = random.pick(TEXTS);
      return stringBound === undefined || Buffer.byteLength(text) <= stringBound
        ? text
        : 'x'.repeat(stringBound);
    }
    default:
      return randomMessage(library, type, random);
  }
}

function randomInteger(bits: number, unsigned: boolean, random: Random): number | string {
  const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
  const limited = random.below(3) === 0 ? wide % 1000n : wide;
  const exact = unsigned ? BigInt.asUintN(bits, limited) : BigInt.asIntN(bits, limited);
  return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact.toString();
}

function randomFloat(random: Random, read: (bytes: Buffer) => number, special: unknown[]): unknown {
  if (random.below(2) === 0) return random.pick(special);
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(random.next(), 0);
  bytes.writeUInt32LE(random.next(), 4);
  const value = read(bytes);
  return Number.isFinite(value) ? value : 'NaN';
}
