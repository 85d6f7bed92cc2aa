import { decodeLocator, encodeLocator, type Locator } from './locator';
import { MalformedError } from './malformed-error';
import { durationOf, toMilliseconds } from './time';

/** Parameter ids (RTPS 9.6.3.2 and, for inline QoS, 9.6.4). */
export const Pid = {
  sentinel: 0x0001,
  participantLeaseDuration: 0x0002,
  topicName: 0x0005,
  ownershipStrength: 0x0006,
  typeName: 0x0007,
  domainId: 0x000f,
  protocolVersion: 0x0015,
  vendorId: 0x0016,
  reliability: 0x001a,
  liveliness: 0x001b,
  durability: 0x001d,
  ownership: 0x001f,
  presentation: 0x0021,
  deadline: 0x0023,
  destinationOrder: 0x0025,
  latencyBudget: 0x0027,
  partition: 0x0029,
  lifespan: 0x002b,
  userData: 0x002c,
  unicastLocator: 0x002f,
  defaultUnicastLocator: 0x0031,
  metatrafficUnicastLocator: 0x0032,
  history: 0x0040,
  participantGuid: 0x0050,
  builtinEndpointSet: 0x0058,
  endpointGuid: 0x005a,
  entityName: 0x0062,
  keyHash: 0x0070,
  statusInfo: 0x0071,
  relatedSampleIdentity: 0x0083,
  /** The same, as Fast DDS had it before 2.10. */
  fastRelatedSampleIdentity: 0x800f,
  /** Our own. */
  annotation: 0x8f4d,
  dataRepresentation: 0x0073,
  typeConsistency: 0x0074,
} as const;

/** 0x4000 only marks "must understand"; 0x8000 makes an id the vendor's own and is part of it: 0x8007 is no type name. */
const MUST_UNDERSTAND = 0x4000;
const PL_CDR_BE = 0x0002;
const PL_CDR_LE = 0x0003;

const padded = (length: number) => (length + 3) & ~3;

/** The parameters of discovery data or of inline QoS (RTPS 9.4.2.11), as views into the bytes they were read from. */
export class ParameterList {
  readonly #values = new Map<number, Buffer[]>();
  readonly #littleEndian: boolean;
  /** The offset behind the sentinel. */
  readonly end: number;

  private constructor(bytes: Buffer, offset: number, limit: number, littleEndian: boolean) {
    this.#littleEndian = littleEndian;
    let at = offset;
    for (;;) {
      if (at + 4 > limit) throw new MalformedError('parameter list without a sentinel');
      const pid = littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
      const length = littleEndian ? bytes.readUInt16LE(at + 2) : bytes.readUInt16BE(at + 2);
      at += 4;
      if (pid === Pid.sentinel) break;
      if (at + length > limit)
        throw new MalformedError(`parameter 0x${pid.toString(16)} is longer than its list`);
      const key = pid & ~MUST_UNDERSTAND;
      const value = bytes.subarray(at, at + length);
      const values = this.#values.get(key);
      if (values === undefined) this.#values.set(key, [value]);
      else values.push(value);
      at += length;
    }
    this.end = at;
  }

  /** Reads a list within `offset..limit`. @throws MalformedError */
  static read(bytes: Buffer, offset: number, limit: number, littleEndian: boolean): ParameterList {
    return new ParameterList(bytes, offset, limit, littleEndian);
  }

  /** Reads a serialized payload: the encapsulation header says the byte order (RTPS 10.2). @throws MalformedError */
  static fromPayload(payload: Buffer): ParameterList {
    if (payload.length < 4) throw new MalformedError('discovery data without an encapsulation header');
    const encapsulation = payload.readUInt16BE(0);
    if (encapsulation !== PL_CDR_LE && encapsulation !== PL_CDR_BE)
      throw new MalformedError(`discovery data in encapsulation 0x${encapsulation.toString(16)}`);
    return new ParameterList(payload, 4, payload.length, encapsulation === PL_CDR_LE);
  }

  /** The value's octets; the first where the parameter occurs more than once. */
  bytes(pid: number, minimumLength: number): Buffer | undefined {
    const value = this.#values.get(pid)?.[0];
    if (value !== undefined && value.length < minimumLength)
      throw new MalformedError(
        `parameter 0x${pid.toString(16)} has ${value.length} octets, expected ${minimumLength}`,
      );
    return value;
  }

  uint32(pid: number, index = 0): number | undefined {
    const value = this.bytes(pid, 4 * index + 4);
    return value && this.#uint32(value, 4 * index);
  }

  /** Octets preceded by their number, as `sequence<octet>`. */
  octets(pid: number): Buffer | undefined {
    const length = this.uint32(pid);
    return length === undefined ? undefined : this.bytes(pid, 4 + length)?.subarray(4, 4 + length);
  }

  /** A CDR string: its length counts the terminating zero. */
  string(pid: number): string | undefined {
    const octets = this.octets(pid);
    return octets?.toString('utf8', 0, Math.max(0, octets.length - 1));
  }

