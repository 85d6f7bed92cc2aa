import { PacketType, type ProtocolVersion, type QoS } from './packet-type';
import { encodeProperties, type Properties, readProperties } from './properties';
import { malformed, ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import { checkUtf8 } from './utf8';
import { WireReader } from './wire-reader';
import { variableByteIntegerLength, writeVariableByteInteger } from './wire-writer';

/** Up to here a loop is quicker than `Buffer.copy`, in bytes. */
const SHORT_COPY = 128;

/** MQTT 5.0 section 3.3. */
export interface PublishPacket {
  type: 'publish';
  topic: string;
  payload: Buffer;
  qos: QoS;
  dup: boolean;
  retain: boolean;
  /** 0 at QoS 0. */
  packetId: number;
  properties: Properties;
}

/**
 * Where the parts of an application message stand in a buffer. The topic is without its length, the properties without
 * their length and only those that travel on unchanged (no topic alias, message expiry or subscription identifier).
 */
export interface MessageParts {
  readonly bytes: Buffer;
  readonly topicStart: number;
  readonly topicEnd: number;
  readonly propertiesStart: number;
  readonly propertiesEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/**
 * One received PUBLISH, parsed in place: nothing is copied and no object made, so one view serves a connection for all
 * its packets. What it says is valid until the next `parse`.
 */
export class PublishView implements MessageParts {
  bytes: Buffer = Buffer.alloc(0);
  packetStart = 0;
  topicStart = 0;
  topicEnd = 0;
  propertiesStart = 0;
  propertiesEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  qos: QoS = 0;
  dup = false;
  retain = false;
  /** 0 at QoS 0. */
  packetId = 0;
  /** 0 when absent. */
  topicAlias = 0;
  /** Offset of the topic alias property, or -1. */
  aliasOffset = -1;
  /** Seconds, or -1 when absent. */
  messageExpiry = -1;
  /** Offset of the message expiry property, or -1. */
  expiryOffset = -1;
  /** 1 when the payload says it is UTF-8. */
  payloadFormat = 0;

  /**
   * @param packetStart offset of the packet's first byte
   * @param start offset after the remaining length
   * @param end offset after the packet
   * @throws ProtocolError
   */
  parse(bytes: Buffer, packetStart: number, start: number, end: number, v5: boolean): void {
    const header = bytes[packetStart] as number;
    const qos = (header >> 1) & 3;
    if (qos === 3) throw malformed('QoS 3 does not exist'); // [MQTT-3.3.1-4]
    this.bytes = bytes;
    this.packetStart = packetStart;
    this.qos = qos as QoS;
    this.dup = (header & 8) !== 0;
    this.retain = (header & 1) !== 0;
    if (this.dup && qos === 0) throw malformed('DUP is set on a QoS 0 message'); // [MQTT-3.3.1-2]
    if (end - start < 2) throw malformed('packet ends within the topic length');
    this.topicStart = start + 2;
    let at = start + 2 + ((bytes[start] as number) << 8) + (bytes[start + 1] as number);
    if (at > end) throw malformed('packet ends within the topic name');
    this.topicEnd = at;
    this.packetId = 0;
    if (qos > 0) {
      if (at + 2 > end) throw malformed('packet ends within the packet identifier');
      this.packetId = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      if (this.packetId === 0) {
        throw new ProtocolError(ReasonCode.protocolError, 'packet identifier 0 is not allowed'); // [MQTT-2.2.1-3]
      }
      at += 2;
    }
    this.topicAlias = 0;
    this.aliasOffset = -1;
    this.messageExpiry = -1;
    this.expiryOffset = -1;
    this.payloadFormat = 0;
    this.propertiesStart = at;
    this.propertiesEnd = at;
    this.payloadEnd = end;
    this.payloadStart = v5 ? this.#parseProperties(at, end) : at;
  }

  /** Whether the properties can travel on as they stand. */
  get propertiesUnchanged(): boolean {
    return this.aliasOffset === -1 && this.expiryOffset === -1;
  }

  /** Checks each property and returns the offset after them. */
  #parseProperties(start: number, end: number): number {
    let length = start < end ? (this.bytes[start] as number) : 128;
    let at = start + 1;
    if (length > 127) {
      const reader = new WireReader(this.bytes, start, end);
      length = reader.variableByteInteger('property length of PUBLISH');
      at = end - reader.remaining;
    }
    const sectionEnd = at + length;
    if (sectionEnd > end) throw malformed('packet ends within the properties of PUBLISH');
    this.propertiesStart = at;
    this.propertiesEnd = sectionEnd;
    let seen = 0;
    while (at < sectionEnd) {
      const id = this.bytes[at] as number;
      const next = this.#checkProperty(id, at, sectionEnd);
      // User properties may repeat; the topic alias, above 31 as they are, has a check of its own.
      if (id < 32) {
        if ((seen & (1 << id)) !== 0) {
          throw new ProtocolError(ReasonCode.protocolError, `PUBLISH carries property ${id} twice`);
        }
        seen |= 1 << id;
      }
      at = next;
    }
    return sectionEnd;
  }

  #checkProperty(id: number, at: number, end: number): number {
    const { bytes } = this;
    switch (id) {
      case PROPERTY.payloadFormatIndicator:
        need(at + 2, end, 'payloadFormatIndicator');
        this.payloadFormat = bytes[at + 1] as number;
        if (this.payloadFormat > 1) {
          throw new ProtocolError(ReasonCode.protocolError, 'payloadFormatIndicator must be 0 or 1');
        }
        return at + 2;
      case PROPERTY.messageExpiryInterval:
        need(at + 5, end, 'messageExpiryInterval');
        this.messageExpiry = bytes.readUInt32BE(at + 1);
        this.expiryOffset = at;
        return at + 5;
      case PROPERTY.topicAlias:
        need(at + 3, end, 'topicAlias');
        if (this.aliasOffset !== -1)
          throw new ProtocolError(ReasonCode.protocolError, 'PUBLISH carries topicAlias twice');
        this.topicAlias = bytes.readUInt16BE(at + 1);
        this.aliasOffset = at;
        if (this.topicAlias === 0) {
          throw new ProtocolError(ReasonCode.topicAliasInvalid, 'topic alias 0 is not allowed'); // [MQTT-3.3.2-8]
        }
        return at + 3;
      case PROPERTY.contentType:
        return checkText(bytes, at + 1, end, 'contentType');
      case PROPERTY.responseTopic: {
        const next = checkText(bytes, at + 1, end, 'responseTopic');
        for (let i = at + 3; i < next; i++) {
          if (bytes[i] === 0x23 || bytes[i] === 0x2b) {
            throw new ProtocolError(ReasonCode.protocolError, 'responseTopic contains a wildcard'); // [MQTT-3.3.2-14]
          }
        }
        return next;
      }
      case PROPERTY.correlationData:
        return lengthPrefixedEnd(bytes, at + 1, end, 'correlationData');
      case PROPERTY.userProperty: {
        const value = checkText(bytes, at + 1, end, 'name of a user property');
        return checkText(bytes, value, end, 'value of a user property');
      }
      default:
        // Also a subscription identifier, which only a server sends [MQTT-3.3.4-6].
        throw new ProtocolError(
          ReasonCode.protocolError,
          `PUBLISH to a server must not carry property ${id}`,
        );
    }
  }
}

