import { fixedFlags, PacketType, type ProtocolVersion } from './packet-type';
import { type Properties, type PropertyPlace, readProperties, writeProperties } from './properties';
import { ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

export type AcknowledgementType = 'puback' | 'pubrec' | 'pubrel' | 'pubcomp';

/** PUBACK, PUBREC, PUBREL and PUBCOMP, which have one form (MQTT 5.0 sections 3.4 to 3.7). */
export interface AcknowledgementPacket {
  type: AcknowledgementType;
  packetId: number;
  /** 0 below protocol level 5, which has none. */
  reasonCode: number;
  properties: Properties;
}

const places: Record<AcknowledgementType, PropertyPlace> = {
  puback: 'PUBACK',
  pubrec: 'PUBREC',
  pubrel: 'PUBREL',
  pubcomp: 'PUBCOMP',
};

/** @throws ProtocolError packet identifier 0 [MQTT-2.2.1-3] */
export function readPacketId(reader: WireReader): number {
  const packetId = reader.uint16('packet identifier');
  if (packetId === 0) throw new ProtocolError(ReasonCode.protocolError, 'packet identifier 0 is not allowed');
  return packetId;
}

/**
 * The packet identifier of an acknowledgement in its short form, which says success and is nearly always used; 0 when
 * the packet is of another form and has to be decoded.
 */
export function shortAcknowledgement(bytes: Buffer, start: number, end: number): number {
  return end - start === 2 ? ((bytes[start] as number) << 8) | (bytes[start + 1] as number) : 0;
}

/**
 * The packet identifier of an acknowledgement, for those of which it alone matters.
 * @throws ProtocolError as `decodeAcknowledgement`
 */
export function acknowledgedPacketId(
  type: AcknowledgementType,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): number {
  return (
    shortAcknowledgement(bytes, start, end) ||
    decodeAcknowledgement(type, bytes, start, end, version).packetId
  );
}

/** @throws ProtocolError the packet is malformed, or its packet identifier 0 */
export function decodeAcknowledgement(
  type: AcknowledgementType,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): AcknowledgementPacket {
  const reader = new WireReader(bytes, start, end);
  const packetId = readPacketId(reader);
  let reasonCode = 0;
  let properties: Properties = {};
  // The reason code may be left out when it is success, and the properties when there are none.
  if (version === 5 && reader.remaining > 0) reasonCode = reader.byte('reason code');
  if (version === 5 && reader.remaining > 0) properties = readProperties(reader, places[type]);
  reader.expectEnd(places[type]);
  return { type, packetId, reasonCode, properties };
}

export function encodeAcknowledgement(packet: AcknowledgementPacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter().uint16(packet.packetId);
  if (version === 5) {
    const hasProperties = Object.keys(packet.properties).length > 0;
    if (packet.reasonCode !== 0 || hasProperties) writer.byte(packet.reasonCode);
    if (hasProperties) writeProperties(writer, packet.properties);
  }
  const type = PacketType[packet.type];
  return writer.finishPacket((type << 4) | fixedFlags(type));
}
