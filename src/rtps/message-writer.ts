import { VENDOR_ID } from './guid';
import { Flag, MESSAGE_HEADER_BYTES, PROTOCOL_MAJOR, PROTOCOL_MINOR, SubmessageId } from './submessage';
import type { RtpsTime } from './time';

/** One sample as a writer keeps and sends it. */
export interface Change {
  readonly sequence: number;
  readonly timestamp: RtpsTime;
  /** The serialized data, or the key where `keyOnly`. */
  readonly payload: Buffer;
  readonly keyOnly: boolean;
  /** A little-endian parameter list with its sentinel. */
  readonly inlineQos: Buffer | undefined;
  /** Whether nobody else uses the payload's memory. */
  readonly ownsMemory?: boolean;
}

const INFO_DESTINATION_BYTES = 16;
const INFO_TIMESTAMP_BYTES = 12;
const DATA_HEADER_BYTES = 24;
const DATA_FRAG_HEADER_BYTES = 36;
export const HEARTBEAT_BYTES = 32;
export const GAP_BYTES = 32;

const padded = (length: number) => (length + 3) & ~3;

/** The octets that a DATA submessage takes at most, with the INFO_DST and INFO_TS before it. */
export function dataBytes(change: Change): number {
  return (
    INFO_DESTINATION_BYTES +
    INFO_TIMESTAMP_BYTES +
    DATA_HEADER_BYTES +
    (change.inlineQos?.length ?? 0) +
    padded(change.payload.length)
  );
}

/** The octets of a message that are not a fragment's, where it bears one DATA_FRAG with its INFO_DST and INFO_TS. */
export const FRAGMENT_OVERHEAD_BYTES =
  MESSAGE_HEADER_BYTES + INFO_DESTINATION_BYTES + INFO_TIMESTAMP_BYTES + DATA_FRAG_HEADER_BYTES;

/** The octets that a DATA_FRAG with one fragment takes at most, with the INFO_DST and INFO_TS before it. */
export function dataFragBytes(change: Change, fragmentBytes: number): number {
  return (
    INFO_DESTINATION_BYTES +
    INFO_TIMESTAMP_BYTES +
    DATA_FRAG_HEADER_BYTES +
    (change.inlineQos?.length ?? 0) +
    padded(fragmentBytes)
  );
}

/** The octets that a NACK_FRAG takes that spans that many numbers, with the INFO_DST before it. */
export function nackFragBytes(span: number): number {
  return INFO_DESTINATION_BYTES + 32 + 4 * Math.ceil(span / 32);
}

/** The octets that an ACKNACK takes that spans that many numbers, with the INFO_DST before it. */
export function ackNackBytes(span: number): number {
  return INFO_DESTINATION_BYTES + 28 + 4 * Math.ceil(span / 32);
}

/**
 * Writes one RTPS message, little endian, into a buffer of the caller's, who sees to it that there is room.
 * INFO_DST and INFO_TS are written where they change.
 */
export class MessageWriter {
  readonly #bytes: Buffer;
  #at = MESSAGE_HEADER_BYTES;
  #destinationPrefix: string | undefined;
  #timestamp: RtpsTime | undefined;

  constructor(sourcePrefix: string, bytes: Buffer) {
    this.#bytes = bytes;
    bytes.write('RTPS', 0, 'latin1');
    bytes[4] = PROTOCOL_MAJOR;
    bytes[5] = PROTOCOL_MINOR;
    bytes.writeUInt16BE(VENDOR_ID, 6);
    bytes.write(sourcePrefix, 8, 'hex');
  }

  get length(): number {
    return this.#at;
  }

  get room(): number {
    return this.#bytes.length - this.#at;
  }

