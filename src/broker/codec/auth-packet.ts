import { PacketType } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** MQTT 5.0 section 3.15; below protocol level 5 there is none. */
export interface AuthPacket {
  type: 'auth';
  reasonCode: number;
  properties: Properties;
}

export function decodeAuth(bytes: Buffer, start: number, end: number): AuthPacket {
  const reader = new WireReader(bytes, start, end);
  let reasonCode = 0;
  let properties: Properties = {};
  if (reader.remaining > 0) {
    reasonCode = reader.byte('authenticate reason code');
    if (reader.remaining > 0) properties = readProperties(reader, 'AUTH');
  }
  reader.expectEnd('AUTH');
  return { type: 'auth', reasonCode, properties };
}

export function encodeAuth(packet: AuthPacket): Buffer {
  const writer = new WireWriter();
  const hasProperties = Object.keys(packet.properties).length > 0;
  if (packet.reasonCode !== 0 || hasProperties) {
    writer.byte(packet.reasonCode);
    writeProperties(writer, packet.properties);
  }
  return writer.finishPacket(PacketType.auth << 4);
}
