import type { Locator } from '../../src/rtps/locator';
import { SubmessageId } from '../../src/rtps/submessage';
import type { UdpTransport } from '../../src/rtps/udp-transport';
import { LossyTransport } from './lossy-transport';
import { userSubmessages } from './submessages';

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
    const datagram = (bytes: Buffer) =>
      !this.loss() && listener.datagram(shifted(bytes, shift.others, shift.own));
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
  for (const { id, from, end } of userSubmessages(bytes)) {
    if (id === SubmessageId.data || id === SubmessageId.dataFrag) sequence(from + 12, ofSender);
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
      count(end - 4);
    }
  }
  return bytes;
}
