import { PacketType, type ProtocolVersion, type QoS } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { malformed, ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** The will as CONNECT carries it. */
export interface WillFields {
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  properties: Properties;
}

/** MQTT 5.0 section 3.1, MQTT 3.1.1 section 3.1. */
export interface ConnectPacket {
  type: 'connect';
  protocolVersion: ProtocolVersion;
  /**
   * The client is a bridge to another broker: the highest bit of the protocol level, which brokers have agreed on for
   * MQTT 3.1 and 3.1.1. It gets none of its own messages, and others with RETAIN as they were published.
   */
  bridge?: boolean;
  clientId: string;
  /** Clean Session at protocol levels 3 and 4. */
  cleanStart: boolean;
  /** Seconds; 0 is none. */
  keepAlive: number;
  will?: WillFields;
  username?: string;
  password?: Buffer;
  /** Empty below protocol level 5. */
  properties: Properties;
}

/** Set in the protocol level of a bridge. */
const BRIDGE = 0x80;

/**
 * The protocol level that a CONNECT asks for, which decides the form of every answer to it.
 * @throws ProtocolError not MQTT, or a level that does not exist [MQTT-3.1.2-1], [MQTT-3.1.2-2]
 */
function readProtocolVersion(reader: WireReader): Pick<ConnectPacket, 'protocolVersion' | 'bridge'> {
  const name = reader.utf8('protocol name');
  const level = reader.byte('protocol level');
  if (name === 'MQTT' && (level === 4 || level === 5)) return { protocolVersion: level };
  if (name === 'MQTT' && level === (4 | BRIDGE)) return { protocolVersion: 4, bridge: true };
  if (name === 'MQIsdp' && level === 3) return { protocolVersion: 3 };
  if (name === 'MQIsdp' && level === (3 | BRIDGE)) return { protocolVersion: 3, bridge: true };
  throw new ProtocolError(
    ReasonCode.unsupportedProtocolVersion,
    `protocol ${JSON.stringify(name)} level ${level} is not MQTT 3.1, 3.1.1 or 5`,
  );
}

/** The same for a CONNECT whose rest may be malformed: `undefined` when not even that much can be read. */
export function peekProtocolVersion(bytes: Buffer, start: number, end: number): ProtocolVersion | undefined {
  try {
    return readProtocolVersion(new WireReader(bytes, start, end)).protocolVersion;
  } catch {
    return undefined;
  }
}

export function decodeConnect(bytes: Buffer, start: number, end: number): ConnectPacket {
  const reader = new WireReader(bytes, start, end);
  const level = readProtocolVersion(reader);
  const { protocolVersion } = level;
  const flags = reader.byte('connect flags');
  const willQos = (flags >> 3) & 3;
  const hasWill = (flags & 4) !== 0;
  if ((flags & 1) !== 0) throw malformed('the reserved connect flag is set'); // [MQTT-3.1.2-3]
  if (willQos === 3) throw malformed('will QoS 3 does not exist'); // [MQTT-3.1.2-12]
  if (!hasWill && (flags & 0x38) !== 0) throw malformed('will QoS or will retain is set without a will'); // [MQTT-3.1.2-11, -13]
  const hasUsername = (flags & 0x80) !== 0;
  const hasPassword = (flags & 0x40) !== 0;
  if (hasPassword && !hasUsername && protocolVersion < 5) {
    throw malformed('a password without a user name needs MQTT 5'); // [MQTT-3.1.2-22] of 3.1.1
  }
  const keepAlive = reader.uint16('keep alive');
  const properties = protocolVersion === 5 ? readProperties(reader, 'CONNECT') : {};
  if (properties.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    throw new ProtocolError(ReasonCode.protocolError, 'authentication data without an authentication method');
  }
  const packet: ConnectPacket = {
    type: 'connect',
    ...level,
    clientId: reader.utf8('client identifier'),
    cleanStart: (flags & 2) !== 0,
    keepAlive,
    properties,
  };
  if (hasWill) {
    const willProperties = protocolVersion === 5 ? readProperties(reader, 'will') : {};
    packet.will = {
      topic: reader.utf8('will topic'),
      payload: reader.binary('will payload'),
      qos: willQos as QoS,
      retain: (flags & 0x20) !== 0,
      properties: willProperties,
    };
  }
  if (hasUsername) packet.username = reader.utf8('user name');
  if (hasPassword) packet.password = reader.binary('password');
  reader.expectEnd('CONNECT');
  return packet;
}

export function encodeConnect(packet: ConnectPacket): Buffer {
  const { protocolVersion, bridge, will, username, password } = packet;
  const writer = new WireWriter();
  writer.utf8(protocolVersion === 3 ? 'MQIsdp' : 'MQTT');
  writer.byte(bridge === true ? protocolVersion | BRIDGE : protocolVersion);
  let flags = packet.cleanStart ? 2 : 0;
  if (will !== undefined) flags |= 4 | (will.qos << 3) | (will.retain ? 0x20 : 0);
  if (username !== undefined) flags |= 0x80;
  if (password !== undefined) flags |= 0x40;
  writer.byte(flags).uint16(packet.keepAlive);
  if (protocolVersion === 5) writeProperties(writer, packet.properties);
  writer.utf8(packet.clientId);
  if (will !== undefined) {
    if (protocolVersion === 5) writeProperties(writer, will.properties);
    writer.utf8(will.topic).binary(will.payload);
  }
  if (username !== undefined) writer.utf8(username);
  if (password !== undefined) writer.binary(password);
  return writer.finishPacket(PacketType.connect << 4);
}
