import { PacketType, type ProtocolVersion } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { malformed } from './protocol-error';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** MQTT 5.0 section 3.2, MQTT 3.1.1 section 3.2. */
export interface ConnackPacket {
  type: 'connack';
  sessionPresent: boolean;
  /** A reason code at protocol level 5, a return code (0 to 5) below. */
  reasonCode: number;
  properties: Properties;
}

export function decodeConnack(
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): ConnackPacket {
  const reader = new WireReader(bytes, start, end);
  const flags = reader.byte('connect acknowledge flags');
  if (flags > 1) throw malformed('reserved connect acknowledge flags are set'); // [MQTT-3.2.2-1]
  const reasonCode = reader.byte('connect reason code');
  const properties = version === 5 ? readProperties(reader, 'CONNACK') : {};
  reader.expectEnd('CONNACK');
  return { type: 'connack', sessionPresent: flags === 1, reasonCode, properties };
}

export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter().byte(packet.sessionPresent ? 1 : 0).byte(packet.reasonCode);
  if (version === 5) writeProperties(writer, packet.properties);
  return writer.finishPacket(PacketType.connack << 4);
}
