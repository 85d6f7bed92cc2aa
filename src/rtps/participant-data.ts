import { EntityId, guidOf, prefixOf } from './guid';
import type { Locator } from './locator';
import { MalformedError } from './malformed-error';
import { ParameterList, ParameterListWriter, Pid } from './parameter-list';
import { PROTOCOL_MAJOR, PROTOCOL_MINOR } from './submessage';

/** What a participant announces of itself (SPDPdiscoveredParticipantData, RTPS 8.5.3.2). */
export interface ParticipantData {
  readonly prefix: string;
  readonly vendorId: number;
  readonly domain: number | undefined;
  /** A set of `BuiltinEndpoint`. */
  readonly builtinEndpoints: number;
  /** Milliseconds without a sign of life after which it is gone. */
  readonly leaseDuration: number;
  readonly metatrafficLocators: readonly Locator[];
  readonly userLocators: readonly Locator[];
  readonly name: string | undefined;
  readonly userData: Buffer | undefined;
}

/** Bits of PID_BUILTIN_ENDPOINT_SET (RTPS 9.3.2.11). */
export const BuiltinEndpoint = {
  participantAnnouncer: 1 << 0,
  participantDetector: 1 << 1,
  publicationsAnnouncer: 1 << 2,
  publicationsDetector: 1 << 3,
  subscriptionsAnnouncer: 1 << 4,
  subscriptionsDetector: 1 << 5,
  participantMessageWriter: 1 << 10,
  participantMessageReader: 1 << 11,
} as const;

export const ALL_BUILTIN_ENDPOINTS = Object.values(BuiltinEndpoint).reduce((set, bit) => set | bit);
/** Those of discovery alone, of a participant that does not say what it has. */
const DISCOVERY_ENDPOINTS = 0x3f;

/** RTPS 9.6.3.2: 100 s when a participant announces none. */
const DEFAULT_LEASE_MS = 100_000;
/** What one participant may make us keep. */
const MAX_NAME_LENGTH = 512;
const MAX_USER_DATA_BYTES = 16 * 1024;
const MAX_LOCATORS = 16;

export function encodeParticipantData(data: ParticipantData): Buffer {
  const list = new ParameterListWriter()
    .bytes(Pid.protocolVersion, Buffer.from([PROTOCOL_MAJOR, PROTOCOL_MINOR]))
    .bytes(Pid.vendorId, Buffer.from([data.vendorId >> 8, data.vendorId & 0xff]))
    .guid(Pid.participantGuid, guidOf(data.prefix, EntityId.participant))
    .uint32(Pid.builtinEndpointSet, data.builtinEndpoints)
    .duration(Pid.participantLeaseDuration, data.leaseDuration)
    .locators(Pid.metatrafficUnicastLocator, data.metatrafficLocators)
    .locators(Pid.defaultUnicastLocator, data.userLocators);
  if (data.domain !== undefined) list.uint32(Pid.domainId, data.domain);
  if (data.userData !== undefined) list.octets(Pid.userData, data.userData);
  if (data.name !== undefined) list.string(Pid.entityName, data.name);
  return list.toPayload();
}

/** @throws MalformedError */
export function decodeParticipantData(payload: Buffer): ParticipantData {
  const list = ParameterList.fromPayload(payload);
  const guid = list.guid(Pid.participantGuid);
  if (guid === undefined) throw new MalformedError('participant data without a GUID');
  const name = list.string(Pid.entityName)?.slice(0, MAX_NAME_LENGTH);
  const userData = list.octets(Pid.userData);
  if (userData !== undefined && userData.length > MAX_USER_DATA_BYTES)
    throw new MalformedError(`participant user data of ${userData.length} octets`);
  return {
    prefix: prefixOf(guid),
    vendorId: list.bytes(Pid.vendorId, 2)?.readUInt16BE(0) ?? 0,
    domain: list.uint32(Pid.domainId),
    builtinEndpoints: list.uint32(Pid.builtinEndpointSet) ?? DISCOVERY_ENDPOINTS,
    leaseDuration: list.duration(Pid.participantLeaseDuration) ?? DEFAULT_LEASE_MS,
    metatrafficLocators: list.locators(Pid.metatrafficUnicastLocator).slice(0, MAX_LOCATORS),
    userLocators: list.locators(Pid.defaultUnicastLocator).slice(0, MAX_LOCATORS),
    name,
    userData: userData && Buffer.from(userData),
  };
}

/** The key and the inline QoS that say that this participant, or an endpoint, is gone. */
export function encodeDisposal(pid: number, guid: string): { key: Buffer; inlineQos: Buffer } {
  return {
    key: new ParameterListWriter().guid(pid, guid).toPayload(),
    inlineQos: new ParameterListWriter()
      .guid(Pid.keyHash, guid)
      .bytes(Pid.statusInfo, Buffer.from([0, 0, 0, DISPOSED | UNREGISTERED]))
      .toInlineQos(),
  };
}

/** Bits of PID_STATUS_INFO (RTPS 9.6.4.9). */
const DISPOSED = 1;
const UNREGISTERED = 2;

/** Which participant or endpoint a disposal is about: the key, or where it is left out its hash. @throws MalformedError */
export function decodeDisposal(pid: number, payload: Buffer, keyHash: string | undefined): string {
  const guid = payload.length > 0 ? ParameterList.fromPayload(payload).guid(pid) : keyHash;
  const found = guid ?? keyHash;
  if (found === undefined) throw new MalformedError('a disposal without a key');
  return found;
}
