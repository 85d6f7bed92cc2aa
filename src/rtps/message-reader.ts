import { MalformedError } from './malformed-error';
import { ParameterList } from './parameter-list';
import {
  type AckNackSubmessage,
  type DataFragSubmessage,
  type DataSubmessage,
  Flag,
  type GapSubmessage,
  type HeartbeatSubmessage,
  MESSAGE_HEADER_BYTES,
  type MessageContext,
  PROTOCOL_MAJOR,
  SET_SPAN,
  SubmessageId,
} from './submessage';
import { toNanoseconds } from './time';

/** Takes the submessages of one message in their order. `context` is only valid during the call. */
export interface SubmessageHandler {
  /** Whether the message of this sender is to be read at all. */
  accepts(sourcePrefix: string): boolean;
  data(context: MessageContext, data: DataSubmessage): void;
  dataFrag(context: MessageContext, fragment: DataFragSubmessage): void;
  heartbeat(context: MessageContext, heartbeat: HeartbeatSubmessage): void;
  gap(context: MessageContext, gap: GapSubmessage): void;
  ackNack(context: MessageContext, ackNack: AckNackSubmessage): void;
  /** A submessage of a kind not read here was skipped by its length. */
  skipped(submessageId: number): void;
}

const ZERO_PREFIX = '0'.repeat(24);
/** The high word of a sequence number beyond which a double is not exact. */
const MAX_SEQUENCE_HIGH = 0x1fffff;

/**
 * Reads one RTPS message, both byte orders, and hands its submessages on.
 *
 * @returns the fault, when the datagram is no RTPS 2 message or a submessage in it is broken; the submessages before
 * the fault have been handed on, the rest of the message is ignored (RTPS 8.3.4.1).
 */
export function readMessage(datagram: Buffer, handler: SubmessageHandler): MalformedError | undefined {
  try {
    new MessageReader(datagram, handler).read();
    return undefined;
  } catch (error) {
    if (error instanceof MalformedError) return error;
    throw error;
  }
}

class MessageReader {
  readonly #bytes: Buffer;
  readonly #handler: SubmessageHandler;
  readonly #context: MessageContext;
  #littleEndian = true;

