import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { Random } from '../random';
import { messageTypes, randomMessage, unusualTypes } from './random-message';

const library = InterfaceLibrary.bundled();
library.add(...unusualTypes);

/** The text of a float32 field. */
function float32Text(value: number): string {
  const text = MessageCodec.for(library, 'std_msgs/msg/Float32').decodeToJson(
    MessageCodec.for(library, 'std_msgs/msg/Float32').encode({ data: value }),
  );
  return text.slice('{"data":'.length, -1);
}

describe('MessageCodec round trip', () => {
  it('is the identity for every known type, from JSON to CDR to JSON to CDR', () => {
    const random = new Random(3);
    for (const type of messageTypes(library)) {
      const codec = MessageCodec.for(library, type);
      for (let round = 0; round < 12; round++) {
        const value = randomMessage(library, type, random);
        const cdr = codec.encode(value);
        const json = codec.decodeToJson(cdr);
        // Not JSON.stringify(value): that has -0 as 0 and float32 with the digits of a double.
        const back: unknown = JSON.parse(json);
        assert.deepEqual(back, widened(value, JSON.parse(json)), type);
        assert.deepEqual(codec.encodeFromJson(json), cdr, type);
        assert.equal(codec.decodeToJsonBuffer(cdr).toString(), json);
      }
    }
  });

  it('reads a message that is padded behind its end, at any place in memory', () => {
    const codec = MessageCodec.for(library, 'odd_msgs/msg/Outer');
    const cdr = codec.encode(randomMessage(library, 'odd_msgs/msg/Outer', new Random(5)));
    const json = codec.decodeToJson(cdr);
    for (let shift = 0; shift < 8; shift++) {
      const moved = Buffer.alloc(cdr.length + 20).subarray(shift, shift + cdr.length + 3);
      cdr.copy(moved);
      assert.equal(codec.decodeToJson(moved), json);
    }
  });

  it('reads any character at any place of a string', () => {
    const codec = MessageCodec.for(library, 'std_msgs/msg/String');
    for (let length = 1; length < 10; length++) {
      for (let at = 0; at < length; at++) {
        for (let code = 0; code < 0x102; code++) {
          const data = 'x'.repeat(at) + String.fromCharCode(code) + 'x'.repeat(length - at - 1);
          assert.equal(codec.decodeToJson(codec.encode({ data })), JSON.stringify({ data }));
        }
      }
    }
  });

  it('grows for messages of any size, whatever field passes the end of the buffer', () => {
    const string = MessageCodec.for(library, 'std_msgs/msg/String');
    // The buffers that such a message needs are not kept: the next one starts with small ones.
    const startSmall = () => string.decodeToJson(string.encode({ data: 'x'.repeat(5_000_000) }));
    for (const field of ['bools', 'longs', 'ushorts', 'ints', 'uints', 'small', 'floats', 'nothing']) {
      const codec = MessageCodec.for(library, 'odd_msgs/msg/Outer');
      const element = field === 'bools' ? true : field === 'nothing' ? {} : 1;
      startSmall();
      const array = Array.from({ length: 70_000 }, () => element);
      const json = codec.decodeToJson(codec.encode({ [field]: array }));
      assert.deepEqual(JSON.parse(json)[field], array, field);
    }
    const octets = MessageCodec.for(library, 'std_msgs/msg/UInt8MultiArray');
    for (const size of [12 * 1024 - 1, 12 * 1024, 12 * 1024 + 1, 100_000, 6_000_000]) {
      const data = Buffer.alloc(size, 'abc\xff');
      startSmall();
      const cdr = octets.encode({ data });
      assert.ok(cdr.subarray(-size).equals(data));
      const base64 = data.toString('base64');
      assert.equal(JSON.parse(octets.decodeToJson(cdr)).data, base64);
      assert.ok(octets.encodeFromJson(octets.decodeToJsonBuffer(cdr)).equals(cdr));
    }
    for (const text of ['x', 'é', '"', '\u{1f600}']) {
      for (const count of [5_460, 16_384, 70_000, 3_000_000]) {
        startSmall();
        const data = text.repeat(count);
        assert.equal(JSON.parse(string.decodeToJson(string.encode({ data }))).data, data);
      }
    }
  });

  it('gives the defaults for missing fields', () => {
    const codec = MessageCodec.for(library, 'odd_msgs/msg/Outer');
    assert.deepEqual(
      JSON.parse(codec.decodeToJson(codec.encodeFromJson('{"class":[{"octet":1},{"long":7}]}'))),
      {
        constructor: 0,
        class: [
          { octet: 1, label: 'none', long: -5 },
          { octet: 0, label: 'none', long: 7 },
        ],
        some: [],
        nothing: [],
        names: ['a', 'b'],
        bools: [],
        longs: [],
        ulongs: [],
        shorts: [1, -2, 3],
        ushorts: [],
        ints: [],
        uints: [],
        small: [],
        id: 'AAAAAAAAAAAAAAAAAAAAAA==',
        chars: '',
        floats: [],
        doubles: [],
        wide: '\u00e9',
        wides: [],
      },
    );
    const quaternion = MessageCodec.for(library, 'geometry_msgs/msg/Quaternion');
    assert.equal(quaternion.decodeToJson(quaternion.encode({})), '{"x":0,"y":0,"z":0,"w":1}');
  });

  it('writes each number as the shortest text that reads back as the same', () => {
    for (const [value, text] of [
      [0, '0'],
      [-0, '-0'],
      [0.1, '0.1'],
      [-0.25, '-0.25'],
      [3.456, '3.456'],
      [16777216, '16777216'],
      [123456789, '123456790'],
      [0.001, '0.001'],
      [0.0009765625, '0.0009765625'],
      [999999.9375, '999999.94'],
      [1e-10, '1e-10'],
      [3.4028234663852886e38, '3.4028235e+38'],
      [1.401298464324817e-45, '1e-45'],
      ['NaN', '"NaN"'],
      [Number.POSITIVE_INFINITY, '"Infinity"'],
      ['-Infinity', '"-Infinity"'],
    ] as const) {
      assert.equal(float32Text(value as number), text);
    }
    const random = new Random(6);
    const double = MessageCodec.for(library, 'std_msgs/msg/Float64');
    const float = new Float32Array(1);
    const bits = new Uint32Array(float.buffer);
    for (let round = 0; round < 100_000; round++) {
      bits[0] = random.next();
      if (round % 2 === 0) float[0] = random.next() / 10 ** random.below(14);
      const value = float[0] as number;
      if (!Number.isFinite(value)) continue;
      const text = float32Text(value);
      assert.equal(Math.fround(Number(text)), value);
      // The length to beat: the fewest digits with which V8's own rounding reads back.
      let digits = 1;
      while (Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
      const significant = text.replace(/e.*/, '').replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
      assert.ok(significant.length <= digits || Math.abs(value) < 2 ** 24, `${value}: ${text}`);

      const wide = random.next() / 10 ** random.below(20) + (round % 3 === 0 ? random.next() * 1e6 : 0);
      for (const candidate of [wide, -wide, Math.round(wide * 1000) / 1000, value]) {
        const json = double.decodeToJson(double.encode({ data: candidate }));
        assert.equal(json, `{"data":${Object.is(candidate, -0) ? '-0' : String(candidate)}}`);
      }
    }
  });

  it('writes a double as JavaScript does, also beside powers of two and ten and with any number of digits', () => {
    const random = new Random(7);
    const bits = new BigUint64Array(1);
    const value = new Float64Array(bits.buffer);
    const powers = Array.from({ length: 90 }, (_, index) => [
      2 ** (index - 30),
      Number(`1e${index - 30}`),
    ]).flat();
    const data = powers.flatMap((power) =>
      Array.from({ length: 40 }, (_, index) => {
        value[0] = power;
        bits[0] = (bits[0] as bigint) + BigInt(index - 20);
        return value[0];
      }),
    );
    for (let digits = 1; digits < 22; digits++) {
      data.push(
        ...random.times(2000, () =>
          Number((random.next() * 10 ** (random.below(28) - 16)).toPrecision(digits)),
        ),
        ...random.times(500, () => random.next() / 2 ** (digits * 2)),
      );
    }
    const codec = MessageCodec.for(library, 'std_msgs/msg/Float64MultiArray');
    const texts = codec.decodeToJson(codec.encode({ data })).slice(0, -2).split('[').at(-1);
    assert.deepEqual(texts?.split(','), data.map(String));
  });
});

/** The sent value with what reading changes on purpose: a float32 comes back as the shortest text, not the nearest double. */
function widened(sent: unknown, received: unknown): unknown {
  if (typeof sent === 'number' && typeof received === 'number') {
    return Object.is(Math.fround(received), sent) ? received : sent;
  }
  if (Array.isArray(sent) && Array.isArray(received))
    return sent.map((value, index) => widened(value, received[index]));
  if (typeof sent === 'object' && sent !== null) {
    return Object.fromEntries(
      Object.entries(sent).map(([key, value]) => [
        key,
        widened(value, (received as Record<string, unknown>)[key]),
      ]),
    );
  }
  return sent;
}
