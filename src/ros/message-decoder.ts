import type { CdrForm, CdrReader } from './cdr-reader';
import { GeneratedCode } from './generated-code';
import { NUMBER_ROOM } from './json-number';
import { type JsonText, literal } from './json-text';
import {
  type FixedSizePrimitive,
  isFixedSizePrimitive,
  isOctet,
  isPrimitive,
  type MessageDefinition,
  type MessageField,
  PRIMITIVE_SIZES,
} from './message-definition';
import type { MessageLayout } from './message-layout';
import { PRIMITIVE_TEXTS } from './primitive-text';

/** Reads one message and writes its JSON text. Throws CdrError. */
export type MessageDecoder = (reader: CdrReader, text: JsonText) => void;

/** What the JSON of a message is put together from: constant text, `count` primitives with commas between, or code. */
type Piece = string | Values | Code;
interface Values {
  type: FixedSizePrimitive;
  count: number;
}
interface Code {
  code: string;
}

/** A message with at most so many fields, all of them single values, is written where it is used. */
const MAX_INLINE_FIELDS = 8;

/** Most elements of an array that are written at once. */
const VALUES_AT_ONCE = 256;

/** Most bytes of a value in an array, with its comma. */
const ELEMENT_ROOM = NUMBER_ROOM + 1;

const COMMA = ','.charCodeAt(0);

/**
 * Generates the decoder of a type for one form of CDR: one function per message type in it, in which `r` is the reader
 * and `t` the text. Values of one size that follow each other are checked and aligned together, from `a` of the CDR on,
 * and written with the text around them from `p` of the text on, in words of four characters. A Vector3 becomes
 *
 *     function d0(r,t){ … p=t.reserve(114);b=t.bytes;w=t.view;s=r.view;l=r.littleEndian;
 *       w.setInt32(p,2065856546);w.setInt32(p+4,…);p+=5;a=r.take(8,24);p=c0(b,p,s,a,l);
 *       w.setInt32(p,…);…;p=c0(b,p,s,a+8,l);… t.advance(p); }
 */