  /** `sequence<string>`. @throws MalformedError with more or longer strings (in octets) than allowed */
  strings(pid: number, maxCount: number, maxLength: number): string[] | undefined {
    const count = this.uint32(pid);
    if (count === undefined) return undefined;
    const strings: string[] = [];
    let at = 4;
    for (let left = this.#checkedCount(pid, count, maxCount); left > 0; left--) {
      const length = this.#uint32(this.#need(pid, at + 4), at);
      if (length > maxLength + 1)
        throw new MalformedError(`parameter 0x${pid.toString(16)} has a string of ${length} octets`);
      const value = this.#need(pid, at + 4 + length);
      strings.push(value.toString('utf8', at + 4, at + 4 + Math.max(0, length - 1)));
      at += 4 + padded(length);
    }
    return strings;
  }

  /** `sequence<short>`, read as unsigned. @throws MalformedError with more elements than allowed */
  uint16s(pid: number, maxCount: number): number[] | undefined {
    const count = this.uint32(pid);
    if (count === undefined) return undefined;
    const value = this.#need(pid, 4 + 2 * this.#checkedCount(pid, count, maxCount));
    return Array.from({ length: count }, (_, index) =>
      this.#littleEndian ? value.readUInt16LE(4 + 2 * index) : value.readUInt16BE(4 + 2 * index),
    );
  }

  /** Milliseconds of a duration that begins behind `index` fields of 32 bits. @throws MalformedError when negative */
  duration(pid: number, index = 0): number | undefined {
    const seconds = this.uint32(pid, index);
    if (seconds === undefined) return undefined;
    if (seconds > 0x7fffffff) throw new MalformedError(`parameter 0x${pid.toString(16)} is a negative span`);
    return toMilliseconds(seconds, this.uint32(pid, index + 1) ?? 0);
  }

  /** The 32 hexadecimal digits of a GUID. */
  guid(pid: number): string | undefined {
    return this.bytes(pid, 16)?.toString('hex', 0, 16);
  }

  /** The UDPv4 locators among the values. */
  locators(pid: number): Locator[] {
    const found = (this.#values.get(pid) ?? []).map((value) => decodeLocator(value, this.#littleEndian));
    return found.filter((locator) => locator !== undefined);
  }

  /** The value of a parameter that is there, if it is that long. */
  #need(pid: number, length: number): Buffer {
    return this.bytes(pid, length) as Buffer;
  }

  #checkedCount(pid: number, count: number, limit: number): number {
    if (count > limit)
      throw new MalformedError(
        `parameter 0x${pid.toString(16)} has ${count} elements, at most ${limit} are taken`,
      );
    return count;
  }

  #uint32(value: Buffer, at: number): number {
    return this.#littleEndian ? value.readUInt32LE(at) : value.readUInt32BE(at);
  }
}

/** Builds a parameter list, little endian. */
export class ParameterListWriter {
  readonly #parts: Buffer[] = [];

  bytes(pid: number, value: Buffer): this {
    const part = Buffer.alloc(4 + padded(value.length));
    part.writeUInt16LE(pid, 0);
    part.writeUInt16LE(part.length - 4, 2);
    value.copy(part, 4);
    this.#parts.push(part);
    return this;
  }

  uint32(pid: number, ...values: number[]): this {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
    return this.bytes(pid, bytes);
  }

  octets(pid: number, value: Buffer): this {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(value.length, 0);
    return this.bytes(pid, Buffer.concat([length, value]));
  }

  string(pid: number, value: string): this {
    return this.octets(pid, Buffer.from(`${value}\0`));
  }

  strings(pid: number, values: readonly string[]): this {
    const count = Buffer.alloc(4);
    count.writeUInt32LE(values.length, 0);
    const parts = values.map((value) => {
      const octets = Buffer.from(`${value}\0`);
      const part = Buffer.alloc(4 + padded(octets.length));
      part.writeUInt32LE(octets.length, 0);
      octets.copy(part, 4);
      return part;
    });
    return this.bytes(pid, Buffer.concat([count, ...parts]));
  }

  uint16s(pid: number, values: readonly number[]): this {
    const bytes = Buffer.alloc(4 + 2 * values.length);
    bytes.writeUInt32LE(values.length, 0);
    for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, 4 + 2 * index);
    return this.bytes(pid, bytes);
  }

  duration(pid: number, milliseconds: number): this {
    const { seconds, fraction } = durationOf(milliseconds);
    return this.uint32(pid, seconds, fraction);
  }

  guid(pid: number, guid: string): this {
    return this.bytes(pid, Buffer.from(guid, 'hex'));
  }

  locators(pid: number, locators: readonly Locator[]): this {
    for (const locator of locators) this.bytes(pid, encodeLocator(locator));
    return this;
  }

  /** The list with its sentinel, as inline QoS wants it. */
  toInlineQos(): Buffer {
    const sentinel = Buffer.alloc(4);
    sentinel.writeUInt16LE(Pid.sentinel, 0);
    return Buffer.concat([...this.#parts, sentinel]);
  }

  /** The list with its encapsulation header and sentinel, as the payload of discovery data. */
  toPayload(): Buffer {
    const header = Buffer.alloc(4);
    header.writeUInt16BE(PL_CDR_LE, 0);
    return Buffer.concat([header, this.toInlineQos()]);
  }
}
