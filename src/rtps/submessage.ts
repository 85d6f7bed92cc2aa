import type { ParameterList } from './parameter-list';

/** The submessages that are read here (RTPS 9.4.5.1.1). */
export const SubmessageId = {
  pad: 0x01,
  ackNack: 0x06,
  heartbeat: 0x07,
  gap: 0x08,
  infoTimestamp: 0x09,
  infoSource: 0x0c,
  infoReplyIp4: 0x0d,
  infoDestination: 0x0e,
  infoReply: 0x0f,
  nackFrag: 0x12,
  heartbeatFrag: 0x13,
  data: 0x15,
  dataFrag: 0x16,
} as const;

/** Flag bits. 0x01 is the byte order in all submessages; the others depend on the kind. */
export const Flag = {
  littleEndian: 0x01,
  /** HEARTBEAT, ACKNACK: no answer is required. */
  final: 0x02,
  /** HEARTBEAT: the writer shows that it is alive (RTPS 8.3.8.6.2). */
  liveliness: 0x04,
  /** INFO_TS: the following submessages have no timestamp. */
  invalidate: 0x02,
  /** DATA, DATA_FRAG. */
  inlineQos: 0x02,
  data: 0x04,
  key: 0x08,
  /** DATA_FRAG, which always bears data or a key. */
  fragmentKey: 0x04,
} as const;

export const MESSAGE_HEADER_BYTES = 20;
export const PROTOCOL_MAJOR = 2;
export const PROTOCOL_MINOR = 1;
/** The most numbers a set in ACKNACK, GAP or NACK_FRAG can span (RTPS 9.4.2.6, 9.4.2.8). */
export const SET_SPAN = 256;

/** What the submessages before one say about it (RTPS 8.3.4, the Receiver). */
export interface MessageContext {
  /** The sender's GUID prefix. */
  sourcePrefix: string;
  /** `undefined`: for every participant that receives it. */
  destinationPrefix: string | undefined;
  /** Nanoseconds since the epoch. */
  timestamp: bigint | undefined;
}

export interface DataSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly sequence: number;
  readonly inlineQos: ParameterList | undefined;
  /** The serialized data, or the serialized key; a view into the datagram. Empty when the submessage has neither. */
  readonly payload: Buffer;
}

/** Fragments of a sample; they are numbered from 1, and all but the last have `fragmentBytes` octets. */
export interface DataFragSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly sequence: number;
  readonly inlineQos: ParameterList | undefined;
  readonly first: number;
  readonly count: number;
  readonly fragmentBytes: number;
  /** Of the whole sample. */
  readonly sampleBytes: number;
  /** The octets of these fragments, a view into the datagram. */
  readonly payload: Buffer;
}

/** The fragments 1 to `last` of the sample have been sent. */
export interface HeartbeatFragSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly sequence: number;
  readonly last: number;
  readonly count: number;
}

/** Asked for: the fragments `numbers` of the sample. */
export interface NackFragSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly sequence: number;
  readonly numbers: readonly number[];
  readonly count: number;
}

export interface HeartbeatSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly final: boolean;
  readonly liveliness: boolean;
}

/** Irrelevant: all of `start`..`base - 1`, and `numbers`. */
export interface GapSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly start: number;
  readonly base: number;
  readonly numbers: readonly number[];
}

/** Acknowledged: all below `base`. Asked for: `numbers`. */
export interface AckNackSubmessage {
  readonly readerId: number;
  readonly writerId: number;
  readonly base: number;
  readonly numbers: readonly number[];
  readonly count: number;
  readonly final: boolean;
}