export function compileDecoder(layout: MessageLayout, form: CdrForm): MessageDecoder {
  const code = new GeneratedCode();
  const functions = new Map<string, string>();
  const definitions = new Map(layout.definitions.map((definition) => [definition.name, definition]));
  const writers = new Map<FixedSizePrimitive, string>();
  for (const definition of layout.definitions) {
    const name = `d${functions.size}`;
    code.add(`function ${name}(r,t){let n=0,m=0,p=0,a=0,b,w,s,l;${codeOf(messagePieces(definition))}}`);
    functions.set(definition.name, name);
  }
  return code.compile(`d${functions.size - 1}`) as MessageDecoder;

  function messagePieces({ fields }: MessageDefinition): Piece[] {
    const pieces = fields.flatMap((field, index) => [
      `${index === 0 ? '{' : ','}"${field.name}":`,
      ...fieldPieces(field),
    ]);
    // A message without fields is sent as one byte.
    const whole = fields.length === 0 ? [{ code: 'r.take(1);' }, '{}'] : [...pieces, '}'];
    return form === 'delimited' ? delimited(whole) : whole;
  }

  function fieldPieces(field: MessageField): Piece[] {
    const { type, array } = field;
    if (array === undefined) return elementPieces(field);
    const { length } = array;
    const count = length ?? `r.sequence(${layout.leastBytes(type)},${array.bound ?? 0xffffffff})`;
    if (isOctet(type)) return [{ code: `n=${count};r.octets(n);t.base64(r.buffer,r.position-n,n);` }];
    if (isFixedSizePrimitive(type)) {
      const few = length !== undefined && length <= VALUES_AT_ONCE;
      return ['[', few ? { type, count: length } : { code: manyCode(type, count) }, ']'];
    }
    const each = `if(i>0)t.character(${COMMA});${codeOf(elementPieces(field))}`;
    const elements = ['[', { code: `m=${count};for(let i=0;i<m;i++){${each}}` }, ']'];
    // DDS-XTypes 1.3, 7.4.3.5.3, rules 9 and 12: in XCDR2 the size of elements that are no primitives comes first.
    return form === 'xcdr1' ? elements : delimited(elements);
  }

  function elementPieces({ type, stringBound }: MessageField): Piece[] {
    if (type === 'string') {
      return [{ code: `n=r.string(${stringBound ?? 0xffffffff});t.string(r.buffer,r.position-n-1,n);` }];
    }
    if (type === 'wstring') return [{ code: `t.text(r.wstring(${stringBound ?? 0xffffffff}));` }];
    if (isFixedSizePrimitive(type)) return [{ type, count: 1 }];
    const definition = definitions.get(type) as MessageDefinition;
    return isSmall(definition) ? messagePieces(definition) : [{ code: `${functions.get(type)}(r,t);` }];
  }

  function codeOf(pieces: Piece[]): string {
    let whole = '';
    let room: (string | Values)[] = [];
    let count = 0;
    for (const piece of [...pieces, { code: '' }]) {
      const isCode = typeof piece !== 'string' && 'code' in piece;
      const own = typeof piece !== 'string' && 'count' in piece ? piece.count : 0;
      count += own;
      if (isCode || count > VALUES_AT_ONCE) {
        whole += roomCode(room);
        room = [];
        count = own;
      }
      const last = room.at(-1);
      if (isCode) whole += piece.code;
      else if (typeof piece === 'string' && typeof last === 'string') room[room.length - 1] = last + piece;
      else room.push(piece);
    }
    return whole;
  }

  /** Writes pieces into room that is made for all of them. */
  function roomCode(pieces: (string | Values)[]): string {
    if (pieces.every((piece) => typeof piece === 'string')) {
      return pieces.length === 0 ? '' : `t.literal(${code.constant(literal(pieces.join('')))});`;
    }
    let parts = '';
    let room = 0;
    let size = 0;
    let offset = 0;
    for (const [index, piece] of pieces.entries()) {
      if (typeof piece === 'string') {
        const { words, length } = literal(piece);
        parts += Array.from(words, (word, number) => `w.setInt32(p+${number * 4},${word});`).join('');
        parts += `p+=${length};`;
        room += words.length * 4;
        continue;
      }
      const { type, count } = piece;
      if (size !== PRIMITIVE_SIZES[type]) {
        size = PRIMITIVE_SIZES[type];
        offset = 0;
        parts += `a=r.take(${size},${bytesOfSize(size, pieces.slice(index))});`;
      }
      const write = (from: string) => `p=${writerOf(type)}(b,p,s,${from},l);`;
      parts +=
        count === 1
          ? write(`a+${offset}`)
          : `for(let j=0;j<${count};j++){if(j>0)b[p++]=${COMMA};${write(`a+${offset}+j*${size}`)}}`;
      offset += count * size;
      room += count * ELEMENT_ROOM;
    }
    return `p=t.reserve(${room});b=t.bytes;w=t.view;s=r.view;l=r.littleEndian;${parts}t.advance(p);`;
  }

  /** Writes an array of any length. */
  function manyCode(type: FixedSizePrimitive, count: string | number): string {
    const size = PRIMITIVE_SIZES[type];
    const one = `if(i>0)b[p++]=${COMMA};p=${writerOf(type)}(b,p,s,a,l);a+=${size};`;
    const some = `p=t.reserve(${VALUES_AT_ONCE * ELEMENT_ROOM});b=t.bytes;for(n=Math.min(m,i+${VALUES_AT_ONCE});i<n;i++){${one}}t.advance(p);`;
    return `m=${count};if(m>0){a=r.take(${size},m*${size});s=r.view;l=r.littleEndian;for(let i=0;i<m;){${some}}}`;
  }

  function writerOf(type: FixedSizePrimitive): string {
    let name = writers.get(type);
    if (name === undefined) {
      name = code.constant(PRIMITIVE_TEXTS[type]);
      writers.set(type, name);
    }
    return name;
  }
}

/** Bytes of the values at the start that have this size each. */
function bytesOfSize(size: number, pieces: (string | Values)[]): number {
  const values = pieces.filter((piece) => typeof piece !== 'string');
  const others = values.findIndex(({ type }) => PRIMITIVE_SIZES[type] !== size);
  const count = values.slice(0, others < 0 ? undefined : others).reduce((sum, piece) => sum + piece.count, 0);
  return count * size;
}

function isSmall({ fields }: MessageDefinition): boolean {
  const single = ({ type, array }: MessageField) => array === undefined && isPrimitive(type);
  return fields.length <= MAX_INLINE_FIELDS && fields.every(single);
}

function delimited(inside: Piece[]): Piece[] {
  return [{ code: '{const end=r.enter();' }, ...inside, { code: 'r.leave(end);}' }];
}