const PROPERTY = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  topicAlias: 0x23,
  userProperty: 0x26,
} as const;

function need(needed: number, end: number, field: string): void {
  if (needed > end) throw malformed(`properties end within ${field}`);
}

function lengthPrefixedEnd(bytes: Buffer, at: number, end: number, field: string): number {
  need(at + 2, end, field);
  const next = at + 2 + ((bytes[at] as number) << 8) + (bytes[at + 1] as number);
  need(next, end, field);
  return next;
}

function checkText(bytes: Buffer, at: number, end: number, field: string): number {
  const next = lengthPrefixedEnd(bytes, at, end, field);
  checkUtf8(bytes, at + 2, next, field);
  return next;
}

/** How a sent PUBLISH says its topic (MQTT 5.0 section 3.3.2.3.4). */
export interface TopicSpelling {
  /** Topic alias, 0 for none. */
  readonly number: number;
  /** Whether the topic name is there as well. */
  readonly named: boolean;
}

export const NO_ALIAS: TopicSpelling = { number: 0, named: true };
const ALIAS_BYTES = 3;

/**
 * The remaining length of a PUBLISH that carries these parts.
 * @param expiry seconds, or -1 for none
 */
export function publishRemainingLength(
  parts: MessageParts,
  v5: boolean,
  qos: QoS,
  expiry: number,
  identifiers: readonly number[],
  alias = NO_ALIAS,
): number {
  const topic = alias.named ? parts.topicEnd - parts.topicStart : 0;
  const length = 2 + topic + (qos > 0 ? 2 : 0) + parts.payloadEnd - parts.payloadStart;
  if (!v5) return length;
  const properties = propertiesLength(parts, expiry, identifiers, alias);
  return length + variableByteIntegerLength(properties) + properties;
}

