import { type CdrForm, type CdrReader, NUMBERS_AT_ONCE } from './cdr-reader';
import { GeneratedCode } from './generated-code';
import { writeFloat32, writeFloat64, writeInteger } from './json-number';
import { type JsonText, literal } from './json-text';
import {
  isFixedSizePrimitive,
  isNumberType,
  isOctet,
  isPrimitive,
  type MessageDefinition,
  type MessageField,
} from './message-definition';
import type { MessageLayout } from './message-layout';

/** Reads one message and writes its JSON text. Throws CdrError. */
export type MessageDecoder = (reader: CdrReader, text: JsonText) => void;

/** Stands around constant text in the code that is being made, so that pieces that meet become one. */
const MARK = '\0';
const MARKED = /\0([^\0]*)\0/g;

/** A message with at most so many fields, all of them single values, is written where it is used. */
const MAX_INLINE_FIELDS = 8;

/**
 * Generates the decoder of a type for one form of CDR: one function per message type in it, in which `r` is the reader
 * and `t` the text. A Twist becomes
 *
 *     function d1(r,t){ t.literal(c4);t.float64(r.float64());t.literal(c5);t.float64(r.float64()); … }
 */
export function compileDecoder(layout: MessageLayout, form: CdrForm): MessageDecoder {
  const code = new GeneratedCode();
  const functions = new Map<string, string>();
  const definitions = new Map(layout.definitions.map((definition) => [definition.name, definition]));
  const integers = code.constant(writeInteger);
  const writers: Partial<Record<string, string>> = {
    float32: code.constant(writeFloat32),
    float64: code.constant(writeFloat64),
  };
  for (const definition of layout.definitions) {
    const name = `d${functions.size}`;
    const body = messageCode(definition)
      .replaceAll(MARK + MARK, '')
      .replaceAll(MARKED, (_, text: string) => `t.literal(${code.constant(literal(text))});`);
    code.add(`function ${name}(r,t){let n=0,m=0;${body}}`);
    functions.set(definition.name, name);
  }
  return code.compile(`d${functions.size - 1}`) as MessageDecoder;

  function messageCode({ fields }: MessageDefinition): string {
    const parts = fields.map(
      (field, index) => `${constant(`${index === 0 ? '{' : ','}"${field.name}":`)}${fieldCode(field)}`,
    );
    // A message without fields is sent as one byte.
    const whole = fields.length === 0 ? `r.uint8();${constant('{}')}` : `${parts.join('')}${constant('}')}`;
    return form === 'delimited' ? delimited(whole) : whole;
  }

  function fieldCode(field: MessageField): string {
    const { type, array } = field;
    if (array === undefined) return elementCode(field);
    const count =
      array.length === undefined
        ? `r.sequence(${layout.leastBytes(type)},${array.bound ?? 0xffffffff})`
        : `${array.length}`;
    if (isOctet(type)) return `n=${count};r.octets(n);t.base64(r.buffer,r.position-n,n);`;
    const [step, next] = isNumberType(type)
      ? [
          NUMBERS_AT_ONCE,
          `n=Math.min(m-i,${NUMBERS_AT_ONCE});t.elements(r.numbers("${type}",n),n,i===0,${writers[type] ?? integers});`,
        ]
      : [1, `if(i>0)t.character(${','.charCodeAt(0)});${elementCode(field)}`];
    const elements = `${constant('[')}m=${count};for(let i=0;i<m;i+=${step}){${next}}${constant(']')}`;
    // DDS-XTypes 1.3, 7.4.3.5.3, rules 9 and 12: in XCDR2 the size of elements that are no primitives comes first.
    return form === 'xcdr1' || isFixedSizePrimitive(type) ? elements : delimited(elements);
  }

  function elementCode({ type, stringBound }: MessageField): string {
    if (type === 'string') {
      return `n=r.string(${stringBound ?? 0xffffffff});t.string(r.buffer,r.position-n-1,n);`;
    }
    if (type === 'wstring') return `t.text(r.wstring(${stringBound ?? 0xffffffff}));`;
    if (!isFixedSizePrimitive(type)) {
      const definition = definitions.get(type) as MessageDefinition;
      return isSmall(definition) ? messageCode(definition) : `${functions.get(type)}(r,t);`;
    }
    const read = type === 'byte' || type === 'char' ? 'uint8' : type;
    const write = type === 'bool' || type === 'float32' || type === 'float64' ? type : 'integer';
    return `t.${write}(r.${read}());`;
  }
}

function isSmall({ fields }: MessageDefinition): boolean {
  const single = ({ type, array }: MessageField) => array === undefined && isPrimitive(type);
  return fields.length <= MAX_INLINE_FIELDS && fields.every(single);
}

function constant(text: string): string {
  return MARK + text + MARK;
}

function delimited(inside: string): string {
  return `{const end=r.enter();${inside}r.leave(end);}`;
}
