import { PacketType, type ProtocolVersion } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** MQTT 5.0 section 3.14. Below protocol level 5 it has neither reason code nor properties. */
export interface DisconnectPacket {
  type: 'disconnect';
  reasonCode: number;
  properties: Properties;
}

export function decodeDisconnect(
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): DisconnectPacket {
  const reader = new WireReader(bytes, start, end);
  let reasonCode = 0;
  let properties: Properties = {};
  if (version === 5 && reader.remaining > 0) reasonCode = reader.byte('disconnect reason code');
  if (version === 5 && reader.remaining > 0) properties = readProperties(reader, 'DISCONNECT');
  reader.expectEnd('DISCONNECT');
  return { type: 'disconnect', reasonCode, properties };
}

export function encodeDisconnect(packet: DisconnectPacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter();
  if (version === 5) {
    const hasProperties = Object.keys(packet.properties).length > 0;
    if (packet.reasonCode !== 0 || hasProperties) writer.byte(packet.reasonCode);
    if (hasProperties) writeProperties(writer, packet.properties);
  }
  return writer.finishPacket(PacketType.disconnect << 4);
}