  constructor(bytes: Buffer, handler: SubmessageHandler) {
    if (bytes.length < MESSAGE_HEADER_BYTES || bytes.readUInt32BE(0) !== 0x52545053)
      throw new MalformedError('the datagram does not begin with an RTPS header');
    if (bytes[4] !== PROTOCOL_MAJOR)
      throw new MalformedError(`RTPS protocol version ${bytes[4]}, expected 2`);
    this.#bytes = bytes;
    this.#handler = handler;
    this.#context = {
      sourcePrefix: bytes.toString('hex', 8, 20),
      destinationPrefix: undefined,
      timestamp: undefined,
    };
  }

  read(): void {
    if (!this.#handler.accepts(this.#context.sourcePrefix)) return;
    const bytes = this.#bytes;
    let at = MESSAGE_HEADER_BYTES;
    while (at + 4 <= bytes.length) {
      const id = bytes[at] as number;
      const flags = bytes[at + 1] as number;
      this.#littleEndian = (flags & Flag.littleEndian) !== 0;
      let length = this.#uint16(at + 2);
      const start = at + 4;
      // RTPS 9.4.5.1.3: zero means "to the end of the message", except for the two kinds that may be empty.
      if (length === 0 && id !== SubmessageId.pad && id !== SubmessageId.infoTimestamp)
        length = bytes.length - start;
      const end = start + length;
      if (end > bytes.length)
        throw new MalformedError(
          `submessage 0x${id.toString(16)} has ${length} octets, ${bytes.length - start} are left`,
        );
      this.#submessage(id, flags, start, end);
      at = end;
    }
  }

  #submessage(id: number, flags: number, start: number, end: number): void {
    switch (id) {
      case SubmessageId.data:
        this.#data(flags, start, end);
        break;
      case SubmessageId.heartbeat:
        this.#heartbeat(flags, start, end);
        break;
      case SubmessageId.ackNack:
        this.#ackNack(flags, start, end);
        break;
      case SubmessageId.gap:
        this.#gap(start, end);
        break;
      case SubmessageId.dataFrag:
        this.#dataFrag(start, end);
        break;
      case SubmessageId.infoTimestamp:
        this.#infoTimestamp(flags, start, end);
        break;
      case SubmessageId.infoDestination:
        this.#infoDestination(start, end);
        break;
      case SubmessageId.infoSource:
        this.#infoSource(start, end);
        break;
      case SubmessageId.pad:
        break;
      default:
        this.#handler.skipped(id);
    }
  }

  #data(flags: number, start: number, end: number): void {
    this.#expect('DATA', start, end, 20);
    const littleEndian = this.#littleEndian;
    // The offset counts from behind its own field.
    let at = start + 4 + this.#uint16(start + 2);
    if (at < start + 20 || at > end) throw new MalformedError('DATA: octetsToInlineQos points outside of it');
    const sequence = this.#sequence(start + 12, 1);
    let inlineQos: ParameterList | undefined;
    if ((flags & Flag.inlineQos) !== 0) {
      inlineQos = ParameterList.read(this.#bytes, at, end, littleEndian);
      at = inlineQos.end;
    }
    const hasPayload = (flags & (Flag.data | Flag.key)) !== 0;
    this.#handler.data(this.#context, {
      readerId: this.#bytes.readUInt32BE(start + 4),
      writerId: this.#bytes.readUInt32BE(start + 8),
      sequence,
      inlineQos,
      payload: this.#bytes.subarray(hasPayload ? at : end, end),
    });
  }

  #dataFrag(start: number, end: number): void {
    this.#expect('DATA_FRAG', start, end, 32);
    this.#handler.dataFrag(this.#context, {
      readerId: this.#bytes.readUInt32BE(start + 4),
      writerId: this.#bytes.readUInt32BE(start + 8),
      sequence: this.#sequence(start + 12, 1),
    });
  }

  #heartbeat(flags: number, start: number, end: number): void {
    this.#expect('HEARTBEAT', start, end, 28);
    const first = this.#sequence(start + 8, 1);
    const last = this.#sequence(start + 16, 0);
    if (last < first - 1) throw new MalformedError(`HEARTBEAT: last ${last} is before first ${first}`);
    this.#handler.heartbeat(this.#context, {
      readerId: this.#bytes.readUInt32BE(start),
      writerId: this.#bytes.readUInt32BE(start + 4),
      first,
      last,
      count: this.#uint32(start + 24),
      final: (flags & Flag.final) !== 0,
    });
  }

  #ackNack(flags: number, start: number, end: number): void {
    this.#expect('ACKNACK', start, end, 24);
    const { base, numbers, next } = this.#sequenceSet('ACKNACK', start + 8, end, 0);
    this.#expect('ACKNACK', next, end, 4);
    this.#handler.ackNack(this.#context, {
      readerId: this.#bytes.readUInt32BE(start),
      writerId: this.#bytes.readUInt32BE(start + 4),
      base,
      numbers,
      count: this.#uint32(next),
      final: (flags & Flag.final) !== 0,
    });
  }

  #gap(start: number, end: number): void {
    this.#expect('GAP', start, end, 28);
    const gapStart = this.#sequence(start + 8, 1);
    const { base, numbers } = this.#sequenceSet('GAP', start + 16, end, 1);
    this.#handler.gap(this.#context, {
      readerId: this.#bytes.readUInt32BE(start),
      writerId: this.#bytes.readUInt32BE(start + 4),
      start: gapStart,
      base,
      numbers,
    });
  }

  #infoTimestamp(flags: number, start: number, end: number): void {
    if ((flags & Flag.invalidate) !== 0) {
      this.#context.timestamp = undefined;
      return;
    }
    this.#expect('INFO_TS', start, end, 8);
    this.#context.timestamp = toNanoseconds(this.#uint32(start), this.#uint32(start + 4));
  }

  #infoDestination(start: number, end: number): void {
    this.#expect('INFO_DST', start, end, 12);
    const prefix = this.#bytes.toString('hex', start, start + 12);
    // Cyclone DDS 11 says "every participant" with a prefix of zeros (GUIDPREFIX_UNKNOWN).
    this.#context.destinationPrefix = prefix === ZERO_PREFIX ? undefined : prefix;
  }

  #infoSource(start: number, end: number): void {
    this.#expect('INFO_SRC', start, end, 20);
    this.#context.sourcePrefix = this.#bytes.toString('hex', start + 8, start + 20);
    this.#context.timestamp = undefined;
  }

  #sequenceSet(
    name: string,
    at: number,
    end: number,
    minimum: number,
  ): { base: number; numbers: number[]; next: number } {
    const base = this.#sequence(at, minimum);
    const span = this.#uint32(at + 8);
    if (span > SET_SPAN)
      throw new MalformedError(`${name}: a set of ${span} numbers, at most ${SET_SPAN} are allowed`);
    const words = Math.ceil(span / 32);
    this.#expect(name, at + 12, end, 4 * words);
    const numbers: number[] = [];
    for (let word = 0; word < words; word++) {
      const bits = this.#uint32(at + 12 + 4 * word);
      if (bits === 0) continue;
      for (let bit = 0; bit < 32; bit++) {
        const index = 32 * word + bit;
        if (index < span && (bits & (0x80000000 >>> bit)) !== 0) numbers.push(base + index);
      }
    }
    return { base, numbers, next: at + 12 + 4 * words };
  }

  #sequence(at: number, minimum: number): number {
    const high = this.#uint32(at);
    const sequence = high * 2 ** 32 + this.#uint32(at + 4);
    if (high > MAX_SEQUENCE_HIGH || sequence < minimum)
      throw new MalformedError(`sequence number ${sequence} is out of range`);
    return sequence;
  }

  #expect(name: string, at: number, end: number, octets: number): void {
    if (at + octets > end) throw new MalformedError(`${name} is ${at + octets - end} octets short`);
  }

  #uint16(at: number): number {
    return this.#littleEndian ? this.#bytes.readUInt16LE(at) : this.#bytes.readUInt16BE(at);
  }

  #uint32(at: number): number {
    return this.#littleEndian ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }
}
