import assert from 'node:assert/strict';
import { BridgeSettingsError } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { PayloadCodec } from '../../src/ros/payload-codec';
import { formatOfContentType, type PayloadFormat } from '../../src/ros/payload-format';

const library = InterfaceLibrary.bundled();
const TWIST = 'geometry_msgs/msg/Twist';
const codecFor = (type: string) => MessageCodec.for(library, type);
const payloads = (type: string, format: PayloadFormat) => new PayloadCodec(codecFor(type), format);
const bytes = (text: string) => Buffer.from(text);

describe('payload format', () => {
  const named: Array<[string, PayloadFormat | undefined]> = [
    ['application/json', 'json'],
    ['Application/JSON; charset=utf-8', 'json'],
    ['application/vnd.acme.pose+json', 'json'],
    ['application/cdr', 'cdr'],
    ['text/plain ;charset=UTF-8', 'text'],
    ['text/html', undefined],
    ['+json', undefined],
    ['', undefined],
  ];
  for (const [contentType, format] of named) {
    it(`of the Content Type "${contentType}" is ${format}`, () => {
      assert.equal(formatOfContentType(contentType), format);
    });
  }

  it('is CDR untouched, without a copy, there and back', () => {
    const { fromRos, fromMqtt, fromFlow } = bound(payloads(TWIST, 'cdr'));
    const cdr = codecFor(TWIST).encode({ linear: { x: 1 } });
    assert.equal(fromRos(cdr), cdr);
    assert.equal(fromMqtt(cdr, undefined), cdr);
    assert.equal(fromMqtt(cdr, 'application/cdr'), cdr);
    assert.equal(fromFlow(cdr), cdr);
    // Of another byte order, options and padding are what they were.
    const bigEndian = Buffer.concat([bytes('\0\0\0\x03'), Buffer.alloc(51)]);
    assert.equal(fromMqtt(bigEndian, undefined), bigEndian);
  });

  it('is JSON of a CDR route where the flow gives text or a value', () => {
    const { fromFlow } = bound(payloads(TWIST, 'cdr'));
    const cdr = codecFor(TWIST).encode({ angular: { z: 2 } });
    assert.deepEqual(fromFlow('{"angular":{"z":2}}'), cdr);
    assert.deepEqual(fromFlow({ angular: { z: 2 } }), cdr);
  });

  const refusedCdr: Array<[string, Buffer, string]> = [
    ['nothing', Buffer.alloc(0), `has 0 bytes, fewer than CDR of ${TWIST} takes (52)`],
    ['a header alone', bytes('\0\x01\0\0'), `has 4 bytes, fewer than CDR of ${TWIST} takes (52)`],
    [
      'XCDR version 2',
      Buffer.concat([bytes('\0\x07\0\0'), Buffer.alloc(48)]),
      'has the CDR representation 0x0007, expected 0x0000 or 0x0001 (plain CDR)',
    ],
    [
      'JSON',
      bytes(JSON.stringify({ linear: { x: 1, y: 2, z: 3 }, angular: { x: 1, y: 2, z: 3 } })),
      'has the CDR representation 0x7b22, expected 0x0000 or 0x0001 (plain CDR)',
    ],
  ];
  for (const [what, payload, message] of refusedCdr) {
    it(`is not CDR: ${what}`, () => {
      assert.throws(() => payloads(TWIST, 'cdr').fromMqtt(payload, undefined), {
        name: 'PayloadError',
        message,
      });
    });
  }

  it('is what the Content Type says, whatever the route has', () => {
    const json = bytes('{"data":"hello"}');
    const cdr = codecFor('std_msgs/msg/String').encode({ data: 'hello' });
    for (const format of ['json', 'cdr', 'text'] as const) {
      const { fromMqtt } = bound(payloads('std_msgs/msg/String', format));
      assert.deepEqual(fromMqtt(json, 'application/json'), cdr);
      assert.deepEqual(fromMqtt(cdr, 'application/cdr'), cdr);
      assert.deepEqual(fromMqtt(bytes('hello'), 'text/plain'), cdr);
    }
    // An empty one says nothing.
    assert.deepEqual(payloads('std_msgs/msg/String', 'json').fromMqtt(json, ''), cdr);
    for (const [type, shown] of [
      ['image/png', 'image/png'],
      ['x'.repeat(101), `${'x'.repeat(100)}…`],
    ] as const) {
      assert.throws(() => payloads('std_msgs/msg/String', 'json').fromMqtt(json, type), {
        message: `has the Content Type "${shown}", expected one of application/json, application/cdr, text/plain`,
      });
    }
  });

  const texts: Array<[string, unknown, string]> = [
    ['std_msgs/msg/String', 'hello', 'hello'],
    ['std_msgs/msg/String', ' {"temperature": 21}\n', ' {"temperature": 21}\n'],
    ['std_msgs/msg/String', '"안녕" \\ \u0001', '"안녕" \\ \u0001'],
    ['std_msgs/msg/String', '', ''],
    ['std_msgs/msg/Bool', true, 'true'],
    ['std_msgs/msg/Bool', false, 'false'],
    ['std_msgs/msg/Float64', -0.1, '-0.1'],
    ['std_msgs/msg/Float64', 1e300, '1e+300'],
    ['std_msgs/msg/Float32', 'NaN', 'NaN'],
    ['std_msgs/msg/Float32', '-Infinity', '-Infinity'],
    ['std_msgs/msg/Int64', '-9223372036854775808', '-9223372036854775808'],
    ['std_msgs/msg/UInt64', 7, '7'],
    ['std_msgs/msg/UInt8', 255, '255'],
    ['std_msgs/msg/Char', 65, '65'],
    ['std_msgs/msg/Byte', 0, '0'],
  ];
  for (const [type, data, text] of texts) {
    it(`is the plain text ${JSON.stringify(text)} of ${type}`, () => {
      const { fromRos, fromMqtt, fromFlow } = bound(payloads(type, 'text'));
      const cdr = codecFor(type).encode({ data });
      assert.equal(fromRos(cdr).toString(), text);
      assert.deepEqual(fromMqtt(bytes(text), undefined), cdr);
      assert.deepEqual(fromFlow(text), cdr);
      assert.deepEqual(fromFlow({ data }), cdr);
      assert.deepEqual(fromFlow(data), cdr);
    });
  }

  it('is a number or truth value also with blanks around it, as shells end their output', () => {
    assert.deepEqual(
      payloads('std_msgs/msg/Float64', 'text').fromMqtt(bytes(' 21.5\n'), undefined),
      codecFor('std_msgs/msg/Float64').encode({ data: 21.5 }),
    );
    assert.deepEqual(
      payloads('std_msgs/msg/Bool', 'text').fromMqtt(bytes('true\r\n'), undefined),
      codecFor('std_msgs/msg/Bool').encode({ data: true }),
    );
  });

  const refusedTexts: Array<[string, Buffer, RegExp]> = [
    ['std_msgs/msg/Float64', bytes('warm'), /^data: expected a number.*, got "warm"$/],
    ['std_msgs/msg/Float64', bytes('0x10'), /^data: .* got "0x10"$/],
    ['std_msgs/msg/Float64', bytes(''), /^data: .* got ""$/],
    ['std_msgs/msg/Int32', bytes('1.5'), /^data: .* got 1.5$/],
    ['std_msgs/msg/UInt8', bytes('256'), /^data: .* got 256$/],
    ['std_msgs/msg/UInt64', bytes('-1'), /^data: .* got "-1"$/],
    ['std_msgs/msg/Bool', bytes('1'), /^data: .* got "1"$/],
    ['std_msgs/msg/String', Buffer.of(0xff, 0xfe), /^data: invalid UTF-8$/],
  ];
  for (const [type, payload, message] of refusedTexts) {
    it(`is no plain text of ${type}: ${JSON.stringify(payload.toString('latin1'))}`, () => {
      assert.throws(() => payloads(type, 'text').fromMqtt(payload, undefined), {
        name: 'PayloadError',
        message,
      });
    });
  }

  it('is no plain text for types with more than a field "data"', () => {
    for (const type of [
      TWIST,
      'std_msgs/msg/Empty',
      'std_msgs/msg/Float64MultiArray',
      'std_msgs/msg/ColorRGBA',
    ]) {
      assert.throws(
        () => payloads(type, 'text'),
        new BridgeSettingsError(
          `payload format: expected json or cdr for ${type}, which is more than one field "data", got "text"`,
        ),
      );
    }
    assert.throws(() => payloads(TWIST, 'json').fromMqtt(bytes('fast'), 'text/plain'), {
      message: `is plain text, and ${TWIST} is more than one field "data"`,
    });
  });
});

function bound(codec: PayloadCodec) {
  return {
    fromRos: codec.fromRos.bind(codec),
    fromMqtt: codec.fromMqtt.bind(codec),
    fromFlow: codec.fromFlow.bind(codec),
  };
}
