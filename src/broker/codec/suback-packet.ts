import { readPacketId } from './acknowledgement-packet';
import { PacketType, type ProtocolVersion } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/**
 * SUBACK (MQTT 5.0 section 3.9) and UNSUBACK (3.11): one reason code per topic filter, in the order of the request.
 * Below protocol level 5 UNSUBACK has no codes.
 */
export interface SubackPacket {
  type: 'suback' | 'unsuback';
  packetId: number;
  reasonCodes: number[];
  properties: Properties;
}

export function decodeSuback(
  type: SubackPacket['type'],
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): SubackPacket {
  const reader = new WireReader(bytes, start, end);
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, type === 'suback' ? 'SUBACK' : 'UNSUBACK') : {};
  if (type === 'unsuback' && version < 5) reader.expectEnd('UNSUBACK');
  return { type, packetId, reasonCodes: [...reader.rest('reason codes')], properties };
}

export function encodeSuback(packet: SubackPacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter().uint16(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  if (version === 5 || packet.type === 'suback') writer.bytes(Uint8Array.from(packet.reasonCodes));
  return writer.finishPacket(PacketType[packet.type] << 4);
}
