import { type CdrWriter, FLOAT32_LIMIT } from './cdr-writer';
import { GeneratedCode } from './generated-code';
import { JSON_NUMBERS_AT_ONCE, type JsonReader } from './json-reader';
import {
  isFixedSizePrimitive,
  isNumberType,
  isOctet,
  isPrimitive,
  type MessageField,
} from './message-definition';
import type { MessageLayout } from './message-layout';
import { PayloadError, refuse } from './payload-error';

export interface MessageEncoder {
  /** Writes one message from a value of any origin. Throws PayloadError. */
  encode(writer: CdrWriter, value: unknown): void;
  /** Writes one message from JSON text. Throws where `JsonReader` does, and PayloadError without a path. */
  transcode(reader: JsonReader, writer: CdrWriter): void;
}

/**
 * Generates the encoder of a type: two functions per message type in it. One writes a value, in which `w` is the writer, `m` the message,
 * `v` the value of the present field, `k` the field's number and `i` the index in its array (-1 outside of one), `s`
 * how many fields were there. A Vector3 becomes
 *
 *     function e0(w,m){ check(m,"geometry_msgs/msg/Vector3");let v,n,k=0,i=-1,s=0;try{
 *       v=m.x;if(v===undefined)v=0;else s++;w.float64(v);
 *       k=1;v=m.y;…
 *     }catch(e){throw locate(e,names,k,i)}if(s!==Object.keys(m).length)refuseUnknown(m,names)}
 *
 * The other reads JSON from the reader `r` without making a value of it, and writes what is absent like the first:
 *
 *     function j0(r,w){ let v,n,i,b,s=0;r.openObject();
 *       if(r.field(c0,s)){s++;w.float64(r.number());}else{v=0;w.float64(v);}
 *       …
 *     r.closeObject(); }
 */
