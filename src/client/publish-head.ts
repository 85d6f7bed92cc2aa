import type { MessageProperties } from './connection-settings';
import { messagePropertiesBytes } from './message-properties';
import { variableByteIntegerBytes, writeVariableByteInteger } from './variable-byte-integer';

const PUBLISH = 0x30;
const RETAIN = 0x01;
const DUP = 0x08;
const LENGTH_BYTES = 2;
const IDENTIFIER_BYTES = 2;
const TOPIC_ALIAS = 0x23;
const TOPIC_ALIAS_BYTES = 3;
const USER_PROPERTY = 0x26;

/** User properties of one message, beside those that it has in common with others. */
export type UserProperties = Readonly<Record<string, string>>;

/** What the fixed header of one packet says; the packet identifier is left out at QoS 0. */
export interface PublishHeader {
  retain: boolean;
  qos: 0 | 1 | 2;
  dup: boolean;
  packetId?: number | undefined;
}

/** What PUBLISH packets for one topic have in common, encoded once (MQTT 5.0 section 3.3, MQTT 3.1.1 section 3.3). */
export class PublishHead {
  readonly topic: string;
  readonly #topicBytes: Buffer;
  /** Without the length before them; MQTT 3.1.1 has none. */
  readonly #properties: Buffer | undefined;

  /**
   * @param topic empty where an alias stands for it
   * @param properties without a fault (`messagePropertiesFault`); `undefined` for MQTT 3.1.1
   */
  constructor(topic: string, properties: MessageProperties | undefined, topicAlias?: number) {
    this.topic = topic;
    this.#topicBytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(topic));
    writeText(this.#topicBytes, 0, topic);
    this.#properties = properties && encodeProperties(properties, topicAlias);
  }

  /** The bytes of all properties of a message. */
  propertiesBytes(userProperties: UserProperties): number {
    return this.#properties === undefined ? 0 : this.#properties.length + userPropertiesBytes(userProperties);
  }

  /** The bytes of a packet before its payload. */
  bytes(propertiesBytes: number, payloadBytes: number, packetId?: number): number {
    const header = this.#headerBytes(propertiesBytes, packetId);
    return 1 + variableByteIntegerBytes(header + payloadBytes) + header;
  }

  /** Writes the packet up to its payload, and returns where it ends. */
  write(
    to: Buffer,
    at: number,
    propertiesBytes: number,
    payloadBytes: number,
    { retain, qos, dup, packetId }: PublishHeader,
    userProperties: UserProperties,
  ): number {
    to[at] = PUBLISH | (dup ? DUP : 0) | (qos << 1) | (retain ? RETAIN : 0);
    let end = writeVariableByteInteger(
      to,
      at + 1,
      this.#headerBytes(propertiesBytes, packetId) + payloadBytes,
    );
    end += this.#topicBytes.copy(to, end);
    if (packetId !== undefined) end = to.writeUInt16BE(packetId, end);
    if (this.#properties === undefined) return end;
    end = writeVariableByteInteger(to, end, propertiesBytes);
    end += this.#properties.copy(to, end);
    for (const name in userProperties) end = writeUserProperty(to, end, name, userProperties[name] as string);
    return end;
  }

  #headerBytes(propertiesBytes: number, packetId: number | undefined): number {
    const length = this.#properties === undefined ? 0 : variableByteIntegerBytes(propertiesBytes);
    const identifier = packetId === undefined ? 0 : IDENTIFIER_BYTES;
    return this.#topicBytes.length + identifier + length + propertiesBytes;
  }
}

function encodeProperties(properties: MessageProperties, topicAlias: number | undefined): Buffer {
  const aliasBytes = topicAlias === undefined ? 0 : TOPIC_ALIAS_BYTES;
  const bytes = Buffer.allocUnsafe(messagePropertiesBytes(properties) + aliasBytes);
  const { payloadFormatIndicator, messageExpiryInterval, contentType, responseTopic, correlationData } =
    properties;
  let at = 0;
  if (payloadFormatIndicator !== undefined) {
    at = bytes.writeUInt8(0x01, at);
    at = bytes.writeUInt8(payloadFormatIndicator ? 1 : 0, at);
  }
  if (messageExpiryInterval !== undefined) {
    at = bytes.writeUInt8(0x02, at);
    at = bytes.writeUInt32BE(messageExpiryInterval, at);
  }
  if (contentType !== undefined) at = writeText(bytes, bytes.writeUInt8(0x03, at), contentType);
  if (responseTopic !== undefined) at = writeText(bytes, bytes.writeUInt8(0x08, at), responseTopic);
  if (correlationData !== undefined) {
    at = bytes.writeUInt16BE(correlationData.length, bytes.writeUInt8(0x09, at));
    at += correlationData.copy(bytes, at);
  }
  if (topicAlias !== undefined) at = bytes.writeUInt16BE(topicAlias, bytes.writeUInt8(TOPIC_ALIAS, at));
  for (const [name, value] of Object.entries(properties.userProperties ?? {}))
    for (const text of Array.isArray(value) ? value : [value]) at = writeUserProperty(bytes, at, name, text);
  return bytes;
}

function userPropertiesBytes(userProperties: UserProperties): number {
  let bytes = 0;
  for (const name in userProperties)
    bytes +=
      1 + 2 * LENGTH_BYTES + Buffer.byteLength(name) + Buffer.byteLength(userProperties[name] as string);
  return bytes;
}

function writeUserProperty(to: Buffer, at: number, name: string, value: string): number {
  to[at] = USER_PROPERTY;
  return writeText(to, writeText(to, at + 1, name), value);
}

function writeText(to: Buffer, at: number, text: string): number {
  const bytes = to.write(text, at + LENGTH_BYTES);
  to.writeUInt16BE(bytes, at);
  return at + LENGTH_BYTES + bytes;
}
