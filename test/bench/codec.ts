import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { Random } from '../random';
import { assertSameJson, foxgloveCodec } from './foxglove-codec';

const ROUNDS = 7;
const ROUND_US = 60_000;

const random = new Random(4);
/** A float32 that a sensor measured: full precision, not a round decimal. */
const measured = () => Math.fround(random.next() / 2 ** 28);
const bytes = (length: number) =>
  Buffer.from(random.times(length, () => random.below(256))).toString('base64');
const vector = () => ({ x: measured() / 3, y: measured() / 3, z: measured() / 3 });
const header = { stamp: { sec: 1_700_000_000, nanosec: 123_456_789 }, frame_id: 'base_link' };

const messages: [label: string, type: string, message: object][] = [
  ['String 24 B', 'std_msgs/msg/String', { data: 'Hello World: 12345678901' }],
  ['Twist', 'geometry_msgs/msg/Twist', { linear: { x: 0.5 }, angular: { z: -0.25 } }],
  [
    'Imu',
    'sensor_msgs/msg/Imu',
    { header, orientation: { ...vector(), w: 1 }, angular_velocity: vector(), linear_acceleration: vector() },
  ],
  [
    'TFMessage x5',
    'tf2_msgs/msg/TFMessage',
    {
      transforms: random.times(5, () => ({
        header,
        child_frame_id: 'wheel',
        transform: { translation: vector(), rotation: { ...vector(), w: 1 } },
      })),
    },
  ],
  [
    'LaserScan 1080',
    'sensor_msgs/msg/LaserScan',
    {
      header,
      ranges: random.times(1080, measured),
      intensities: random.times(1080, () => random.below(255)),
    },
  ],
  [
    'PointCloud2 120 kB',
    'sensor_msgs/msg/PointCloud2',
    { header, width: 7500, height: 1, point_step: 16, row_step: 120_000, data: bytes(120_000) },
  ],
  ['Image 1 MB', 'sensor_msgs/msg/Image', { header, encoding: 'rgb8', data: bytes(1_000_000) }],
];

/** Microseconds of CPU that one call of each takes: the least of several rounds, in which they take turns. */
function compare(...functions: [() => unknown, () => unknown, () => unknown]): [number, number, number] {
  const best: [number, number, number] = [Infinity, Infinity, Infinity];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, run] of functions.entries()) {
      const start = process.cpuUsage();
      let calls = 0;
      let used = 0;
      while (used < ROUND_US) {
        for (let batch = 0; batch < 10; batch++) run();
        calls += 10;
        const { user, system } = process.cpuUsage(start);
        used = user + system;
      }
      best[index] = Math.min(best[index] as number, used / calls);
    }
  }
  return best;
}

/**
 * Prints what CDR -> JSON and JSON -> CDR cost beside `JSON.stringify` and `JSON.parse` of the same message, which do
 * not read or write any CDR, and beside Foxglove's serialization with these two, where it is installed. A ratio above
 * 1 means that our codec is faster.
 */
export function benchCodec(print: (line: string) => void): void {
  const library = InterfaceLibrary.bundled();
  if (foxgloveCodec('std_msgs/msg/String') === undefined) {
    print('Without Foxglove: npm install --no-save @foxglove/rosmsg2-serialization\n');
  }
  print(
    '| message | CDR -> JSON us | x JSON.stringify | x Foxglove | JSON -> CDR us | x JSON.parse | x Foxglove |',
  );
  print('|---|---|---|---|---|---|---|');
  for (const [label, type, message] of messages) {
    const codec = MessageCodec.for(library, type);
    const foxglove = foxgloveCodec(type);
    const cdr = codec.encode(message);
    const payload = codec.decodeToJsonBuffer(cdr);
    const parsed: unknown = JSON.parse(payload.toString());
    if (foxglove !== undefined) assertSameJson(foxglove.decodeToJson(cdr), payload);
    const [decode, stringify, foxgloveDecode] = compare(
      () => codec.decodeToJsonBuffer(cdr),
      () => Buffer.from(JSON.stringify(parsed)),
      () => foxglove?.decodeToJson(cdr),
    );
    const [encode, parse, foxgloveEncode] = compare(
      () => codec.encodeFromJson(payload),
      () => JSON.parse(payload.toString()),
      () => foxglove?.encodeFromJson(payload),
    );
    const ratio = (other: number, own: number) => (foxglove === undefined ? '-' : (other / own).toFixed(2));
    const cells = [
      decode.toFixed(2),
      (stringify / decode).toFixed(2),
      ratio(foxgloveDecode, decode),
      encode.toFixed(2),
      (parse / encode).toFixed(2),
      ratio(foxgloveEncode, encode),
    ];
    print(`| ${label} | ${cells.join(' | ')} |`);
  }
}

if (require.main === module) benchCodec(console.log);
