import { PAYLOAD_FORMATS, type PayloadFormat } from './payload-format';

/** One sample, or request of a ROS client, on its way to the flows' thread. */
export interface SampleFrame {
  /** The route's key. */
  route: number;
  sequence: number | undefined;
  /** Nanoseconds since the epoch. */
  sourceTimestamp: bigint | undefined;
  /** The number by which the flow answers it, where it is a request; from 1 up. */
  request?: number | undefined;
  format: PayloadFormat;
  payload: Buffer;
  /** The levels below the route's topic name, where messages of several topics have one route. */
  level?: string;
}

const HEADER_BYTES = 32;
const HAS_SEQUENCE = 1;
const HAS_TIMESTAMP = 2;
/** From this bit on the flags have the format's place among `PAYLOAD_FORMATS`, in two bits. */
const FORMAT_SHIFT = 2;
const FORMAT_MASK = 3;
/** From this bit on the flags are the bytes of the level. */
const LEVEL_SHIFT = 8;

/**
 * Route and flags (32 bits each), sequence (double), timestamp (64 bits), request (double, 0 for none), all little
 * endian, then the level and the payload.
 */
export function encodeSampleFrame(sample: SampleFrame): Buffer {
  const { route, sequence, sourceTimestamp, request = 0, format, payload, level = '' } = sample;
  const payloadAt = HEADER_BYTES + (level === '' ? 0 : Buffer.byteLength(level));
  const frame = Buffer.allocUnsafe(payloadAt + payload.length);
  const flags =
    (sequence === undefined ? 0 : HAS_SEQUENCE) |
    (sourceTimestamp === undefined ? 0 : HAS_TIMESTAMP) |
    (PAYLOAD_FORMATS.indexOf(format) << FORMAT_SHIFT) |
    ((payloadAt - HEADER_BYTES) << LEVEL_SHIFT);
  frame.writeUInt32LE(route, 0);
  frame.writeUInt32LE(flags, 4);
  frame.writeDoubleLE(sequence ?? 0, 8);
  frame.writeBigInt64LE(sourceTimestamp ?? 0n, 16);
  frame.writeDoubleLE(request, 24);
  if (level !== '') frame.write(level, HEADER_BYTES);
  payload.copy(frame, payloadAt);
  return frame;
}

/** Its payload is a view into the frame. */
export function decodeSampleFrame(frame: Buffer): SampleFrame {
  const flags = frame.readUInt32LE(4);
  const payloadAt = HEADER_BYTES + (flags >> LEVEL_SHIFT);
  return {
    route: routeOfSampleFrame(frame),
    sequence: flags & HAS_SEQUENCE ? frame.readDoubleLE(8) : undefined,
    sourceTimestamp: flags & HAS_TIMESTAMP ? frame.readBigInt64LE(16) : undefined,
    request: frame.readDoubleLE(24) || undefined,
    format: PAYLOAD_FORMATS[(flags >> FORMAT_SHIFT) & FORMAT_MASK] as PayloadFormat,
    payload: frame.subarray(payloadAt),
    ...(payloadAt > HEADER_BYTES && { level: frame.toString('utf8', HEADER_BYTES, payloadAt) }),
  };
}

export function routeOfSampleFrame(frame: Buffer): number {
  return frame.readUInt32LE(0);
}
