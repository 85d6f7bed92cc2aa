/** One sample on its way to the flows' thread. */
export interface SampleFrame {
  /** The route's key. */
  route: number;
  sequence: number | undefined;
  /** Nanoseconds since the epoch. */
  sourceTimestamp: bigint | undefined;
  json: string;
}

const HEADER_BYTES = 24;
const HAS_SEQUENCE = 1;
const HAS_TIMESTAMP = 2;

/**
 * Route and flags (32 bits each), sequence (double), timestamp (64 bits), all little endian, then JSON text in UTF-8.
 */
export function encodeSampleFrame({ route, sequence, sourceTimestamp, json }: SampleFrame): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(json));
  const flags =
    (sequence === undefined ? 0 : HAS_SEQUENCE) | (sourceTimestamp === undefined ? 0 : HAS_TIMESTAMP);
  frame.writeUInt32LE(route, 0);
  frame.writeUInt32LE(flags, 4);
  frame.writeDoubleLE(sequence ?? 0, 8);
  frame.writeBigInt64LE(sourceTimestamp ?? 0n, 16);
  frame.write(json, HEADER_BYTES);
  return frame;
}

export function decodeSampleFrame(frame: Buffer): SampleFrame {
  const flags = frame.readUInt32LE(4);
  return {
    route: routeOfSampleFrame(frame),
    sequence: flags & HAS_SEQUENCE ? frame.readDoubleLE(8) : undefined,
    sourceTimestamp: flags & HAS_TIMESTAMP ? frame.readBigInt64LE(16) : undefined,
    json: frame.toString('utf8', HEADER_BYTES),
  };
}

export function routeOfSampleFrame(frame: Buffer): number {
  return frame.readUInt32LE(0);
}
