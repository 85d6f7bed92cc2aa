import assert from 'node:assert/strict';
import { CdrWriter } from '../../src/ros/cdr-writer';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { JsonReader } from '../../src/ros/json-reader';
import { MessageCodec } from '../../src/ros/message-codec';
import { compileEncoder } from '../../src/ros/message-encoder';
import { layOut } from '../../src/ros/message-layout';
import { Random } from '../random';
import { messageTypes, randomMessage, unusualTypes } from './random-message';

const library = InterfaceLibrary.bundled();
library.add(...unusualTypes);

/** The CDR in hexadecimal, or why there is none. */
function outcome(codec: MessageCodec, json: Buffer | string): string {
  try {
    return codec.encodeFromJson(json).toString('hex');
  } catch (error) {
    return (error as Error).message;
  }
}

/** The codec reads bytes by `JsonReader` where it can, text always by `JSON.parse`: both must come to the same. */
function assertSame(codec: MessageCodec, json: string): void {
  const bytes = Buffer.from(json);
  // Not `json`: a cut may have left half a character there, which has no UTF-8.
  assert.equal(outcome(codec, bytes), outcome(codec, bytes.toString()), json);
}

/** Without escapes and without integers of more than 15 digits. */
function simplified(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(simplified);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, simplified(inner)]));
  }
  if (typeof value === 'number') return Number.isInteger(value) && Math.abs(value) >= 1e15 ? 7 : value;
  if (typeof value !== 'string') return value;
  if (/^-?\d+$/.test(value)) return 7;
  return JSON.stringify(value) === `"${value}"` ? value : 'x';
}

