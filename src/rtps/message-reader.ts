import { MalformedError } from './malformed-error';
import { ParameterList } from './parameter-list';
import {
  type AckNackSubmessage,
  type DataFragSubmessage,
  type DataSubmessage,
  Flag,
  type GapSubmessage,
  type HeartbeatFragSubmessage,
  type HeartbeatSubmessage,
  MESSAGE_HEADER_BYTES,
  type MessageContext,
  type NackFragSubmessage,
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
  heartbeatFrag(context: MessageContext, heartbeat: HeartbeatFragSubmessage): void;
  nackFrag(context: MessageContext, nackFrag: NackFragSubmessage): void;
  /** A submessage of a kind not read here was skipped by its length. */
  skipped(submessageId: number): void;
}

const PREFIX_BYTES = 12;
const ZERO_PREFIX = '0'.repeat(2 * PREFIX_BYTES);
/** The high word of a sequence number beyond which a double is not exact. */
const MAX_SEQUENCE_HIGH = 0x1fffff;

/** Reads RTPS messages, both byte orders, and hands their submessages on. */
export class MessageReader {
  readonly #handler: SubmessageHandler;
  readonly #source = new PrefixText();
  readonly #destination = new PrefixText();
  readonly #context: MessageContext = {
    sourcePrefix: '',
    destinationPrefix: undefined,
    timestamp: undefined,
  };
  #bytes: Buffer = Buffer.alloc(0);
  #littleEndian = true;

  constructor(handler: SubmessageHandler) {
    this.#handler = handler;
  }

  /**
   * @returns the fault, when the datagram is no RTPS 2 message or a submessage in it is broken; the submessages before
   * the fault have been handed on, the rest of the message is ignored (RTPS 8.3.4.1).
   */
  read(datagram: Buffer): MalformedError | undefined {
    try {
      this.#begin(datagram);
      if (this.#handler.accepts(this.#context.sourcePrefix)) this.#submessages();
      return undefined;
    } catch (error) {
      if (error instanceof MalformedError) return error;
      throw error;
    }
  }

  #begin(bytes: Buffer): void {
    this.#bytes = bytes;
    if (bytes.length < MESSAGE_HEADER_BYTES || this.#word(0) !== 0x52545053)
      throw new MalformedError('the datagram does not begin with an RTPS header');
    if (bytes[4] !== PROTOCOL_MAJOR)
      throw new MalformedError(`RTPS protocol version ${bytes[4]}, expected 2`);
    this.#context.sourcePrefix = this.#source.read(bytes, 8);
    this.#context.destinationPrefix = undefined;
    this.#context.timestamp = undefined;
  }

  #submessages(): void {
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
        this.#dataFrag(flags, start, end);
        break;
      case SubmessageId.heartbeatFrag:
        this.#heartbeatFrag(start, end);
        break;
      case SubmessageId.nackFrag:
        this.#nackFrag(start, end);
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
      // Answers go to the locators that discovery told; these submessages would have them go elsewhere.
      case SubmessageId.infoReply:
      case SubmessageId.infoReplyIp4:
      case SubmessageId.pad:
        break;
      default:
        this.#handler.skipped(id);
    }
  }

  #data(flags: number, start: number, end: number): void {
    this.#expect('DATA', start, end, 20);
    const sequence = this.#sequence(start + 12, 1);
    const { inlineQos, payloadAt } = this.#inlineQos('DATA', flags, start, end, 20);
    const hasPayload = (flags & (Flag.data | Flag.key)) !== 0;
    this.#handler.data(this.#context, {
      readerId: this.#word(start + 4),
      writerId: this.#word(start + 8),
      sequence,
      inlineQos,
      payload: this.#bytes.subarray(hasPayload ? payloadAt : end, end),
    });
  }

  #dataFrag(flags: number, start: number, end: number): void {
    this.#expect('DATA_FRAG', start, end, 32);
    const sequence = this.#sequence(start + 12, 1);
    const first = this.#uint32(start + 20);
    const count = this.#uint16(start + 24);
    const fragmentBytes = this.#uint16(start + 26);
    const sampleBytes = this.#uint32(start + 28);
    const { inlineQos, payloadAt } = this.#inlineQos('DATA_FRAG', flags, start, end, 32);
    // RTPS 8.3.8.3.3
    const from = (first - 1) * fragmentBytes;
    const to = Math.min(from + count * fragmentBytes, sampleBytes);
    if (first === 0 || count === 0 || to - from <= (count - 1) * fragmentBytes)
      throw new MalformedError(
        `DATA_FRAG: ${count} fragments of ${fragmentBytes} octets from number ${first}, of a sample of ${sampleBytes}`,
      );
    this.#expect('DATA_FRAG', payloadAt, end, to - from);
    this.#handler.dataFrag(this.#context, {
      readerId: this.#word(start + 4),
      writerId: this.#word(start + 8),
      sequence,
      inlineQos,
      first,
      count,
      fragmentBytes,
      sampleBytes,
      payload: this.#bytes.subarray(payloadAt, payloadAt + to - from),
    });
  }

  /** Inline QoS, where the flag says that there is one, and where the payload begins behind it. */
  #inlineQos(
    name: string,
    flags: number,
    start: number,
    end: number,
    fixed: number,
  ): { inlineQos: ParameterList | undefined; payloadAt: number } {
    // The offset counts from behind its own field; a later version may have more fields before it.
    const at = start + 4 + this.#uint16(start + 2);
    if (at < start + fixed || at > end)
      throw new MalformedError(`${name}: octetsToInlineQos points outside of it`);
    if ((flags & Flag.inlineQos) === 0) return { inlineQos: undefined, payloadAt: at };
    const inlineQos = ParameterList.read(this.#bytes, at, end, this.#littleEndian);
    return { inlineQos, payloadAt: inlineQos.end };
  }

  #heartbeatFrag(start: number, end: number): void {
    this.#expect('HEARTBEAT_FRAG', start, end, 24);
    this.#handler.heartbeatFrag(this.#context, {
      readerId: this.#word(start),
      writerId: this.#word(start + 4),
      sequence: this.#sequence(start + 8, 1),
      last: this.#uint32(start + 16),
      count: this.#uint32(start + 20),
    });
  }

  #nackFrag(start: number, end: number): void {
    this.#expect('NACK_FRAG', start, end, 28);
    const base = this.#uint32(start + 16);
    if (base === 0) throw new MalformedError('NACK_FRAG: fragment number 0');
    const { numbers, next } = this.#set('NACK_FRAG', base, start + 20, end);
    this.#expect('NACK_FRAG', next, end, 4);
    this.#handler.nackFrag(this.#context, {
      readerId: this.#word(start),
      writerId: this.#word(start + 4),
      sequence: this.#sequence(start + 8, 1),
      numbers,
      count: this.#uint32(next),
    });
  }

  #heartbeat(flags: number, start: number, end: number): void {
    this.#expect('HEARTBEAT', start, end, 28);
    const first = this.#sequence(start + 8, 1);
    const last = this.#sequence(start + 16, 0);
    if (last < first - 1) throw new MalformedError(`HEARTBEAT: last ${last} is before first ${first}`);
    this.#handler.heartbeat(this.#context, {
      readerId: this.#word(start),
      writerId: this.#word(start + 4),
      first,
      last,
      count: this.#uint32(start + 24),
      final: (flags & Flag.final) !== 0,
      liveliness: (flags & Flag.liveliness) !== 0,
    });
  }

  #ackNack(flags: number, start: number, end: number): void {
    this.#expect('ACKNACK', start, end, 24);
    const { base, numbers, next } = this.#sequenceSet('ACKNACK', start + 8, end, 0);
    this.#expect('ACKNACK', next, end, 4);
    this.#handler.ackNack(this.#context, {
      readerId: this.#word(start),
      writerId: this.#word(start + 4),
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
      readerId: this.#word(start),
      writerId: this.#word(start + 4),
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
    const prefix = this.#destination.read(this.#bytes, start);
    // Cyclone DDS 11 says "every participant" with a prefix of zeros (GUIDPREFIX_UNKNOWN).
    this.#context.destinationPrefix = prefix === ZERO_PREFIX ? undefined : prefix;
  }

  #infoSource(start: number, end: number): void {
    this.#expect('INFO_SRC', start, end, 20);
    this.#context.sourcePrefix = this.#source.read(this.#bytes, start + 8);
    this.#context.timestamp = undefined;
  }

  #sequenceSet(
    name: string,
    at: number,
    end: number,
    minimum: number,
  ): { base: number; numbers: number[]; next: number } {
    const base = this.#sequence(at, minimum);
    return { base, ...this.#set(name, base, at + 8, end) };
  }

  /** The numbers of a set whose span and bitmap begin at `at` (RTPS 9.4.2.6, 9.4.2.8), and what is behind it. */
  #set(name: string, base: number, at: number, end: number): { numbers: number[]; next: number } {
    const span = this.#uint32(at);
    if (span > SET_SPAN)
      throw new MalformedError(`${name}: a set of ${span} numbers, at most ${SET_SPAN} are allowed`);
    const words = Math.ceil(span / 32);
    this.#expect(name, at + 4, end, 4 * words);
    const numbers: number[] = [];
    for (let word = 0; word < words; word++) {
      const bits = this.#uint32(at + 4 + 4 * word);
      if (bits === 0) continue;
      for (let bit = 0; bit < 32; bit++) {
        const index = 32 * word + bit;
        if (index < span && (bits & (0x80000000 >>> bit)) !== 0) numbers.push(base + index);
      }
    }
    return { numbers, next: at + 4 + 4 * words };
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

  // Buffer's own methods take three times as long as these.
  #uint16(at: number): number {
    const first = this.#bytes[at] as number;
    const second = this.#bytes[at + 1] as number;
    return this.#littleEndian ? first | (second << 8) : (first << 8) | second;
  }

  #uint32(at: number): number {
    const word = this.#word(at);
    if (!this.#littleEndian) return word;
    return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
  }

  /** Four octets, the first the highest, whatever the byte order of the submessage. */
  #word(at: number): number {
    const bytes = this.#bytes;
    const upper = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
    const lower = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    return ((upper << 16) | lower) >>> 0;
  }
}

/** Reads GUID prefixes as text, and keeps the last: datagrams come in runs from one sender, and all for us. */
class PrefixText {
  readonly #bytes = Buffer.alloc(PREFIX_BYTES);
  #text = ZERO_PREFIX;

  read(bytes: Buffer, at: number): string {
    const kept = this.#bytes;
    for (let index = 0; index < PREFIX_BYTES; index++) {
      if (kept[index] === bytes[at + index]) continue;
      bytes.copy(kept, 0, at, at + PREFIX_BYTES);
      this.#text = bytes.toString('hex', at, at + PREFIX_BYTES);
      break;
    }
    return this.#text;
  }
}