  /** The message written so far: a view. */
  get message(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** INFO_DST: who the following submessages are for. */
  destination(prefix: string): void {
    if (this.#destinationPrefix === prefix) return;
    this.#destinationPrefix = prefix;
    const at = this.#header(SubmessageId.infoDestination, 0, 12);
    this.#bytes.write(prefix, at, 'hex');
  }

  /** DATA (RTPS 9.4.5.3), with an INFO_TS before it. */
  data(readerId: number, writerId: number, change: Change): void {
    this.#infoTimestamp(change.timestamp);
    const { payload, inlineQos, keyOnly } = change;
    const flags =
      (inlineQos === undefined ? 0 : Flag.inlineQos) |
      (payload.length === 0 ? 0 : keyOnly ? Flag.key : Flag.data);
    const length = 20 + (inlineQos?.length ?? 0) + padded(payload.length);
    const at = this.#header(SubmessageId.data, flags, length);
    const bytes = this.#bytes;
    bytes.writeUInt16LE(0, at);
    bytes.writeUInt16LE(16, at + 2);
    bytes.writeUInt32BE(readerId, at + 4);
    bytes.writeUInt32BE(writerId, at + 8);
    this.#sequence(at + 12, change.sequence);
    let payloadAt = at + 20;
    if (inlineQos !== undefined) payloadAt += inlineQos.copy(bytes, payloadAt);
    payload.copy(bytes, payloadAt);
    bytes.fill(0, payloadAt + payload.length, at + length);
  }

  /** DATA_FRAG (RTPS 9.4.5.4) with fragment `number`, counted from 1, with an INFO_TS before it. */
  dataFrag(readerId: number, writerId: number, change: Change, number: number, fragmentBytes: number): void {
    this.#infoTimestamp(change.timestamp);
    const { payload, inlineQos, keyOnly } = change;
    const from = (number - 1) * fragmentBytes;
    const fragment = Math.min(fragmentBytes, payload.length - from);
    const flags = (inlineQos === undefined ? 0 : Flag.inlineQos) | (keyOnly ? Flag.fragmentKey : 0);
    const length = 32 + (inlineQos?.length ?? 0) + padded(fragment);
    const at = this.#header(SubmessageId.dataFrag, flags, length);
    const bytes = this.#bytes;
    bytes.writeUInt16LE(0, at);
    bytes.writeUInt16LE(28, at + 2);
    bytes.writeUInt32BE(readerId, at + 4);
    bytes.writeUInt32BE(writerId, at + 8);
    this.#sequence(at + 12, change.sequence);
    bytes.writeUInt32LE(number, at + 20);
    bytes.writeUInt16LE(1, at + 24);
    bytes.writeUInt16LE(fragmentBytes, at + 26);
    bytes.writeUInt32LE(payload.length, at + 28);
    let payloadAt = at + 32;
    if (inlineQos !== undefined) payloadAt += inlineQos.copy(bytes, payloadAt);
    payload.copy(bytes, payloadAt, from, from + fragment);
    bytes.fill(0, payloadAt + fragment, at + length);
  }

  /** HEARTBEAT (RTPS 9.4.5.7): the writer has `first`..`last`; with `liveliness` it says that it is alive. */
  heartbeat(
    readerId: number,
    writerId: number,
    first: number,
    last: number,
    count: number,
    final: boolean,
    liveliness = false,
  ): void {
    const flags = (final ? Flag.final : 0) | (liveliness ? Flag.liveliness : 0);
    const at = this.#header(SubmessageId.heartbeat, flags, 28);
    this.#bytes.writeUInt32BE(readerId, at);
    this.#bytes.writeUInt32BE(writerId, at + 4);
    this.#sequence(at + 8, first);
    this.#sequence(at + 16, last);
    this.#bytes.writeUInt32LE(count, at + 24);
  }

  /** GAP (RTPS 9.4.5.6): `start`..`end - 1` will not come. */
  gap(readerId: number, writerId: number, start: number, end: number): void {
    const at = this.#header(SubmessageId.gap, 0, 28);
    this.#bytes.writeUInt32BE(readerId, at);
    this.#bytes.writeUInt32BE(writerId, at + 4);
    this.#sequence(at + 8, start);
    this.#sequence(at + 16, end);
    this.#bytes.writeUInt32LE(0, at + 24);
  }

  /** ACKNACK (RTPS 9.4.5.2). `missing` is ascending and lies within 256 numbers from `base`. */
  ackNack(
    readerId: number,
    writerId: number,
    base: number,
    missing: readonly number[],
    count: number,
    final: boolean,
  ): void {
    const span = (missing.at(-1) ?? base - 1) - base + 1;
    const words = Math.ceil(span / 32);
    const at = this.#header(SubmessageId.ackNack, final ? Flag.final : 0, 24 + 4 * words);
    this.#bytes.writeUInt32BE(readerId, at);
    this.#bytes.writeUInt32BE(writerId, at + 4);
    this.#sequence(at + 8, base);
    this.#set(at + 16, base, span, missing);
    this.#bytes.writeUInt32LE(count, at + 20 + 4 * words);
  }

  /** NACK_FRAG (RTPS 9.4.5.14). `missing` is ascending, not empty, and spans 256 numbers at most. */
  nackFrag(
    readerId: number,
    writerId: number,
    sequence: number,
    missing: readonly number[],
    count: number,
  ): void {
    const base = missing[0] as number;
    const span = (missing.at(-1) as number) - base + 1;
    const words = Math.ceil(span / 32);
    const at = this.#header(SubmessageId.nackFrag, 0, 28 + 4 * words);
    this.#bytes.writeUInt32BE(readerId, at);
    this.#bytes.writeUInt32BE(writerId, at + 4);
    this.#sequence(at + 8, sequence);
    this.#bytes.writeUInt32LE(base, at + 16);
    this.#set(at + 20, base, span, missing);
    this.#bytes.writeUInt32LE(count, at + 24 + 4 * words);
  }

  /** The span and the bitmap of a set of numbers (RTPS 9.4.2.6, 9.4.2.8). */
  #set(at: number, base: number, span: number, numbers: readonly number[]): void {
    this.#bytes.writeUInt32LE(span, at);
    const bitmap = new Uint32Array(Math.ceil(span / 32));
    for (const number of numbers) {
      const index = number - base;
      bitmap[index >>> 5] = (bitmap[index >>> 5] as number) | (0x80000000 >>> (index & 31));
    }
    for (const [word, bits] of bitmap.entries()) this.#bytes.writeUInt32LE(bits, at + 4 + 4 * word);
  }

  #infoTimestamp(timestamp: RtpsTime): void {
    const last = this.#timestamp;
    if (last?.seconds === timestamp.seconds && last.fraction === timestamp.fraction) return;
    this.#timestamp = timestamp;
    const at = this.#header(SubmessageId.infoTimestamp, 0, 8);
    this.#bytes.writeUInt32LE(timestamp.seconds, at);
    this.#bytes.writeUInt32LE(timestamp.fraction, at + 4);
  }

  /** Writes the submessage header and returns the offset of the content. */
  #header(id: number, flags: number, length: number): number {
    const at = this.#at;
    this.#bytes[at] = id;
    this.#bytes[at + 1] = flags | Flag.littleEndian;
    this.#bytes.writeUInt16LE(length, at + 2);
    this.#at = at + 4 + length;
    return at + 4;
  }

  #sequence(at: number, sequence: number): void {
    this.#bytes.writeUInt32LE(Math.floor(sequence / 2 ** 32), at);
    this.#bytes.writeUInt32LE(sequence % 2 ** 32, at + 4);
  }
}
