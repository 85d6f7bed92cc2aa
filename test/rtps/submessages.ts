import { Flag, MESSAGE_HEADER_BYTES, SubmessageId } from '../../src/rtps/submessage';

/** A submessage of a user's writer or reader: its content is `from`..`end - 1` of the message. */
export interface UserSubmessage {
  readonly id: number;
  readonly from: number;
  readonly end: number;
}

/** Those of user endpoints in a message. Little endian, as all stacks here write. */
export function* userSubmessages(message: Buffer): IterableIterator<UserSubmessage> {
  for (let at = MESSAGE_HEADER_BYTES; at + 4 <= message.length; ) {
    const id = message[at] as number;
    if (((message[at + 1] as number) & Flag.littleEndian) === 0) throw new Error('a big-endian submessage');
    const length = message.readUInt16LE(at + 2) || message.length - at - 4;
    const from = at + 4;
    const isData = id === SubmessageId.data || id === SubmessageId.dataFrag;
    const isEmpty = id === SubmessageId.pad || (id === SubmessageId.infoTimestamp && length > 8);
    at = isEmpty ? from : from + length;
    // The entity ids stand behind the flags of DATA, else first; built-in endpoints have other kinds.
    if (((message[from + (isData ? 11 : 7)] as number) & 0xc0) === 0) yield { id, from, end: at };
  }
}
