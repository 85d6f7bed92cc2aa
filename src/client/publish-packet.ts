import type { IPublishPacket } from 'mqtt';
import { readVariableByteInteger, variableByteIntegerBytes } from './variable-byte-integer';

type Properties = NonNullable<IPublishPacket['properties']>;

const RETAIN = 0x01;
const DUP = 0x08;
const LENGTH_BYTES = 2;
const NO_BYTES = Buffer.alloc(0);

/** Identifiers (MQTT 5.0, 2.2.2.2). */
const Property = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  userProperty: 0x26,
} as const;

/**
 * Reads a PUBLISH packet (MQTT 5.0 and 3.1.1, section 3.3) as MQTT.js does, but with a payload that is a view, whatever
 * it is made of. `undefined` for one that is malformed or has a topic alias: those are left to MQTT.js.
 * @param bytes in which the packet begins at `start`, has its variable header at `body`, and ends at `end`; its QoS is
 * not 3
 */
export function readPublish(
  bytes: Buffer,
  start: number,
  body: number,
  end: number,
  version5: boolean,
): IPublishPacket | undefined {
  const flags = bytes[start] as number;
  const qos = ((flags >> 1) & 0b11) as 0 | 1 | 2;
  if (body + LENGTH_BYTES > end) return undefined;
  const topicAt = body + LENGTH_BYTES;
  let at = topicAt + bytes.readUInt16BE(body);
  if (at === topicAt || at > end) return undefined;
  const packet: IPublishPacket = {
    cmd: 'publish',
    topic: bytes.toString('utf8', topicAt, at),
    payload: NO_BYTES,
    qos,
    dup: (flags & DUP) !== 0,
    retain: (flags & RETAIN) !== 0,
  };
  if (qos > 0) {
    if (at + LENGTH_BYTES > end) return undefined;
    packet.messageId = bytes.readUInt16BE(at);
    at += LENGTH_BYTES;
  }
  if (version5) {
    const length = readVariableByteInteger(bytes, at, end);
    if (length === undefined) return undefined;
    at += variableByteIntegerBytes(length);
    if (at + length > end) return undefined;
    if (length > 0) {
      const properties = readProperties(bytes, at, at + length);
      if (properties === undefined) return undefined;
      packet.properties = properties;
      at += length;
    }
  }
  packet.payload = bytes.subarray(at, end);
  return packet;
}

function readProperties(bytes: Buffer, start: number, end: number): Properties | undefined {
  const properties: Properties = {};
  let at = start;
  while (at < end) {
    const identifier = bytes[at++];
    switch (identifier) {
      case Property.payloadFormatIndicator: {
        if (at + 1 > end || properties.payloadFormatIndicator !== undefined) return undefined;
        properties.payloadFormatIndicator = bytes[at++] !== 0;
        break;
      }
      case Property.messageExpiryInterval: {
        if (at + 4 > end || properties.messageExpiryInterval !== undefined) return undefined;
        properties.messageExpiryInterval = bytes.readUInt32BE(at);
        at += 4;
        break;
      }
      case Property.subscriptionIdentifier: {
        const number = readVariableByteInteger(bytes, at, end);
        if (!number) return undefined;
        at += variableByteIntegerBytes(number);
        properties.subscriptionIdentifier = joined(properties.subscriptionIdentifier, number);
        break;
      }
      case Property.correlationData:
      case Property.contentType:
      case Property.responseTopic: {
        const until = endOfField(bytes, at, end);
        if (until === undefined) return undefined;
        const name = NAMES[identifier];
        if (properties[name] !== undefined) return undefined;
        const from = at + LENGTH_BYTES;
        if (name === 'correlationData') properties[name] = Buffer.from(bytes.subarray(from, until));
        else properties[name] = bytes.toString('utf8', from, until);
        at = until;
        break;
      }
      case Property.userProperty: {
        const nameEnd = endOfField(bytes, at, end);
        const valueEnd = nameEnd === undefined ? undefined : endOfField(bytes, nameEnd, end);
        if (nameEnd === undefined || valueEnd === undefined) return undefined;
        const name = bytes.toString('utf8', at + LENGTH_BYTES, nameEnd);
        const value = bytes.toString('utf8', nameEnd + LENGTH_BYTES, valueEnd);
        // Without a prototype: any name is only a name.
        properties.userProperties ??= Object.create(null) as NonNullable<Properties['userProperties']>;
        properties.userProperties[name] = joined(properties.userProperties[name], value);
        at = valueEnd;
        break;
      }
      default:
        return undefined;
    }
  }
  return properties;
}

const NAMES = {
  [Property.contentType]: 'contentType',
  [Property.responseTopic]: 'responseTopic',
  [Property.correlationData]: 'correlationData',
} as const;

/** One value stands alone, several in an array; a packet may have so many that none is ever copied. */
function joined<T extends string | number>(others: T | T[] | undefined, value: T): T | T[] {
  if (others === undefined) return value;
  if (!Array.isArray(others)) return [others, value];
  others.push(value);
  return others;
}

/** Where a string or binary data ends whose length is at `at`. */
function endOfField(bytes: Buffer, at: number, end: number): number | undefined {
  if (at + LENGTH_BYTES > end) return undefined;
  const until = at + LENGTH_BYTES + bytes.readUInt16BE(at);
  return until > end ? undefined : until;
}
