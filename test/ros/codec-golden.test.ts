import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';

const library = InterfaceLibrary.bundled();

// Hand-computed CDR: [size in bytes, little endian hex digits as they are sent] per primitive; alignment written out.
type Piece = { size: number; hex: string };
const f64: Record<string, string> = {
  '0': '0000000000000000',
  '1': '000000000000f03f',
  '-2': '00000000000000c0',
  '0.5': '000000000000e03f',
  '0.1': '9a9999999999b93f',
  '1.5': '000000000000f83f',
};
const double = (value: string): Piece => ({ size: 8, hex: f64[value] as string });
const word = (hex: string): Piece => ({ size: 4, hex });
const octets = (hex: string): Piece[] => (hex.match(/../g) ?? []).map((octet) => ({ size: 1, hex: octet }));
const pad = (count: number): Piece[] => octets('00'.repeat(count));

const reversed = (hex: string) => (hex.match(/../g) ?? []).reverse().join('');

/** Checks both byte orders: the pieces are written as little endian, and each is reversed for big endian. */
function check(
  type: string,
  value: unknown,
  pieces: (Piece | Piece[])[],
  json = JSON.stringify(value),
): void {
  const codec = MessageCodec.for(library, type);
  const flat = pieces.flat();
  const little = Buffer.from(`00010000${flat.map(({ hex }) => hex).join('')}`, 'hex');
  const big = Buffer.from(`00000000${flat.map(({ hex }) => reversed(hex)).join('')}`, 'hex');
  assert.equal(codec.encodeFromJson(JSON.stringify(value)).toString('hex'), little.toString('hex'));
  assert.equal(codec.encode(value).toString('hex'), little.toString('hex'));
  assert.equal(codec.decodeToJson(little), json);
  assert.equal(codec.decodeToJson(big), json);
  assert.equal(codec.decodeToJsonBuffer(big).toString(), json);
}

// stamp { sec: 1, nanosec: 2 }, frame_id "ab": 8 + 4 + 3 = 15 bytes.
const header = { stamp: { sec: 1, nanosec: 2 }, frame_id: 'ab' };
const headerPieces = [word('01000000'), word('02000000'), word('03000000'), octets('616200')];
const vector = { x: 1, y: -2, z: 0.5 };
const vectorPieces = [double('1'), double('-2'), double('0.5')];
const covariance = [1, 0, 0, 0, 1, 0, 0, 0, 1];
const covariancePieces = covariance.map((value) => double(String(value)));