export function compileEncoder(layout: MessageLayout): MessageEncoder {
  const code = new GeneratedCode();
  const functions = new Map<string, string>();
  const support = {
    check: code.constant(checkMessage),
    locate: code.constant(locate),
    refuseUnknown: code.constant(refuseUnknown),
    own: code.constant(own),
  };
  for (const definition of layout.definitions) {
    const name = `e${functions.size}`;
    const names = code.constant(definition.fields.map((field) => field.name));
    code.add(`function ${name}(w,m){${support.check}(m,${code.constant(definition.name)});
let v,n,k=0,i=-1,s=0;try{${definition.fields.map((field, number) => `k=${number};${fieldCode(field)}`).join('\n')}
}catch(e){throw ${support.locate}(e,${names},k,i)}
if(s!==Object.keys(m).length)${support.refuseUnknown}(m,${names});
${definition.fields.length === 0 ? 'w.uint8(0);' : ''}}`);
    code.add(`function j${functions.size}(r,w){let v,n,i,b,s=0;r.openObject();
${definition.fields.map(transcodingCode).join('\n')}
r.closeObject();${definition.fields.length === 0 ? 'w.uint8(0);' : ''}}`);
    functions.set(definition.name, name);
  }
  const last = functions.size - 1;
  return code.compile(`{encode:e${last},transcode:j${last}}`) as MessageEncoder;

  function fieldCode(field: MessageField): string {
    const { name } = field;
    // What an object inherits is not a field of the message.
    const read = name in Object.prototype ? `${support.own}(m,${code.constant(name)})` : `m.${name}`;
    const fallback = code.constant(defaultOf(field));
    return `v=${read};if(v===undefined)v=${fallback};else s++;${valueCode(field)}`;
  }

  /** Writes the field's value `v`. */
  function valueCode(field: MessageField): string {
    const { type, array } = field;
    if (array === undefined) return elementCode(field, 'v');
    const limit = limitOf(field);
    if (isOctet(type))
      return `w.${array.length === undefined ? 'octetSequence' : 'fixedOctets'}(v,${limit});`;
    const open = `v=w.${array.length === undefined ? 'sequence' : 'fixed'}(v,${limit});n=v.length;`;
    return `${open}for(i=0;i<n;i++){${elementCode(field, 'v[i]')}}i=-1;`;
  }

  function transcodingCode(field: MessageField): string {
    const key = code.constant(Buffer.from(`"${field.name}"`));
    const fallback = code.constant(defaultOf(field));
    return `if(r.field(${key},s)){s++;${transcodedValueCode(field)}}else{v=${fallback};${valueCode(field)}}`;
  }

  /** Writes the field's value, which is next in the JSON. */
  function transcodedValueCode(field: MessageField): string {
    const { type, array } = field;
    if (array === undefined) return transcodedElementCode(field);
    const limit = limitOf(field);
    if (isNumberType(type) && !isOctet(type)) {
      const write = isFloat(type) ? `w.${type}s(r.values,n);` : `for(let q=0;q<n;q++)w.${type}(r.values[q]);`;
      const most = type === 'float32' ? FLOAT32_LIMIT : Infinity;
      const elements = `r.openArray();i=0;do{n=r.numbers(i,${most});${write}i+=n;}while(n===${JSON_NUMBERS_AT_ONCE});`;
      return array.length === undefined
        ? `b=w.beginSequence();${elements}w.endSequence(b,i,${limit});`
        : `${elements}r.require(i===${limit});`;
    }
    const elements = `r.openArray();for(i=0;r.element(i);i++){${transcodedElementCode(field)}}`;
    const whole =
      array.length === undefined
        ? `b=w.beginSequence();${elements}w.endSequence(b,i,${limit});`
        : `${elements}r.require(i===${limit});`;
    if (!isOctet(type)) return whole;
    const octets = array.length === undefined ? 'octetSequence' : 'fixedOctets';
    return `if(r.isArray()){${whole}}else w.${octets}(r.ascii(),${limit});`;
  }

  function transcodedElementCode({ type, stringBound }: MessageField): string {
    if (type === 'string') return `r.string(w,${stringBound ?? 0xffffffff});`;
    if (type === 'wstring') return `w.wstring(r.text(),${stringBound ?? 0xffffffff});`;
    if (!isFixedSizePrimitive(type)) return `${functions.get(type)?.replace('e', 'j')}(r,w);`;
    if (type === 'bool') return 'w.bool(r.bool());';
    if (isFloat(type)) return `w.${type}(r.number());`;
    return `w.${type === 'byte' || type === 'char' ? 'uint8' : type}(r.integer());`;
  }

  function elementCode({ type, stringBound }: MessageField, value: string): string {
    if (type === 'string' || type === 'wstring') return `w.${type}(${value},${stringBound ?? 0xffffffff});`;
    if (!isFixedSizePrimitive(type)) return `${functions.get(type)}(w,${value});`;
    return `w.${type === 'byte' || type === 'char' ? 'uint8' : type}(${value});`;
  }
}

function isFloat(type: string): boolean {
  return type === 'float32' || type === 'float64';
}

/** Most elements of an array. */
function limitOf({ array }: MessageField): number {
  return array?.length ?? array?.bound ?? 0xffffffff;
}

/** What a missing field means. */
function defaultOf(field: MessageField): unknown {
  if (field.default !== undefined) return field.default;
  const { type, array } = field;
  const element = type === 'bool' ? false : isFixedSizePrimitive(type) ? 0 : isPrimitive(type) ? '' : {};
  if (array === undefined) return element;
  if (isOctet(type)) return Buffer.alloc(array.length ?? 0);
  return new Array(array.length ?? 0).fill(element);
}

function checkMessage(value: unknown, type: string): void {
  // A Map or a Date has no fields either, and would otherwise pass for a message with nothing but defaults.
  const plain =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    (Object.keys(value).length > 0 || Object.prototype.toString.call(value) === '[object Object]');
  if (!plain) refuse(`an object (${type})`, value);
}

function locate(error: unknown, names: readonly string[], field: number, index: number): unknown {
  if (!(error instanceof PayloadError)) return error;
  const inArray = index < 0 ? error : error.within(`[${index}]`);
  return inArray.within(names[field] as string);
}

/** Called when a message has other keys than its type has fields. */
function refuseUnknown(message: object, names: readonly string[]): void {
  for (const key of Object.keys(message)) {
    if (names.includes(key)) continue;
    const shown = key.length > 40 ? `${key.slice(0, 40)}…` : key;
    throw new PayloadError(`unknown field ${JSON.stringify(shown)}; known are ${names.join(', ') || 'none'}`);
  }
}

function own(message: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(message, name)?.value;
}
