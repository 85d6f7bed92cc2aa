const READ_BYTES = 64 * 1024;

const read = new WeakSet<ArrayBufferLike>();

/**
 * A buffer for a socket to read into, again and again. A buffer for each read would be memory outside of V8's heap, of
 * which so much at a time makes V8 collect garbage that its collections take most of a busy thread's time.
 */
export function readBuffer(): Buffer {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  read.add(buffer.buffer);
  return buffer;
}

/** The bytes as they are now, for longer than until the socket reads on. */
export function kept(bytes: Buffer): Buffer {
  return read.has(bytes.buffer) ? Buffer.from(bytes) : bytes;
}
