import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { Random } from '../random';

/** One message of a type, as ROS and as MQTT carry it. */
export interface BridgeSample {
  /** Of the peers' option `--type`. */
  readonly name: 'string' | 'imu' | 'scan' | 'cloud' | 'image';
  readonly label: string;
  readonly type: string;
  readonly cdr: Buffer;
  readonly json: Buffer;
  /** As JSON.parse and JSON.stringify have it: bytes as a list of numbers. */
  readonly naiveJson: () => Buffer;
  /** Messages under way that saturate a bridge and do not overrun a receive buffer of a megabyte. */
  readonly window: number;
}

/** Where in the text of a String, in CDR and in its JSON, the time of CLOCK_MONOTONIC stands in 16 digits. */
export const STAMP = { cdr: 8, json: '{"data":"'.length, digits: 16 };

const random = new Random(6);
/** A float32 that a sensor measured: full precision, not a round decimal. */
const measured = () => Math.fround(random.next() / 2 ** 28);
const vector = () => ({ x: measured() / 3, y: measured() / 3, z: measured() / 3 });
const octets = (length: number) =>
  Buffer.from(random.times(length, () => random.below(256))).toString('base64');
const header = { stamp: { sec: 1_700_000_000, nanosec: 123_456_789 }, frame_id: 'base_link' };

/** The messages of the bench of the bridge. */
export function bridgeSamples(): BridgeSample[] {
  const imu = {
    header,
    orientation: { ...vector(), w: 1 },
    angular_velocity: vector(),
    linear_acceleration: vector(),
  };
  const scan = {
    header,
    angle_min: -3.14,
    ranges: random.times(720, measured),
    intensities: random.times(720, () => random.below(255)),
  };
  const cloud = { header, width: 7500, height: 1, point_step: 16, row_step: 120_000, data: octets(120_000) };
  const image = { header, encoding: 'rgb8', data: octets(1_000_000) };
  return [
    sample('string', 'String 24 B', 'std_msgs/msg/String', { data: '0'.repeat(16).padEnd(24, '.') }, 500),
    sample('imu', 'Imu', 'sensor_msgs/msg/Imu', imu, 500),
    sample('scan', 'LaserScan 720', 'sensor_msgs/msg/LaserScan', scan, 32),
    sample('cloud', 'PointCloud2 120 kB', 'sensor_msgs/msg/PointCloud2', cloud, 4),
    sample('image', 'Image 1 MB', 'sensor_msgs/msg/Image', image, 2),
  ];
}

function sample(name: BridgeSample['name'], label: string, type: string, message: object, window: number) {
  const codec = MessageCodec.for(InterfaceLibrary.bundled(), type);
  const cdr = codec.encode(message);
  const json = codec.decodeToJsonBuffer(cdr);
  const naiveJson = () => {
    const value = JSON.parse(json.toString()) as { data?: string };
    if (name === 'cloud' || name === 'image')
      Object.assign(value, { data: [...Buffer.from(value.data ?? '', 'base64')] });
    return Buffer.from(JSON.stringify(value));
  };
  return { name, label, type, cdr, json, naiveJson, window };
}
