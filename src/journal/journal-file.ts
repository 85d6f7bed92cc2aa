import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
  writev,
  writevSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { crc32 } from './checksum';

/*
 * A file: 8 bytes of magic, version (u32), CRC-32 of these 12 bytes; then frames: length of the payload (u32), its
 * complement (u32), CRC-32 of the payload, payload. All numbers big-endian. A frame holds what belongs together: it counts
 * as a whole or not at all. By the complement a damaged length is known from that of a frame which was not written to its end.
 */

/** What a file's frames are, which its reader has to know. */
export interface JournalFormat {
  /** 8 ASCII characters. */
  readonly magic: string;
  readonly version: number;
}

/** Another version of this package has written a file. */
export class StoreVersionError extends Error {
  override readonly name = 'StoreVersionError';
  constructor(path: string, version: number, expected: number) {
    super(
      `${path} has format version ${version}, expected ${expected}: use the version of this package that wrote it, or move the directory away to begin with an empty one`,
    );
  }
}

export const FILE_HEADER_BYTES = 16;
const FRAME_HEADER_BYTES = 12;
const READ_BYTES = 1 << 20;

/**
 * Creates a file that must not be there and returns its descriptor.
 * @throws Error of the file system; the file is then not there
 */
export function createJournalFile(path: string, format: JournalFormat): number {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.write(format.magic, 'latin1');
  header.writeUInt32BE(format.version, 8);
  header.writeUInt32BE(crc32(header.subarray(0, 12)), 12);
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    writeAll(descriptor, [header]);
  } catch (error) {
    closeSync(descriptor);
    rmSync(path, { force: true });
    throw error;
  }
  return descriptor;
}

/** The header of the frame of a payload. */
export function frameHeader(payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32BE(payload.length, 0);
  header.writeUInt32BE(~payload.length >>> 0, 4);
  header.writeUInt32BE(crc32(payload), 8);
  return header;
}

/**
 * Appends a frame.
 * @returns the bytes it takes
 * @throws Error of the file system; a part may have been written
 */
export function appendFrame(descriptor: number, payload: Buffer): number {
  writeAll(descriptor, [frameHeader(payload), payload]);
  return FRAME_HEADER_BYTES + payload.length;
}

function writeAll(descriptor: number, buffers: readonly Buffer[]): void {
  let written = writevSync(descriptor, buffers);
  for (const buffer of buffers) {
    if (written < buffer.length) {
      for (let at = written; at < buffer.length; ) at += writeSync(descriptor, buffer, at);
      written = 0;
    } else {
      written -= buffer.length;
    }
  }
}

/** Like `appendFrame`, but without keeping the event loop; only one may be under way for a file. */
export async function writeFrame(descriptor: number, payload: Buffer): Promise<number> {
  const frame = Buffer.concat([frameHeader(payload), payload]);
  for (let rest = frame; rest.length > 0; ) {
    const written = await new Promise<number>((resolve, reject) => {
      writev(descriptor, [rest], (error, count) => (error === null ? resolve(count) : reject(error)));
    });
    rest = rest.subarray(written);
  }
  return frame.length;
}

/** Makes what was written to a file durable. */
export function syncFile(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Like `syncDirectory`, but without keeping the event loop. */
export async function syncNames(directory: string): Promise<void> {
  if (process.platform === 'win32') return; // Directories cannot be opened there.
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes names in a directory durable. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return; // Directories cannot be opened there.
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Why reading ended before the end of a file. */
export interface Damage {
  /** In words. */
  reason: string;
  offset: number;
  /** The last write did not get to its end: what a crash leaves behind, and nothing to worry about. */
  torn: boolean;
}

/** Reads a file's frames in order, up to its end or to what is damaged. */
export class JournalReader {
  readonly #path: string;
  readonly #format: JournalFormat;
  readonly #descriptor: number;
  readonly #size: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;
  #offset = 0;
  #damage: Damage | undefined;

  /** @throws Error of the file system */
  constructor(path: string, format: JournalFormat) {
    this.#path = path;
    this.#format = format;
    this.#descriptor = openSync(path, 'r');
    this.#size = fstatSync(this.#descriptor).size;
  }

  get size(): number {
    return this.#size;
  }

  get damage(): Damage | undefined {
    return this.#damage;
  }

  /**
   * Must come first. False when the header is damaged, so that there is nothing to read.
   * @throws StoreVersionError another version has written the file
   */
  readHeader(): boolean {
    const header = this.#take(FILE_HEADER_BYTES);
    if (header === undefined) return this.#stop('the header is not complete', true);
    const { magic, version: expected } = this.#format;
    if (
      header.toString('latin1', 0, 8) !== magic ||
      crc32(header.subarray(0, 12)) !== header.readUInt32BE(12)
    ) {
      return this.#stop('the header is damaged', false);
    }
    const version = header.readUInt32BE(8);
    if (version !== expected) throw new StoreVersionError(this.#path, version, expected);
    return true;
  }

  /** The payload of the next frame, valid until the next call; `undefined` at the end and at damage. */
  next(): Buffer | undefined {
    if (this.#damage !== undefined || this.#offset === this.#size) return undefined;
    const start = this.#offset;
    const header = this.#take(FRAME_HEADER_BYTES);
    if (header === undefined) return this.#end(start, 'the last frame is not complete', true);
    const length = header.readUInt32BE(0);
    const checksum = header.readUInt32BE(8);
    if (~length >>> 0 !== header.readUInt32BE(4))
      return this.#end(start, 'the length of a frame is damaged', false);
    const payload = this.#take(length);
    if (payload === undefined) return this.#end(start, 'the last frame is not complete', true);
    if (crc32(payload) !== checksum) return this.#end(start, 'a frame does not match its checksum', false);
    return payload;
  }

  /** The payload that `next` has returned is none, although its checksum is right. */
  reject(reason: string): void {
    this.#stop(reason, false);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #end(offset: number, reason: string, torn: boolean): undefined {
    this.#offset = offset;
    this.#stop(reason, torn);
  }

  #stop(reason: string, torn: boolean): false {
    this.#damage = { reason, offset: this.#offset, torn };
    return false;
  }

  #take(length: number): Buffer | undefined {
    const start = this.#offset;
    if (length > this.#size - start) return undefined;
    if (start + length > this.#windowStart + this.#window.length) {
      const wanted = Math.min(Math.max(length, READ_BYTES), this.#size - start);
      const window = Buffer.allocUnsafeSlow(wanted);
      let read = 0;
      while (read < wanted) {
        const count = readSync(this.#descriptor, window, read, wanted - read, start + read);
        if (count === 0) break;
        read += count;
      }
      this.#window = window.subarray(0, read);
      this.#windowStart = start;
      if (read < length) return undefined;
    }
    this.#offset += length;
    const at = start - this.#windowStart;
    return this.#window.subarray(at, at + length);
  }
}
