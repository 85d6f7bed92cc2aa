import type { DefaultValue, MessageConstant, MessageField } from './message-definition';

/** The value of a constant, or of one element of a default. */
type Literal = MessageConstant['value'];

const INTEGER = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)$/;
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL_FLOAT = /^([+-]?)(nan|inf|infinity)$/i;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
};

/** Most digits of an integer, so that a long one costs no time. */
const MAX_DIGITS = 80;

/**
 * Reads a literal of a definition as rosidl_adapter does: integers also in hexadecimal, octal and binary, 64-bit ones
 * as a bigint where a number would not be exact; strings with or without quotes.
 * @throws Error that names the literal and what was expected
 */
export function parseLiteral(type: string, text: string): Literal {
  if (type === 'bool') {
    if (/^(?:true|1)$/i.test(text)) return true;
    if (/^(?:false|0)$/i.test(text)) return false;
    return unexpected('true or false', text);
  }
  if (type === 'string' || type === 'wstring') return stringOf(text);
  if (type === 'float32' || type === 'float64') return floatOf(text);
  return integerOf(type, text);
}

/** Reads the default of a field: a literal, or for an array literals in brackets. Throws like `parseLiteral`. */
export function parseDefault({ type, array }: MessageField, text: string): DefaultValue {
  if (array === undefined) return parseLiteral(type, text);
  if (!text.startsWith('[') || !text.endsWith(']')) return unexpected('an array like [1, 2]', text);
  const elements = splitElements(text.slice(1, -1)).map((element) => parseLiteral(type, element));
  const { length, bound = length } = array;
  if (length !== undefined && elements.length !== length) {
    return unexpected(`${length} elements`, `${elements.length}`);
  }
  if (bound !== undefined && elements.length > bound) {
    return unexpected(`at most ${bound} elements`, `${elements.length}`);
  }
  return elements;
}

function integerOf(type: string, text: string): number | bigint {
  const [, sign, digits] = (text.length <= MAX_DIGITS && INTEGER.exec(text)) || [];
  const [least, most] = integerRange(type);
  if (digits !== undefined) {
    const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
    if (value >= least && value <= most) return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  return unexpected(`an integer from ${least} to ${most}`, text);
}

function integerRange(type: string): [bigint, bigint] {
  if (type === 'byte' || type === 'char') return [0n, 255n];
  const bits = BigInt(/\d+$/.exec(type)?.[0] as string);
  return type.startsWith('u') ? [0n, 2n ** bits - 1n] : [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n];
}

function floatOf(text: string): number {
  if (FLOAT.test(text)) return Number(text);
  const [, sign, word] = SPECIAL_FLOAT.exec(text) ?? [];
  if (word === undefined) return unexpected('a number', text);
  if (word.toLowerCase() === 'nan') return Number.NaN;
  return sign === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

function stringOf(text: string): string {
  const quote = text[0];
  const quoted = (quote === '"' || quote === "'") && text.length > 1 && text.endsWith(quote);
  const content = quoted ? text.slice(1, -1) : text;
  let value = '';
  for (let at = 0; at < content.length; at++) {
    const character = content[at] as string;
    if (quoted && character === quote) return unexpected(`a string whose inner ${quote} is escaped`, text);
    if (character !== '\\' || at === content.length - 1) {
      value += character;
      continue;
    }
    const escaped = content[++at] as string;
    value += ESCAPES[escaped] ?? (/["'\\]/.test(escaped) ? escaped : `\\${escaped}`);
  }
  return value;
}

/** The elements of an array between commas, of which those in quotes are none. */
function splitElements(text: string): string[] {
  if (text.trim() === '') return [];
  const elements: string[] = [];
  let element = '';
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (quote === '' && character === ',') {
      elements.push(element.trim());
      element = '';
      continue;
    }
    element += character;
    if (character === '\\') element += text[++at] ?? '';
    else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
  }
  return [...elements, element.trim()];
}

function unexpected(expected: string, found: string): never {
  const shown = found.length > 40 ? `${found.slice(0, 40)}…` : found;
  throw new Error(`expected ${expected}, got ${shown === '' ? 'nothing' : shown}`);
}
