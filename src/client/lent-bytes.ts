const READ_BYTES = 64 * 1024;

const read = new WeakSet<ArrayBufferLike>();
const packets = new WeakSet<ArrayBufferLike>();

/**
 * A buffer for a socket to read into, again and again. A buffer for each read would be memory outside of V8's heap, of
 * which so much at a time makes V8 collect garbage that its collections take most of a busy thread's time.
 */
export function readBuffer(): Buffer {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  read.add(buffer.buffer);
  return buffer;
}

/** A buffer to put a packet together in, again and again as long as nobody has kept what is in it (`isLent`). */
export function packetBuffer(bytes: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  packets.add(buffer.buffer);
  return buffer;
}

/** Whether the bytes change when more is read. */
export function isLent({ buffer }: Buffer): boolean {
  return read.has(buffer) || packets.has(buffer);
}

/** The bytes as they are now, for longer than until more is read. */
export function kept(bytes: Buffer): Buffer {
  const { buffer } = bytes;
  if (!isLent(bytes)) return bytes;
  if (read.has(buffer) || bytes.length < buffer.byteLength / 2) return Buffer.from(bytes);
  packets.delete(buffer);
  return bytes;
}