describe('JSON that is read without making a value of it', () => {
  it('is that of every known type, with any of its fields absent and with white space', () => {
    const random = new Random(11);
    for (const type of messageTypes(library)) {
      const codec = MessageCodec.for(library, type);
      const { transcode } = compileEncoder(layOut(library, type));
      const value = simplified(randomMessage(library, type, random)) as Record<string, unknown>;
      for (const space of [undefined, 1, '\t\r']) {
        for (const key of Object.keys(value)) if (random.below(4) === 0) delete value[key];
        const json = JSON.stringify(value, undefined, space);
        const writer = new CdrWriter();
        const reader = new JsonReader(Buffer.from(` ${json}\n`));
        transcode(reader, writer);
        reader.end();
        assert.equal(writer.toBuffer().toString('hex'), codec.encode(JSON.parse(json)).toString('hex'), json);
      }
    }
  });

  it('gives what JSON.parse gives, or the same fault, however it is damaged', () => {
    const random = new Random(12);
    for (const type of messageTypes(library)) {
      const codec = MessageCodec.for(library, type);
      for (let round = 0; round < 6; round++) {
        const json = JSON.stringify(randomMessage(library, type, random));
        assertSame(codec, json);
        const at = random.below(json.length);
        const insert = random.pick([
          ...'{}[]",:0-+9.eE \\',
          '',
          '',
          '\n',
          'null',
          '1e',
          '"x":1,',
          '\u00e9',
          '1'.repeat(20),
        ]);
        assertSame(codec, json.slice(0, at) + insert + json.slice(at + random.below(3)));
        assertSame(codec, json.slice(0, at));
      }
    }
  });

  it('reads numbers in every spelling as JSON.parse does', () => {
    const random = new Random(13);
    const codecs = ['Float64', 'Float32', 'Int8', 'Int32', 'Int64', 'UInt64', 'Bool'].map((name) => ({
      single: MessageCodec.for(library, `std_msgs/msg/${name}`),
      array: name === 'Bool' ? undefined : MessageCodec.for(library, `std_msgs/msg/${name}MultiArray`),
    }));
    const spellings = [
      ...[
        '0',
        '-0',
        '0.0',
        '-0.0',
        '00',
        '-00',
        '01',
        '-01',
        '-',
        '--1',
        '+1',
        '.5',
        '5.',
        '-.5',
        '1.e1',
        '1e',
        '1e+',
      ],
      ...['1e5', '1E5', '1e-5', '1e+5', '1.5e3', '0e0', '1e400', '-1e400', '1e-400', '1e39', '3.4028235e38'],
      ...['123456789', '1234567890', '2147483647', '2147483648', '4294967296', '-2147483648', '9999999999'],
      ...[
        '999999999999999',
        '9007199254740991',
        '9007199254740993',
        '9223372036854775807',
        '18446744073709551616',
      ],
      ...[
        '0.1',
        '0.12345678',
        '0.123456789',
        '0.1234567891',
        '12.3456789',
        '123456789.5',
        '1.7976931348623157e308',
      ],
      ...[
        '0.30000000000000004',
        '179769313486231570000',
        '0.000000000000000000000001',
        '5e-324',
        '2.2250738585072011e-308',
      ],
      ...[
        '9007199254740992.5',
        '4503599627370497.5',
        '0.9007199254740993',
        '123456789012345678',
        '1234567890123456789',
      ],
      ...[
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
        '"nan"',
        'null',
        'NaN',
        'Infinity',
        'true',
        'false',
        'tru',
        '"1"',
        '""',
      ],
      ...[
        '[]',
        '[1]',
        '{}',
        '1 ',
        ' 1',
        '1 2',
        '1,',
        ',1',
        '1,2',
        '1,,2',
        '1a',
        '1"',
        '0x10',
        '1_0',
        '\u0661',
      ],
      ...random.times(600, () => String((random.next() - 2 ** 31) / 10 ** random.below(20))),
      ...random.times(200, () => (random.next() / 2 ** 32).toPrecision(1 + random.below(21))),
      ...random.times(200, () => `${random.next()}${random.next()}`.slice(0, 1 + random.below(20))),
    ];
    for (const spelling of spellings) {
      for (const { single, array } of codecs) {
        assertSame(single, `{"data":${spelling}}`);
        if (array !== undefined) assertSame(array, `{"data":[${spelling}]}`);
        if (array !== undefined) assertSame(array, `{"data":[ 1 , ${spelling} ,7]}`);
      }
    }
  });

  it('reads strings, octets and arrays as JSON.parse does', () => {
    const string = MessageCodec.for(library, 'std_msgs/msg/String');
    for (const text of [
      '',
      'a',
      '\u00e9\u{1f600}',
      'x'.repeat(100),
      '\\"',
      '\\u00e9',
      '\\ud800',
      '\n',
      '\u007f',
      '"',
    ]) {
      assertSame(string, `{"data":"${text}"}`);
    }
    for (const json of [
      '{"data":"a',
      '{"data":"a}',
      '{"data":a}',
      '{"data":\'a\'}',
      '{data:"a"}',
      '["a"]',
      '"a"',
      '{}x',
    ]) {
      assertSame(string, json);
    }
    const octets = MessageCodec.for(library, 'std_msgs/msg/UInt8MultiArray');
    for (const data of [
      '"AQID"',
      '"AQI="',
      '"AQI"',
      '"A"',
      '"\\/\\/8="',
      '[1,2,255]',
      '[256]',
      '[1.5]',
      '[]',
      '""',
      '"',
      'null',
    ]) {
      assertSame(octets, `{"data":${data}}`);
    }
    const outer = MessageCodec.for(library, 'odd_msgs/msg/Outer');
    for (const json of [
      '{"class":[{},{}],"some":[]}',
      '{"class":[{}]}',
      '{"class":[{},{},{}]}',
      '{"some":[{},{},{},{}]}',
      '{"some":[{},]}',
      '{"some":[,{}]}',
      '{"some":{}}',
      '{"some":[{"label":"ééé"}]}',
      '{"shorts":[1,2,3]}',
      '{"shorts":[1,2]}',
      '{"shorts":[1,2,70000]}',
      '{"doubles":[1,2,3,4,5,6]}',
      '{"chars":[1,2,3,4,5,6,7,8,9]}',
      '{"id":[1]}',
      '{"wides":["abcd"]}',
      '{"wides":["\\ud800"]}',
      '{"names":["a","b"],"class":[{},{}]}',
      '{"nothing":[{},{}],"nothing":[]}',
      '{"constructor":1,"constructor":2}',
      '{"__proto__":{}}',
      '{"class" : [ {"octet" : 1 } , {} ] }',
    ]) {
      assertSame(outer, json);
    }
  });

  it('reads arrays of any length, and finds faults where it reads on', () => {
    const codec = MessageCodec.for(library, 'std_msgs/msg/Float32MultiArray');
    for (const length of [255, 256, 257, 511, 512, 513, 20_000]) {
      const numbers = Array.from({ length }, (_, index) => String(index / 4));
      const json = `{"data":[${numbers}]}`;
      assertSame(codec, json);
      assert.equal(codec.encodeFromJson(Buffer.from(json)).length, 4 + 8 + 4 + length * 4);
      assertSame(codec, `{"data":[${numbers.join(' ,\n')} ]}`);
      for (const fault of ['1e39', '-1e39', '1 2', ',', '', '"NaN"', '1e400', '01', '1.', 'x']) {
        for (const at of [254, 255, 256, 257]) {
          assertSame(codec, `{"data":[${numbers.toSpliced(at, 1, fault)}]}`);
        }
        assertSame(codec, `{"data":[${numbers},${fault}]}`);
        assertSame(codec, `{"data":[${numbers}${fault}`);
      }
    }
  });

  it('reads every bit pattern of a number, printed by JavaScript or as a float32', () => {
    const random = new Random(14);
    const bits = new DataView(new ArrayBuffer(8));
    const doubles = random.times(20_000, () => {
      bits.setUint32(0, random.next());
      bits.setUint32(4, random.next());
      return bits.getFloat64(0);
    });
    const floats = random.times(20_000, () => {
      bits.setUint32(0, random.next());
      return bits.getFloat32(0);
    });
    const thirds = floats.map((value) => value / 3);
    for (const [type, fits] of [
      ['Float32', (value: number) => Number.isFinite(Math.fround(value)) || !Number.isFinite(value)],
      ['Float64', () => true],
    ] as const) {
      const codec = MessageCodec.for(library, `std_msgs/msg/${type}MultiArray`);
      for (const values of [doubles, floats, thirds]) {
        const data = values.filter(fits);
        assertSame(codec, JSON.stringify({ data }));
        assertSame(codec, codec.decodeToJson(codec.encode({ data })));
      }
    }
  });
});