function propertiesLength(
  parts: MessageParts,
  expiry: number,
  identifiers: readonly number[],
  alias: TopicSpelling,
): number {
  let length =
    parts.propertiesEnd -
    parts.propertiesStart +
    (expiry >= 0 ? 5 : 0) +
    (alias.number > 0 ? ALIAS_BYTES : 0);
  for (const identifier of identifiers) length += 1 + variableByteIntegerLength(identifier);
  return length;
}

/**
 * Writes a whole PUBLISH and returns the offset after it. The target must have room for the fixed header (5 bytes at
 * most) and the remaining length.
 * @param header the first byte: type, DUP, QoS and RETAIN
 * @param expiry seconds, or -1 for none
 */
export function writePublish(
  target: Buffer,
  offset: number,
  parts: MessageParts,
  v5: boolean,
  header: number,
  packetId: number,
  expiry: number,
  identifiers: readonly number[],
  remainingLength: number,
  alias = NO_ALIAS,
): number {
  const { bytes, topicStart } = parts;
  const topicEnd = alias.named ? parts.topicEnd : topicStart;
  let at = offset;
  target[at++] = header;
  at = writeVariableByteInteger(target, at, remainingLength);
  target[at++] = (topicEnd - topicStart) >> 8;
  target[at++] = (topicEnd - topicStart) & 255;
  at = copy(bytes, topicStart, topicEnd, target, at);
  if ((header & 6) !== 0) {
    target[at++] = packetId >> 8;
    target[at++] = packetId & 255;
  }
  if (v5) {
    at = writeVariableByteInteger(target, at, propertiesLength(parts, expiry, identifiers, alias));
    if (expiry >= 0) {
      target[at++] = PROPERTY.messageExpiryInterval;
      at = target.writeUInt32BE(expiry, at);
    }
    if (alias.number > 0) {
      target[at++] = PROPERTY.topicAlias;
      target[at++] = alias.number >> 8;
      target[at++] = alias.number & 255;
    }
    for (const identifier of identifiers) {
      target[at++] = PROPERTY.subscriptionIdentifier;
      at = writeVariableByteInteger(target, at, identifier);
    }
    if (parts.propertiesEnd > parts.propertiesStart) {
      at = copy(bytes, parts.propertiesStart, parts.propertiesEnd, target, at);
    }
  }
  return copy(bytes, parts.payloadStart, parts.payloadEnd, target, at);
}

/** Copies bytes and returns the offset after them; a short piece costs less in a loop than in a call of the system. */
export function copy(source: Buffer, start: number, end: number, target: Buffer, offset: number): number {
  if (end - start > SHORT_COPY) return offset + source.copy(target, offset, start, end);
  let at = offset;
  for (let from = start; from < end; from++) target[at++] = source[from] as number;
  return at;
}

/** A PUBLISH as values, in either direction: for clients and tools; the broker parses in place instead. */
export function decodePublish(
  header: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): PublishPacket {
  const reader = new WireReader(bytes, start, end);
  const qos = (header >> 1) & 3;
  if (qos === 3) throw malformed('QoS 3 does not exist');
  if (qos === 0 && (header & 8) !== 0) throw malformed('DUP is set on a QoS 0 message');
  const topic = reader.utf8('topic name');
  const packetId = qos > 0 ? reader.uint16('packet identifier') : 0;
  if (qos > 0 && packetId === 0) {
    throw new ProtocolError(ReasonCode.protocolError, 'packet identifier 0 is not allowed');
  }
  const properties = version === 5 ? readProperties(reader, 'PUBLISH') : {};
  return {
    type: 'publish',
    topic,
    payload: reader.rest('payload'),
    qos: qos as QoS,
    dup: (header & 8) !== 0,
    retain: (header & 1) !== 0,
    packetId,
    properties,
  };
}

export function encodePublish(packet: PublishPacket, version: ProtocolVersion): Buffer {
  const topic = Buffer.from(packet.topic);
  const properties = version === 5 ? encodeProperties(packet.properties) : Buffer.alloc(0);
  const bytes = Buffer.concat([topic, properties, packet.payload]);
  const parts: MessageParts = {
    bytes,
    topicStart: 0,
    topicEnd: topic.length,
    propertiesStart: topic.length,
    propertiesEnd: topic.length + properties.length,
    payloadStart: topic.length + properties.length,
    payloadEnd: bytes.length,
  };
  const header =
    (PacketType.publish << 4) | (packet.dup ? 8 : 0) | (packet.qos << 1) | (packet.retain ? 1 : 0);
  const remaining = publishRemainingLength(parts, version === 5, packet.qos, -1, []);
  const target = Buffer.allocUnsafe(1 + variableByteIntegerLength(remaining) + remaining);
  writePublish(target, 0, parts, version === 5, header, packet.packetId, -1, [], remaining);
  return target;
}