describe('CDR bytes of', () => {
  it('std_msgs/msg/String', () => {
    check('std_msgs/msg/String', { data: 'hello' }, [word('06000000'), octets('68656c6c6f00')]);
    check('std_msgs/msg/String', { data: '' }, [word('01000000'), octets('00')]);
    check('std_msgs/msg/String', { data: 'h\u00e9\u20ac\u{1f600}"\\\n' }, [
      word('0e000000'),
      octets('68c3a9e282acf09f9880225c0a00'),
    ]);
  });

  it('example_interfaces/msg/WString, each UTF-16 code unit in 32 bits', () => {
    check('example_interfaces/msg/WString', { data: 'h\u00e9\u{1f600}' }, [
      ...[word('04000000'), word('68000000'), word('e9000000'), word('3dd80000'), word('00de0000')],
    ]);
    check('example_interfaces/msg/WString', { data: '' }, [word('00000000')]);
  });

  it('XCDR2, plain and delimited', () => {
    const xcdr2 = InterfaceLibrary.bundled();
    xcdr2.add(
      { name: 'a/msg/Inner', fields: [{ name: 'b', type: 'uint8' }], constants: [] },
      {
        name: 'a/msg/Outer',
        fields: [
          { name: 'small', type: 'uint8' },
          { name: 'wide', type: 'float64' },
          { name: 'long', type: 'int64' },
          { name: 'text', type: 'string' },
          { name: 'numbers', type: 'float64', array: {} },
          { name: 'names', type: 'string', array: {} },
          { name: 'inner', type: 'a/msg/Inner' },
          { name: 'inners', type: 'a/msg/Inner', array: { length: 2 } },
          { name: 'wides', type: 'wstring', array: {} },
          { name: 'last', type: 'uint16' },
        ],
        constants: [],
      },
    );
    const codec = MessageCodec.for(xcdr2, 'a/msg/Outer');
    const value = {
      ...{ small: 7, wide: 0.5, long: -2, text: 'a', numbers: [1], names: ['', 'b'], inner: { b: 3 } },
      ...{ inners: [{ b: 4 }, { b: 5 }], wides: ['\u00e9'], last: 6 },
    };
    const start = [...octets('07'), ...pad(3), double('0.5'), { size: 8, hex: 'feffffffffffffff' }];
    const text = [word('02000000'), ...octets('6100'), ...pad(2)];
    const numbers = [word('01000000'), double('1')];
    // The size of what follows, the count, each string behind its length: 4 + 5 + 3 + 6.
    const names = [
      ...[word('12000000'), word('02000000'), word('01000000'), ...octets('00'), ...pad(3)],
      ...[word('02000000'), ...octets('6200')],
    ];
    const wides = [word('0a000000'), word('01000000'), word('02000000'), { size: 2, hex: 'e900' }];
    const last = { size: 2, hex: '0600' };
    const plain = [
      ...[...start, ...text, ...numbers, ...names, ...octets('03'), ...pad(1)],
      ...[word('02000000'), ...octets('0405'), ...pad(2), ...wides, last],
    ];
    // Each message behind its size; the second of the array has an octet that this definition does not know.
    const delimited = [
      ...[...start, ...text, ...numbers, ...names, ...pad(2), word('01000000'), ...octets('03'), ...pad(3)],
      ...[
        word('0e000000'),
        word('01000000'),
        ...octets('04'),
        ...pad(3),
        word('02000000'),
        ...octets('05ff'),
      ],
      ...[...pad(2), ...wides, last],
    ];
    const size = delimited.reduce((sum, piece) => sum + piece.size, 0);
    const hex = (pieces: Piece[], big: boolean) =>
      pieces.map((piece) => (big ? reversed(piece.hex) : piece.hex)).join('');
    const whole = [word(`${size.toString(16).padStart(2, '0')}000000`), ...delimited];
    for (const message of [
      `00070000${hex(plain, false)}`,
      `00060000${hex(plain, true)}`,
      `00090000${hex(whole, false)}`,
      `00080000${hex(whole, true)}`,
    ]) {
      assert.equal(codec.decodeToJson(Buffer.from(message, 'hex')), JSON.stringify(value), message);
    }
  });

  it('std_msgs/msg/Float64 and the other single values', () => {
    check('std_msgs/msg/Float64', { data: 1.5 }, [double('1.5')]);
    check('std_msgs/msg/Float64', { data: 0.1 }, [double('0.1')]);
    check('std_msgs/msg/Float32', { data: 1.5 }, [word('0000c03f')]);
    check('std_msgs/msg/Float32', { data: 0.1 }, [word('cdcccc3d')]);
    check('std_msgs/msg/Bool', { data: true }, [octets('01')]);
    check('std_msgs/msg/Int8', { data: -2 }, [octets('fe')]);
    check('std_msgs/msg/UInt8', { data: 254 }, [octets('fe')]);
    check('std_msgs/msg/Byte', { data: 254 }, [octets('fe')]);
    check('std_msgs/msg/Int16', { data: -2 }, [{ size: 2, hex: 'feff' }]);
    check('std_msgs/msg/UInt16', { data: 65534 }, [{ size: 2, hex: 'feff' }]);
    check('std_msgs/msg/Int32', { data: -2 }, [word('feffffff')]);
    check('std_msgs/msg/UInt32', { data: 4294967294 }, [word('feffffff')]);
    check('std_msgs/msg/Int64', { data: -2 }, [{ size: 8, hex: 'feffffffffffffff' }]);
    check('std_msgs/msg/Int64', { data: 9007199254740991 }, [{ size: 8, hex: 'ffffffffffff1f00' }]);
    check('std_msgs/msg/Int64', { data: '9007199254740992' }, [{ size: 8, hex: '0000000000002000' }]);
    check('std_msgs/msg/Int64', { data: '-9223372036854775808' }, [{ size: 8, hex: '0000000000000080' }]);
    check('std_msgs/msg/UInt64', { data: '18446744073709551614' }, [{ size: 8, hex: 'feffffffffffffff' }]);
    check('std_msgs/msg/UInt64', { data: 4294967296 }, [{ size: 8, hex: '0000000001000000' }]);
  });

  it('std_msgs/msg/Empty, one byte', () => {
    check('std_msgs/msg/Empty', {}, [octets('00')]);
  });

  it('builtin_interfaces/msg/Duration', () => {
    check('builtin_interfaces/msg/Duration', { sec: -1, nanosec: 999999999 }, [
      word('ffffffff'),
      word('ffc99a3b'),
    ]);
  });

  it('geometry_msgs/msg/Twist', () => {
    check('geometry_msgs/msg/Twist', { linear: vector, angular: { x: 0, y: 0, z: 0.1 } }, [
      ...vectorPieces,
      double('0'),
      double('0'),
      double('0.1'),
    ]);
  });

  it('geometry_msgs/msg/PoseStamped, padded behind the header', () => {
    check(
      'geometry_msgs/msg/PoseStamped',
      { header, pose: { position: vector, orientation: { x: 0, y: 0, z: 0, w: 1 } } },
      [...headerPieces, pad(1), ...vectorPieces, double('0'), double('0'), double('0'), double('1')],
    );
    // 8 + 4 + 5 = 17 bytes: seven of padding up to 24.
    check('geometry_msgs/msg/PointStamped', { header: { ...header, frame_id: 'base' }, point: vector }, [
      word('01000000'),
      word('02000000'),
      word('05000000'),
      octets('6261736500'),
      pad(7),
      ...vectorPieces,
    ]);
  });

  it('sensor_msgs/msg/Imu, with fixed arrays', () => {
    check(
      'sensor_msgs/msg/Imu',
      {
        header,
        orientation: { ...vector, w: 1 },
        orientation_covariance: covariance,
        angular_velocity: vector,
        angular_velocity_covariance: covariance,
        linear_acceleration: vector,
        linear_acceleration_covariance: covariance,
      },
      [
        ...[...headerPieces, pad(1), ...vectorPieces, double('1'), ...covariancePieces],
        ...[...vectorPieces, ...covariancePieces, ...vectorPieces, ...covariancePieces],
      ],
    );
  });

  it('sensor_msgs/msg/LaserScan, with sequences of float32', () => {
    const angles = {
      angle_min: -2,
      angle_max: 1.5,
      angle_increment: 0.1,
      time_increment: 0,
      scan_time: 0.1,
      range_min: 0.1,
      range_max: 1.5,
    };
    check('sensor_msgs/msg/LaserScan', { header, ...angles, ranges: [0.1, 1.5], intensities: [] }, [
      ...headerPieces,
      pad(1),
      ...['000000c0', '0000c03f', 'cdcccc3d', '00000000', 'cdcccc3d', 'cdcccc3d', '0000c03f'].map(word),
      ...['02000000', 'cdcccc3d', '0000c03f', '00000000'].map(word),
    ]);
  });

  it('sensor_msgs/msg/PointCloud2, with octets as base64 and padding inside of a sequence', () => {
    check(
      'sensor_msgs/msg/PointCloud2',
      {
        header,
        height: 1,
        width: 2,
        fields: [
          { name: 'x', offset: 0, datatype: 7, count: 1 },
          { name: 'yz', offset: 4, datatype: 7, count: 1 },
        ],
        is_bigendian: false,
        point_step: 2,
        row_step: 4,
        data: 'AQID/w==',
        is_dense: true,
      },
      [
        ...[...headerPieces, pad(1), word('01000000'), word('02000000'), word('02000000')],
        ...[
          word('02000000'),
          octets('7800'),
          pad(2),
          word('00000000'),
          octets('07'),
          pad(3),
          word('01000000'),
        ],
        ...[
          word('03000000'),
          octets('797a00'),
          pad(1),
          word('04000000'),
          octets('07'),
          pad(3),
          word('01000000'),
        ],
        ...[octets('00'), pad(3), word('02000000'), word('04000000'), word('04000000'), octets('010203ff01')],
      ],
    );
  });

  it('tf2_msgs/msg/TFMessage, a sequence of messages with strings', () => {
    const transform = (child: string) => ({
      header,
      child_frame_id: child,
      transform: { translation: vector, rotation: { x: 0, y: 0, z: 0, w: 1 } },
    });
    const rotation = [double('0'), double('0'), double('0'), double('1')];
    check('tf2_msgs/msg/TFMessage', { transforms: [transform('c'), transform('de')] }, [
      // 4 + 15 bytes, 1 of padding, 4 + 2 bytes: 26, so 6 of padding up to 32.
      ...[
        word('02000000'),
        ...headerPieces,
        pad(1),
        word('02000000'),
        octets('6300'),
        pad(6),
        ...vectorPieces,
        ...rotation,
      ],
      // 88 + 15 bytes, 1 of padding, 4 + 3 bytes: 111, so 1 of padding.
      ...[...headerPieces, pad(1), word('03000000'), octets('646500'), pad(1), ...vectorPieces, ...rotation],
    ]);
    check('tf2_msgs/msg/TFMessage', { transforms: [] }, [word('00000000')]);
  });

  it('sensor_msgs/msg/JointState, no padding for empty sequences of float64', () => {
    check(
      'sensor_msgs/msg/JointState',
      { header, name: ['a', 'bc'], position: [0.5], velocity: [], effort: [] },
      [
        // 15, padding 1, 4, 4 + 2, padding 2, 4 + 3, padding 1, 4: 40, a multiple of 8.
        ...[...headerPieces, pad(1), word('02000000'), word('02000000'), octets('6100'), pad(2)],
        ...[word('03000000'), octets('626300'), pad(1), word('01000000'), double('0.5')],
        ...[word('00000000'), word('00000000')],
      ],
    );
  });
});
