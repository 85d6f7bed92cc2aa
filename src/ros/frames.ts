/**
 * Joins frames into one buffer that can be transferred to another thread: each frame is its length (32 bits, little
 * endian) and its bytes. One message per turn of the event loop costs a twentieth of one message per frame.
 */
export function joinFrames(frames: readonly Uint8Array[]): ArrayBuffer {
  const joined = new Uint8Array(frames.reduce((bytes, frame) => bytes + 4 + frame.length, 0));
  const view = new DataView(joined.buffer);
  let offset = 0;
  for (const frame of frames) {
    view.setUint32(offset, frame.length, true);
    joined.set(frame, offset + 4);
    offset += 4 + frame.length;
  }
  return joined.buffer;
}

/** The frames of `joinFrames`, as views into the buffer. */
export function splitFrames(joined: ArrayBuffer): Buffer[] {
  const bytes = Buffer.from(joined);
  const frames: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const end = offset + 4 + bytes.readUInt32LE(offset);
    frames.push(bytes.subarray(offset + 4, end));
    offset = end;
  }
  return frames;
}
