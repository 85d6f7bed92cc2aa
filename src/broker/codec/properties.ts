import { malformed, ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import type { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** The properties of MQTT 5.0 section 2.2.2, absent where the packet does not carry them. Times in seconds. */
export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  subscriptionIdentifiers?: number[];
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  serverKeepAlive?: number;
  authenticationMethod?: string;
  authenticationData?: Buffer;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  /** In the order of the packet, which is kept [MQTT-3.3.2-18]. */
  userProperties?: Array<[name: string, value: string]>;
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifiersAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

/** Where properties stand: a packet, or the will inside CONNECT. */
export type PropertyPlace =
  | 'CONNECT'
  | 'CONNACK'
  | 'PUBLISH'
  | 'will'
  | 'PUBACK'
  | 'PUBREC'
  | 'PUBREL'
  | 'PUBCOMP'
  | 'SUBSCRIBE'
  | 'SUBACK'
  | 'UNSUBSCRIBE'
  | 'UNSUBACK'
  | 'DISCONNECT'
  | 'AUTH';

type Kind = 'flag' | 'byte' | 'uint16' | 'uint32' | 'variable' | 'utf8' | 'binary' | 'pair';
type Value = number | string | Buffer | number[] | Array<[string, string]>;

interface Definition {
  id: number;
  name: keyof Properties;
  kind: Kind;
  places: readonly PropertyPlace[];
  /** Zero is a protocol error [MQTT-3.1.2.11.3], [MQTT-3.1.2.11.4], [MQTT-3.3.2.3.8]. */
  nonZero?: boolean;
}

const message = ['PUBLISH', 'will'] as const;
const acknowledgements = ['PUBACK', 'PUBREC', 'PUBREL', 'PUBCOMP', 'SUBACK', 'UNSUBACK'] as const;

// Table 2-4 of MQTT 5.0.
const definitions: readonly Definition[] = [
  { id: 0x01, name: 'payloadFormatIndicator', kind: 'flag', places: message },
  { id: 0x02, name: 'messageExpiryInterval', kind: 'uint32', places: message },
  { id: 0x03, name: 'contentType', kind: 'utf8', places: message },
  { id: 0x08, name: 'responseTopic', kind: 'utf8', places: message },
  { id: 0x09, name: 'correlationData', kind: 'binary', places: message },
  {
    id: 0x0b,
    name: 'subscriptionIdentifiers',
    kind: 'variable',
    places: ['PUBLISH', 'SUBSCRIBE'],
    nonZero: true,
  },
  { id: 0x11, name: 'sessionExpiryInterval', kind: 'uint32', places: ['CONNECT', 'CONNACK', 'DISCONNECT'] },
  { id: 0x12, name: 'assignedClientIdentifier', kind: 'utf8', places: ['CONNACK'] },
  { id: 0x13, name: 'serverKeepAlive', kind: 'uint16', places: ['CONNACK'] },
  { id: 0x15, name: 'authenticationMethod', kind: 'utf8', places: ['CONNECT', 'CONNACK', 'AUTH'] },
  { id: 0x16, name: 'authenticationData', kind: 'binary', places: ['CONNECT', 'CONNACK', 'AUTH'] },
  { id: 0x17, name: 'requestProblemInformation', kind: 'flag', places: ['CONNECT'] },
  { id: 0x18, name: 'willDelayInterval', kind: 'uint32', places: ['will'] },
  { id: 0x19, name: 'requestResponseInformation', kind: 'flag', places: ['CONNECT'] },
  { id: 0x1a, name: 'responseInformation', kind: 'utf8', places: ['CONNACK'] },
  { id: 0x1c, name: 'serverReference', kind: 'utf8', places: ['CONNACK', 'DISCONNECT'] },
  {
    id: 0x1f,
    name: 'reasonString',
    kind: 'utf8',
    places: ['CONNACK', ...acknowledgements, 'DISCONNECT', 'AUTH'],
  },
  { id: 0x21, name: 'receiveMaximum', kind: 'uint16', places: ['CONNECT', 'CONNACK'], nonZero: true },
  { id: 0x22, name: 'topicAliasMaximum', kind: 'uint16', places: ['CONNECT', 'CONNACK'] },
  { id: 0x23, name: 'topicAlias', kind: 'uint16', places: ['PUBLISH'] },
  { id: 0x24, name: 'maximumQos', kind: 'flag', places: ['CONNACK'] },
  { id: 0x25, name: 'retainAvailable', kind: 'flag', places: ['CONNACK'] },
  {
    id: 0x26,
    name: 'userProperties',
    kind: 'pair',
    places: [
      'CONNECT',
      'CONNACK',
      ...message,
      ...acknowledgements,
      'SUBSCRIBE',
      'UNSUBSCRIBE',
      'DISCONNECT',
      'AUTH',
    ],
  },
  { id: 0x27, name: 'maximumPacketSize', kind: 'uint32', places: ['CONNECT', 'CONNACK'], nonZero: true },
  { id: 0x28, name: 'wildcardSubscriptionAvailable', kind: 'flag', places: ['CONNACK'] },
  { id: 0x29, name: 'subscriptionIdentifiersAvailable', kind: 'flag', places: ['CONNACK'] },
  { id: 0x2a, name: 'sharedSubscriptionAvailable', kind: 'flag', places: ['CONNACK'] },
];
const byId = new Map(definitions.map((definition) => [definition.id, definition]));

/**
 * Reads a property length and the properties it covers.
 * @throws ProtocolError an unknown property, one that does not belong here, one given twice, or a bad value
 */
export function readProperties(reader: WireReader, place: PropertyPlace): Properties {
  const length = reader.variableByteInteger(`property length of ${place}`);
  const section = reader.section(length, `properties of ${place}`);
  const found: Partial<Record<keyof Properties, Value>> = {};
  while (section.remaining > 0) {
    const id = section.variableByteInteger('property identifier');
    const definition = byId.get(id);
    if (definition === undefined) throw malformed(`property identifier ${id} does not exist`);
    const { name } = definition;
    if (!definition.places.includes(place)) {
      throw new ProtocolError(ReasonCode.protocolError, `${place} must not carry the property ${name}`);
    }
    const value = readValue(section, definition);
    const before = found[name];
    if (definition.kind === 'pair' || (name === 'subscriptionIdentifiers' && place === 'PUBLISH')) {
      if (before === undefined) found[name] = [value] as Value;
      else (before as unknown[]).push(value);
    } else if (before !== undefined) {
      throw new ProtocolError(ReasonCode.protocolError, `${place} carries the property ${name} twice`);
    } else {
      found[name] = name === 'subscriptionIdentifiers' ? [value as number] : (value as Value);
    }
  }
  return found as Properties;
}

function readValue(reader: WireReader, { name, kind, nonZero }: Definition): Value | [string, string] {
  switch (kind) {
    case 'utf8':
      return reader.utf8(name);
    case 'binary':
      return reader.binary(name);
    case 'pair':
      return [reader.utf8('name of a user property'), reader.utf8('value of a user property')];
    default: {
      const value = readNumber(reader, name, kind);
      if (kind === 'flag' && value > 1) {
        throw new ProtocolError(ReasonCode.protocolError, `${name} must be 0 or 1, not ${value}`);
      }
      if (nonZero && value === 0) throw new ProtocolError(ReasonCode.protocolError, `${name} must not be 0`);
      return value;
    }
  }
}

function readNumber(reader: WireReader, name: string, kind: Kind): number {
  switch (kind) {
    case 'uint16':
      return reader.uint16(name);
    case 'uint32':
      return reader.uint32(name);
    case 'variable':
      return reader.variableByteInteger(name);
    default:
      return reader.byte(name);
  }
}

/** Writes the property length and the properties; user properties keep their order. */
export function writeProperties(writer: WireWriter, properties: Properties): void {
  const bytes = encodeProperties(properties);
  writer.variableByteInteger(bytes.length).bytes(bytes);
}

/** The properties without their length. */
export function encodeProperties(properties: Properties): Buffer {
  const writer = new WireWriter();
  for (const definition of definitions) {
    const value = properties[definition.name];
    if (value === undefined) continue;
    if (definition.kind === 'pair' || definition.name === 'subscriptionIdentifiers') {
      for (const one of value as number[] | Array<[string, string]>) writeValue(writer, definition, one);
    } else {
      writeValue(writer, definition, value as Value);
    }
  }
  return writer.finish();
}

function writeValue(writer: WireWriter, { id, kind }: Definition, value: Value | [string, string]): void {
  writer.byte(id);
  switch (kind) {
    case 'uint16':
      writer.uint16(value as number);
      break;
    case 'uint32':
      writer.uint32(value as number);
      break;
    case 'variable':
      writer.variableByteInteger(value as number);
      break;
    case 'utf8':
      writer.utf8(value as string);
      break;
    case 'binary':
      writer.binary(value as Buffer);
      break;
    case 'pair':
      writer.utf8((value as [string, string])[0]).utf8((value as [string, string])[1]);
      break;
    default:
      writer.byte(value as number);
  }
}
