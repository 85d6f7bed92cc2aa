import type { CdrForm, CdrReader } from './cdr-reader';
import { GeneratedCode } from './generated-code';
import type { JsonText } from './json-text';
import {
  isFixedSizePrimitive,
  isOctet,
  type MessageDefinition,
  type MessageField,
} from './message-definition';
import type { MessageLayout } from './message-layout';

/** Reads one message and writes its JSON text. Throws CdrError. */
export type MessageDecoder = (reader: CdrReader, text: JsonText) => void;

/**
 * Generates the decoder of a type for one form of CDR: one function per message type in it, in which `r` is the reader
 * and `t` the text.
 * A Twist becomes
 *
 *     function d0(r,t){ t.literal(c0);t.float64(r.float64());t.literal(c1); … }
 *     function d1(r,t){ t.literal(c4);d0(r,t);t.literal(c5);d0(r,t);t.literal(c6); }
 */
export function compileDecoder(layout: MessageLayout, form: CdrForm): MessageDecoder {
  const code = new GeneratedCode();
  const functions = new Map<string, string>();
  for (const definition of layout.definitions) {
    const name = `d${functions.size}`;
    code.add(`function ${name}(r,t){${body(definition, layout, form, code, functions)}}`);
    functions.set(definition.name, name);
  }
  return code.compile(`d${functions.size - 1}`) as MessageDecoder;
}

function body(
  definition: MessageDefinition,
  layout: MessageLayout,
  form: CdrForm,
  code: GeneratedCode,
  functions: ReadonlyMap<string, string>,
): string {
  const literal = (text: string) =>
    `t.literal(${code.constant(Uint8Array.from(Buffer.from(text, 'latin1')))});`;
  const comma = `t.character(${','.charCodeAt(0)});`;

  const element = ({ type, stringBound }: MessageField): string => {
    if (type === 'string')
      return `n=r.string(${stringBound ?? 0xffffffff});t.string(r.buffer,r.position-n-1,n);`;
    if (type === 'wstring') return `t.text(r.wstring(${stringBound ?? 0xffffffff}));`;
    if (!isFixedSizePrimitive(type)) return `${functions.get(type)}(r,t);`;
    const read = type === 'byte' || type === 'char' ? 'uint8' : type;
    const write = type === 'bool' || type === 'float32' || type === 'float64' ? type : 'integer';
    return `t.${write}(r.${read}());`;
  };

  const value = (field: MessageField): string => {
    const { type, array } = field;
    if (array === undefined) return element(field);
    const count =
      array.length === undefined
        ? `r.sequence(${layout.leastBytes(type)},${array.bound ?? 0xffffffff})`
        : `${array.length}`;
    if (isOctet(type)) return `n=${count};r.octets(n);t.base64(r.buffer,r.position-n,n);`;
    const elements = `${literal('[')}m=${count};for(let i=0;i<m;i++){if(i>0)${comma}${element(field)}}${literal(']')}`;
    // DDS-XTypes 1.3, 7.4.3.5.3, rules 9 and 12: in XCDR2 the size of elements that are no primitives comes first.
    return form === 'xcdr1' || isFixedSizePrimitive(type) ? elements : delimited(elements);
  };

  const delimited = (inside: string) => `{const end=r.enter();${inside}r.leave(end);}`;
  const message = (inside: string) => (form === 'delimited' ? delimited(inside) : inside);

  // A message without fields is sent as one byte.
  if (definition.fields.length === 0) return message(`r.uint8();${literal('{}')}`);
  const parts = definition.fields.map(
    (field, index) => `${literal(`${index === 0 ? '{' : ','}"${field.name}":`)}${value(field)}`,
  );
  return `let n=0,m=0;${message(`${parts.join('')}${literal('}')}`)}`;
}
