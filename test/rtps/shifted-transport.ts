import type { Locator } from '../../src/rtps/locator';
import { Flag, MESSAGE_HEADER_BYTES, SubmessageId } from '../../src/rtps/submessage';
import type { UdpTransport } from '../../src/rtps/udp-transport';
import { LossyTransport } from './lossy-transport';

/** By how much what passes a transport is later than what its endpoints say. */
export interface Shift {
  /** The sequence numbers of the user's writers on this side, and its counts of HEARTBEAT, ACKNACK and NACK_FRAG. */
  readonly own: number;
  /** Those of the other side. */
  readonly others: number;
}

/** A transport of which both sides see each other far along. Little endian, as all of them write. */
export class ShiftedTransport extends LossyTransport {
  /** Whether the next datagram is lost on the way in. */
  loss: () => boolean = () => false;
  readonly #shift: Shift;

  constructor(shift: Shift, ...[options, listener, statistics]: ConstructorParameters<typeof UdpTransport>) {
    const datagram = (bytes: Buffer) => {
      if (!this.loss()) listener.datagram(shifted(bytes, shift.others, shift.own));
    };
    super(options, { datagram, warning: (text) => listener.warning(text) }, statistics);
    this.#shift = shift;
  }

  override send(message: Buffer, locator: Locator, sent: () => void): void {
    super.send(shifted(message, this.#shift.own, this.#shift.others), locator, () => {});
    sent();
  }
}

/** @param ofSender by how much the sender of the message is ahead; `ofReceiver`: that to whose writers it speaks */
function shifted(message: Buffer, ofSender: number, ofReceiver: number): Buffer {
  const bytes = Buffer.from(message);
  const sequence = (at: number, by: number) => {
    const value = bytes.readUInt32LE(at) * 2 ** 32 + bytes.readUInt32LE(at + 4);
    // The first ACKNACK of a reader, from before it knows where a writer begins, stays what it is.
    const moved = Math.max(value + by, Math.min(value, 1));
    bytes.writeUInt32LE(Math.floor(moved / 2 ** 32), at);
    bytes.writeUInt32LE(moved % 2 ** 32, at + 4);
  };
  const count = (at: number) => bytes.writeUInt32LE((bytes.readUInt32LE(at) + ofSender) >>> 0, at);
  for (let at = MESSAGE_HEADER_BYTES; at + 4 <= bytes.length; ) {
    const id = bytes[at] as number;
    if (((bytes[at + 1] as number) & Flag.littleEndian) === 0) throw new Error('a big-endian submessage');
    const length = bytes.readUInt16LE(at + 2) || bytes.length - at - 4;
    const from = at + 4;
    const isData = id === SubmessageId.data || id === SubmessageId.dataFrag;
    const isEmpty = id === SubmessageId.pad || (id === SubmessageId.infoTimestamp && length > 8);
    at = isEmpty ? from : from + length;
    // The entity ids stand behind the flags of DATA, else first; built-in endpoints are as they are.
    if (((bytes[from + (isData ? 11 : 7)] as number) & 0xc0) !== 0) continue;
    if (isData) sequence(from + 12, ofSender);
    else if (id === SubmessageId.heartbeat) {
      sequence(from + 8, ofSender);
      sequence(from + 16, ofSender);
      count(from + 24);
    } else if (id === SubmessageId.heartbeatFrag) {
      sequence(from + 8, ofSender);
      count(from + 20);
    } else if (id === SubmessageId.gap) {
      sequence(from + 8, ofSender);
      sequence(from + 16, ofSender);
    } else if (id === SubmessageId.ackNack || id === SubmessageId.nackFrag) {
      sequence(from + 8, -ofReceiver);
      count(at - 4);
    }
  }
  return bytes;
}
