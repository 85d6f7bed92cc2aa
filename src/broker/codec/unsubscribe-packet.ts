import { readPacketId } from './acknowledgement-packet';
import { PacketType, type ProtocolVersion } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import { checkFilterCount } from './subscribe-packet';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** MQTT 5.0 section 3.10. */
export interface UnsubscribePacket {
  type: 'unsubscribe';
  packetId: number;
  filters: string[];
  properties: Properties;
}

export function decodeUnsubscribe(
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): UnsubscribePacket {
  const reader = new WireReader(bytes, start, end);
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, 'UNSUBSCRIBE') : {};
  const filters: string[] = [];
  while (reader.remaining > 0) {
    checkFilterCount('UNSUBSCRIBE', filters.length);
    filters.push(reader.utf8('topic filter'));
  }
  if (filters.length === 0) {
    throw new ProtocolError(ReasonCode.protocolError, 'UNSUBSCRIBE without a topic filter'); // [MQTT-3.10.3-2]
  }
  return { type: 'unsubscribe', packetId, filters, properties };
}

export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter().uint16(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  for (const filter of packet.filters) writer.utf8(filter);
  return writer.finishPacket((PacketType.unsubscribe << 4) | 2);
}
