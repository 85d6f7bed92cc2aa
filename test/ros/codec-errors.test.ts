import assert from 'node:assert/strict';
import { runInNewContext } from 'node:vm';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { CdrError, MessageCodec, PayloadError } from '../../src/ros/message-codec';
import { Random } from '../random';
import { messageTypes, randomMessage, unusualTypes } from './random-message';

const library = InterfaceLibrary.bundled();
library.add(...unusualTypes);
const outer = MessageCodec.for(library, 'odd_msgs/msg/Outer');
const twist = MessageCodec.for(library, 'geometry_msgs/msg/Twist');

function refuses(codec: MessageCodec, payload: unknown, message: string): void {
  assert.throws(
    () => codec.encode(payload),
    (error) => {
      assert.ok(error instanceof PayloadError);
      assert.equal(error.message, message);
      assert.equal(message.startsWith(error.path === '' ? '' : `${error.path}: `), true);
      return true;
    },
  );
}

function single(type: string): MessageCodec {
  return MessageCodec.for(library, `std_msgs/msg/${type}`);
}

describe('A payload that does not fit its type', () => {
  it('is refused with the path to the fault', () => {
    refuses(twist, { angular: { z: 'fast' } }, 'angular.z: expected a number, got "fast"');
    refuses(twist, { linear: { x: true } }, 'linear.x: expected a number, got true');
    refuses(
      twist,
      { linear: [1, 2, 3] },
      'linear: expected an object (geometry_msgs/msg/Vector3), got an array of 3',
    );
    refuses(twist, { linear: null }, 'linear: expected an object (geometry_msgs/msg/Vector3), got null');
    refuses(twist, { linear: { w: 1 } }, 'linear: unknown field "w"; known are x, y, z');
    refuses(twist, { lin: {}, linear: {} }, 'unknown field "lin"; known are linear, angular');
    refuses(twist, 'go', 'expected an object (geometry_msgs/msg/Twist), got "go"');
    refuses(twist, undefined, 'expected an object (geometry_msgs/msg/Twist), got undefined');
    refuses(twist, new Map([['linear', {}]]), 'expected an object (geometry_msgs/msg/Twist), got a Map');
    refuses(outer, { some: [{}, { label: 5 }] }, 'some[1].label: expected a string, got 5');
    refuses(outer, { class: [{}, 7] }, 'class[1]: expected an object (odd_msgs/msg/Inner), got 7');
    refuses(outer, { class: [{}] }, 'class: expected 2 elements, got 1');
    refuses(outer, { names: 'ab' }, 'names: expected an array, got "ab"');
    refuses(outer, { names: ['a', 'b', 'c'] }, 'names: expected 2 elements, got 3');
    refuses(outer, { longs: { length: 3 } }, 'longs: expected an array, got an object');
    refuses(
      outer,
      { ints: [1, 2, undefined] },
      'ints[2]: expected an integer from -2147483648 to 2147483647, got undefined',
    );
    refuses(outer, { ints: Buffer.from('abc') }, 'ints: expected an array, got a Uint8Array');
    refuses(single('Empty'), { data: 1 }, 'unknown field "data"; known are none');
    refuses(single('Bool'), { data: 1 }, 'data: expected true or false, got 1');
    refuses(single('String'), { data: null }, 'data: expected a string, got null');
    refuses(single('Float64'), { data: '1' }, 'data: expected a number, got "1"');
  });

  it('is refused for integers out of range or not whole', () => {
    for (const [type, least, most] of [
      ['Int8', -128, 127],
      ['UInt8', 0, 255],
      ['Int16', -32768, 32767],
      ['UInt16', 0, 65535],
      ['Int32', -2147483648, 2147483647],
      ['UInt32', 0, 4294967295],
    ] as const) {
      for (const value of [least, most]) {
        assert.equal(single(type).decodeToJson(single(type).encode({ data: value })), `{"data":${value}}`);
      }
      for (const value of [least - 1, most + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        refuses(
          single(type),
          { data: value },
          `data: expected an integer from ${least} to ${most}, got ${value}`,
        );
      }
      refuses(single(type), { data: '1' }, `data: expected an integer from ${least} to ${most}, got "1"`);
      refuses(single(type), { data: 1n }, `data: expected an integer from ${least} to ${most}, got 1n`);
    }
    for (const value of [
      2 ** 53,
      0.5,
      '9223372036854775808',
      '1.0',
      '',
      '0x10',
      ' 1',
      '1e3',
      '-',
      '01',
      true,
      null,
    ]) {
      assert.throws(
        () => single('Int64').encode({ data: value }),
        /^PayloadError: data: expected an integer \(int64; beyond 2\^53 as a decimal string\), got /,
      );
    }
    for (const value of [-1, '-1', '18446744073709551616', -1n, 2n ** 64n]) {
      assert.throws(
        () => single('UInt64').encode({ data: value }),
        /^PayloadError: data: expected an integer from 0 \(uint64; /,
      );
    }
    assert.throws(
      () => single('Float32').encode({ data: 1e39 }),
      /^PayloadError: data: expected a float32, got 1e\+39/,
    );
  });

  it('is refused beyond its bounds', () => {
    refuses(outer, { some: [{}, {}, {}, {}] }, 'some: expected at most 3 elements, got 4');
    refuses(outer, { some: [{ label: 'ééé' }] }, 'some[0].label: expected at most 5 bytes of text, got 6');
    refuses(outer, { wides: ['abc', 'abcd'] }, 'wides[1]: expected at most 3 UTF-16 code units, got 4');
    refuses(outer, { chars: 'AAAAAAAAAAAA' }, 'chars: expected at most 8 bytes, got 9');
    refuses(outer, { chars: new Array(9).fill(0) }, 'chars: expected at most 8 bytes, got 9');
    refuses(outer, { id: 'AAAA' }, 'id: expected 16 bytes, got 3');
    refuses(outer, { id: Buffer.alloc(17) }, 'id: expected 16 bytes, got 17');
  });

  it('is refused for octets that are neither base64 nor bytes', () => {
    const codec = single('UInt8MultiArray');
    for (const text of [
      'A',
      'AA=',
      'AAAAA',
      'AA A',
      'AA\nAA\nAA',
      '====',
      'AAAA====',
      'AA==AA==',
      'é===',
      '{}{}',
    ]) {
      refuses(codec, { data: text }, `data: expected base64, got ${JSON.stringify(text)}`);
    }
    refuses(codec, { data: [1, 256] }, 'data[1]: expected an integer from 0 to 255, got 256');
    refuses(codec, { data: ['1'] }, 'data[0]: expected an integer from 0 to 255, got "1"');
    refuses(codec, { data: 5 }, 'data: expected base64 or an array of bytes, got 5');
    refuses(
      codec,
      { data: { type: 'Buffer', data: [1] } },
      'data: expected base64 or an array of bytes, got an object',
    );
    for (const data of ['AQID/w==', 'AQID/w', [1, 2, 3, 255], Buffer.from([1, 2, 3, 255])]) {
      assert.match(codec.decodeToJson(codec.encode({ data })), /"data":"AQID\/w=="/);
    }
  });

  it('is refused for text that no ROS string can carry', () => {
    assert.throws(() => single('String').encodeFromJson('{"data":"\\ud800"}'), /data: .* a lone surrogate/);
    assert.throws(() => single('String').encodeFromJson('{"data":"x\\udc00"}'), /data: .* a lone surrogate/);
  });

  it('is refused when it is not JSON', () => {
    for (const text of ['', 'hello', '{', '{"data":}', '{"data":NaN}', '\ufeff{}', '{"data":"\u0000"}']) {
      assert.throws(() => single('String').encodeFromJson(text), /^PayloadError: not valid JSON: /, text);
      assert.throws(
        () => single('String').encodeFromJson(Buffer.from(text)),
        /^PayloadError: not valid JSON: /,
        text,
      );
    }
    const latin1 = Buffer.from('{"data":"\xe9"}', 'latin1');
    assert.throws(() => single('String').encodeFromJson(latin1), /not valid JSON: invalid UTF-8/);
    assert.throws(() => single('String').encodeFromJson('['.repeat(1_000_000)), PayloadError);
    assert.throws(() => single('String').encodeFromJson('['.repeat(1000) + ']'.repeat(1000)), PayloadError);
  });

  it('cannot reach what objects inherit', () => {
    for (const key of ['__proto__', 'toString', 'constructor', 'hasOwnProperty']) {
      assert.throws(() => twist.encodeFromJson(`{"${key}":{"linear":{}}}`), /unknown field/);
    }
    assert.throws(
      () => twist.encodeFromJson('{"linear":{"__proto__":1}}'),
      /linear: unknown field "__proto__"/,
    );
    assert.equal(JSON.parse(outer.decodeToJson(outer.encodeFromJson('{}'))).constructor, 0);
    assert.equal(JSON.parse(outer.decodeToJson(outer.encodeFromJson('{"constructor":7}'))).constructor, 7);
    assert.throws(() => outer.encodeFromJson('{"constructor":"x"}'), /constructor: expected an integer/);
  });

  it('is refused when small JSON would become huge CDR', () => {
    const big = InterfaceLibrary.bundled();
    big.add({
      name: 'a/msg/Big',
      fields: [{ name: 'x', type: 'float64', array: { length: 100_000 } }],
      constants: [],
    });
    big.add({ name: 'a/msg/Bigs', fields: [{ name: 'all', type: 'a/msg/Big', array: {} }], constants: [] });
    const codec = MessageCodec.for(big, 'a/msg/Bigs');
    const payload = JSON.stringify({ all: new Array(200).fill({}) });
    assert.throws(
      () => codec.encodeFromJson(payload),
      /all\[167\]\.x\[\d+\]: more than 134217728 bytes of CDR/,
    );
    assert.equal(codec.encodeFromJson('{"all":[{}]}').length, 4 + 8 + 800_000);
  });

  it('leaves no trace in the next message', () => {
    const expected = twist.encode({ linear: { x: 1 } });
    assert.throws(() => outer.encode({ constructor: 200, longs: [1, 2, 'x'] }), PayloadError);
    assert.deepEqual(twist.encode({ linear: { x: 1 } }), expected);
  });

  it('is not what comes from another realm, nor typed arrays, nor null as a number', () => {
    const foreign = runInNewContext('({ linear: { x: 1 }, angular: Object.create(null) })');
    assert.deepEqual(twist.encode(foreign), twist.encode({ linear: { x: 1 } }));
    const octets = runInNewContext('({ id: new Uint8Array(16).fill(1) })');
    assert.deepEqual(outer.encode(octets), outer.encode({ id: new Array(16).fill(1) }));
    assert.deepEqual(
      outer.encode({
        doubles: Float64Array.of(1.5),
        longs: BigInt64Array.of(-1n),
        shorts: new Int16Array(3),
      }),
      outer.encode({ doubles: [1.5], longs: [-1], shorts: [0, 0, 0] }),
    );
    const double = single('Float64');
    for (const [value, json] of [
      [null, '"NaN"'],
      [Number.NaN, '"NaN"'],
      [Number.NEGATIVE_INFINITY, '"-Infinity"'],
    ]) {
      assert.equal(double.decodeToJson(double.encode({ data: value })), `{"data":${json}}`);
    }
    assert.deepEqual(double.encode({ data: undefined }), double.encode({ data: 0 }));
  });

  it('may itself encode while it is read', () => {
    const inner = twist.encode({ linear: { x: 9 } });
    const tricky = {
      get linear() {
        assert.deepEqual(twist.encode({ linear: { x: 9 } }), inner);
        return { x: 1 };
      },
      angular: { z: 2 },
    };
    assert.deepEqual(twist.encode(tricky), twist.encode({ linear: { x: 1 }, angular: { z: 2 } }));
  });
});

describe('CDR that is not a message of its type', () => {
  const decode = (codec: MessageCodec, hex: string) => () =>
    codec.decodeToJson(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

  it('is refused with a CdrError that says what is wrong', () => {
    const string = single('String');
    const wide = MessageCodec.for(library, 'example_interfaces/msg/WString');
    for (const [codec, hex, fault] of [
      [string, '', /String: CDR of 0 bytes is shorter than its header of 4/],
      [string, '000100', /CDR of 3 bytes is shorter/],
      [string, '00010000', /CDR ends at byte 4: 4 bytes expected at byte 4/],
      [
        string,
        '00030000 01000000 00',
        /representation 0x0003 is none of 0x0000, 0x0001 and 0x0006 to 0x0009/,
      ],
      [string, '000b0000 01000000 00', /representation 0x000b is none of/],
      [string, '01010000 01000000 00', /representation 0x0101 is none of/],
      [string, '00090000 ffffffff 01000000 00', /CDR ends at byte 13: 4294967295 bytes expected at byte 8/],
      [string, '00090000 04000000 01000000 00', /CDR has 1 bytes too few before byte 12/],
      [wide, '00070000 03000000 6100', /wide string of 3 bytes, which are no 16-bit characters/],
      [wide, '00070000 04000000 6100', /CDR ends at byte 10: 4 bytes expected at byte 8/],
      [string, '00010000 00000000', /string without its NUL at byte 8/],
      [string, '00010000 03000000 616263', /string at byte 8 does not end with NUL/],
      [string, '00010000 ffffffff 616200', /CDR ends at byte 11: 4294967295 bytes expected at byte 8/],
      [string, '00010000 04000000 616200', /CDR ends at byte 11: 4 bytes expected at byte 8/],
      [single('Empty'), '00010000', /CDR ends at byte 4/],
      [wide, '00010000 00000040', /CDR ends at byte 8: 4294967296 bytes expected at byte 8/],
      [wide, '00010000 01000000 0000', /CDR ends at byte 10/],
      [wide, '00010000 01000000 00000100', /wide character 65536 before byte 12 is above 65535/],
      [
        single('Int32MultiArray'),
        '00010000 ffffffff',
        /CDR ends at byte 8: 55834574835 bytes expected at byte 8/,
      ],
    ] as const) {
      assert.throws(
        decode(codec, hex),
        (error) => error instanceof CdrError && fault.test(error.message),
        hex,
      );
    }
  });

  it('is refused for more empty messages than there are bytes, before any is read', () => {
    const empties = InterfaceLibrary.bundled();
    empties.add({
      name: 'a/msg/T',
      fields: [{ name: 'all', type: 'std_msgs/msg/Empty', array: {} }],
      constants: [],
    });
    const codec = MessageCodec.for(empties, 'a/msg/T');
    assert.equal(decode(codec, '00010000 02000000 0000')(), '{"all":[{},{}]}');
    assert.throws(decode(codec, '00010000 03000000 0000'), /CDR ends at byte 10: 3 bytes expected at byte 8/);
  });

  it('is refused beyond the bounds of the type', () => {
    const bounded = InterfaceLibrary.bundled();
    bounded.add({
      name: 'a/msg/T',
      fields: [
        { name: 'text', type: 'string', stringBound: 2 },
        { name: 'list', type: 'uint8', array: { bound: 1 } },
      ],
      constants: [],
    });
    const codec = MessageCodec.for(bounded, 'a/msg/T');
    assert.equal(decode(codec, '00010000 03000000 61620000 01000000 07')(), '{"text":"ab","list":"Bw=="}');
    assert.throws(
      decode(codec, '00010000 04000000 61626300 00000000'),
      /string of 3 bytes exceeds its bound of 2/,
    );
    assert.throws(
      decode(codec, '00010000 01000000 00000000 02000000 0102'),
      /2 elements exceeds its bound of 1/,
    );
  });

  it('shows invalid UTF-8 as U+FFFD and keeps the rest', () => {
    const string = single('String');
    assert.equal(decode(string, '00010000 04000000 61ff6200')(), '{"data":"a\ufffdb"}');
    assert.equal(decode(string, '00010000 04000000 61006200')(), '{"data":"a\\u0000b"}');
  });

  it('is refused wherever it is cut off', () => {
    const random = new Random(7);
    for (const type of [
      'odd_msgs/msg/Outer',
      'sensor_msgs/msg/PointCloud2',
      'visualization_msgs/msg/Marker',
    ]) {
      const codec = MessageCodec.for(library, type);
      const cdr = codec.encode(randomMessage(library, type, random));
      for (let length = 0; length < cdr.length; length++) {
        assert.throws(
          () => codec.decodeToJson(cdr.subarray(0, length)),
          CdrError,
          `${type} cut at ${length}`,
        );
      }
    }
  });

  it('never gives anything but a CdrError or JSON of a size in proportion, for any type and any bytes', () => {
    const random = new Random(8);
    let decoded = 0;
    for (let round = 0; round < 16; round++) {
      for (const type of messageTypes(library)) {
        const codec = MessageCodec.for(library, type);
        let cdr = codec.encode(randomMessage(library, type, random));
        if (round % 4 === 0) {
          cdr = Buffer.from([
            0,
            random.pick([0, 1, 6, 7, 8, 9]),
            0,
            0,
            ...random.times(random.below(200), () => random.pick([0, 0, 0, 1, 2, 255])),
          ]);
        } else {
          for (let flips = 0; flips < 3; flips++) cdr[4 + random.below(cdr.length - 4)] = random.below(256);
          if (round % 4 === 1) cdr[1] = random.pick([0, 7, 9]);
        }
        try {
          const json = codec.decodeToJson(cdr);
          JSON.parse(json);
          assert.ok(json.length < 2000 + cdr.length * 200, `${type}: ${json.length} from ${cdr.length}`);
          decoded++;
        } catch (error) {
          if (!(error instanceof CdrError)) throw error;
        }
      }
    }
    assert.ok(decoded > 500, `only ${decoded} decoded`);
  });

  it('cannot multiply into a text longer than an MQTT packet', () => {
    const wide = InterfaceLibrary.bundled();
    const fields = Array.from({ length: 40 }, (_, index) => ({
      name: `a${'b'.repeat(60)}${index}`,
      type: 'std_msgs/msg/Empty',
    }));
    wide.add({ name: 'a/msg/Wide', fields, constants: [] });
    wide.add({
      name: 'a/msg/Wides',
      fields: [{ name: 'all', type: 'a/msg/Wide', array: {} }],
      constants: [],
    });
    const cdr = Buffer.alloc(4 + 4 + 40 * 120_000);
    cdr.writeUInt32BE(0x00010000, 0);
    cdr.writeUInt32LE(120_000, 4);
    const codec = MessageCodec.for(wide, 'a/msg/Wides');
    assert.throws(
      () => codec.decodeToJson(cdr),
      /Wides: the JSON text of the message is longer than 268435455 bytes/,
    );
    cdr.writeUInt32LE(1, 4);
    assert.equal(JSON.parse(codec.decodeToJson(cdr)).all.length, 1);
  });
});

describe('JSON that is damaged at random', () => {
  it('gives nothing but CDR or a PayloadError', () => {
    const random = new Random(9);
    let encoded = 0;
    for (let round = 0; round < 8; round++) {
      for (const type of messageTypes(library)) {
        const codec = MessageCodec.for(library, type);
        const json = Buffer.from(codec.decodeToJson(codec.encode(randomMessage(library, type, random))));
        for (let flips = 0; flips < 2; flips++)
          json[random.below(json.length)] = random.pick(Buffer.from('{}[]",:0-9etx\\\xff', 'latin1'));
        try {
          codec.decodeToJson(codec.encodeFromJson(json));
          encoded++;
        } catch (error) {
          if (!(error instanceof PayloadError)) throw error;
        }
      }
    }
    assert.ok(encoded > 20, `only ${encoded} encoded`);
  });
});
