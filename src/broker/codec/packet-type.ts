import { malformed } from './protocol-error';

/** Control packet types, the upper four bits of a packet's first byte (MQTT 5.0 section 2.1.2). */
export const PacketType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const;

export type PacketTypeName = keyof typeof PacketType;
export type PacketType = (typeof PacketType)[PacketTypeName];

/** Protocol levels of CONNECT: 3 is MQTT 3.1, 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 3 | 4 | 5;

export type QoS = 0 | 1 | 2;

/** Longest remaining length that a variable byte integer can say, in bytes. */
export const MAX_REMAINING_LENGTH = 268_435_455;

/** The lower four bits that every packet but PUBLISH must have (section 2.1.3). */
export function fixedFlags(type: PacketType): number {
  return type === PacketType.pubrel || type === PacketType.subscribe || type === PacketType.unsubscribe
    ? 2
    : 0;
}

/**
 * The type in a packet's first byte.
 * @throws ProtocolError type 0, or reserved flags that are not as specified [MQTT-2.1.3-1]
 */
export function packetTypeOf(header: number): PacketType {
  const type = header >> 4;
  if (type === 0) throw malformed('packet type 0 is reserved');
  const known = type as PacketType;
  if (known !== PacketType.publish && (header & 15) !== fixedFlags(known)) {
    throw malformed(`packet type ${type} must have the flags ${fixedFlags(known)}, not ${header & 15}`);
  }
  return known;
}
