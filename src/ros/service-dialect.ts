import { prefixOf, VENDOR_ID } from '../rtps/guid';
import type { Participant } from '../rtps/participant';

/**
 * How requests and replies are told apart on the wire, which ROS 2's DDS vendors do differently: `header` puts 16 octets
 * before the message (rmw_cyclonedds_cpp), `identity` names the request in the inline QoS (rmw_fastrtps_cpp, DDS-RPC).
 */
export type ServiceDialect = 'header' | 'identity';

export const CYCLONE_DDS = 'Cyclone DDS';
export const BRIDGE = 'a bridge like this';

/** Source: OMG, "DDS Foundation: vendor and product ids". */
const VENDORS: Readonly<Record<number, string>> = {
  257: 'RTI Connext DDS',
  258: 'OpenSplice DDS',
  259: 'OpenDDS',
  262: 'CoreDX DDS',
  266: 'RTI Connext DDS Micro',
  271: 'Fast DDS',
  272: CYCLONE_DDS,
  273: 'GurumDDS',
  274: 'RustDDS',
  [VENDOR_ID]: BRIDGE,
};

/** Those whose services are known to be told apart as `dialectOf` says. */
export const TRIED_VENDORS: readonly string[] = [CYCLONE_DDS, 'Fast DDS', BRIDGE];

/** The DDS implementation of a participant. */
export function vendorOf(vendorId: number): string {
  return VENDORS[vendorId] ?? `a DDS with the vendor id 0x${vendorId.toString(16).padStart(4, '0')}`;
}

/** @param vendorId as in the RTPS header; `undefined` where the participant is not known (any more) */
export function dialectOf(vendorId: number | undefined): ServiceDialect {
  return vendorId !== undefined && VENDORS[vendorId] === CYCLONE_DDS ? 'header' : 'identity';
}

/** The dialect of the participant of an endpoint. */
export function dialectFor(
  { participants }: Pick<Participant, 'participants'>,
  guid: string,
): ServiceDialect {
  return dialectOf(vendorIdFor({ participants }, guid));
}

/** Of the participant of an endpoint; `undefined` where it is not known (any more). */
export function vendorIdFor(
  { participants }: Pick<Participant, 'participants'>,
  guid: string,
): number | undefined {
  const prefix = prefixOf(guid);
  return participants.find((participant) => prefixOf(participant.guid) === prefix)?.vendorId;
}

/** What the dialect `header` puts before a request, and the server puts back before its reply. */
export interface RequestHeader {
  /** The client's own choice. */
  client: bigint;
  sequence: bigint;
}

/** Octets of the encapsulation header, before which nothing can stand. */
const ENCAPSULATION = 4;
/** A multiple of 8, so that the alignment of what follows does not change. */
const HEADER = 16;

/** @param cdr little endian, as all that is encoded here */
export function withRequestHeader(cdr: Buffer, { client, sequence }: RequestHeader): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeBigUInt64LE(client, 0);
  header.writeBigInt64LE(sequence, 8);
  return Buffer.concat([cdr.subarray(0, ENCAPSULATION), header, cdr.subarray(ENCAPSULATION)]);
}

/** Takes the header off; `undefined` for what is too short to have one. */
export function splitRequestHeader(payload: Buffer): { header: RequestHeader; cdr: Buffer } | undefined {
  if (payload.length < ENCAPSULATION + HEADER) return undefined;
  // The low bit of an encapsulation identifier is the byte order (RTPS 10.2.1.2).
  const littleEndian = ((payload[1] as number) & 1) === 1;
  const header: RequestHeader = littleEndian
    ? { client: payload.readBigUInt64LE(ENCAPSULATION), sequence: payload.readBigInt64LE(ENCAPSULATION + 8) }
    : { client: payload.readBigUInt64BE(ENCAPSULATION), sequence: payload.readBigInt64BE(ENCAPSULATION + 8) };
  const cdr = Buffer.concat([payload.subarray(0, ENCAPSULATION), payload.subarray(ENCAPSULATION + HEADER)]);
  return { header, cdr };
}
