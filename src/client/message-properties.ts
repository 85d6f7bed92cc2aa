import { shown, textFault, topicNameFault } from '../topic/topic-name';
import type { MessageProperties } from './connection-settings';

const LONGEST = 65_535;
const LATEST = 0xffffffff;
const HIGHEST_ALIAS = 0xffff;

/**
 * Says what is wrong with the properties of a message, or `undefined`. They may come from a flow, where any value is
 * possible; MQTT.js ends the connection over a wrong one.
 */
export function messagePropertiesFault(properties: MessageProperties): string | undefined {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    const fault = propertyFault(name, value);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function propertyFault(name: string, value: unknown): string | undefined {
  switch (name) {
    case 'payloadFormatIndicator':
      return typeof value === 'boolean' ? undefined : expected(name, value, 'true or false');
    case 'messageExpiryInterval':
      return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LATEST
        ? undefined
        : expected(name, value, `whole seconds from 0 to ${LATEST}`);
    case 'responseTopic': {
      if (typeof value !== 'string') return expected(name, value, 'a topic name');
      const fault = topicNameFault(value);
      return fault === undefined ? undefined : `${name}: ${fault}`;
    }
    case 'correlationData':
      if (!Buffer.isBuffer(value)) return expected(name, value, 'a Buffer');
      return value.length <= LONGEST
        ? undefined
        : `${name} has ${value.length} bytes, expected at most ${LONGEST}`;
    case 'contentType':
      return valueFault(name, value);
    case 'userProperties':
      return userPropertiesFault(value);
    default:
      return `${name} is not a property of a message`;
  }
}

/** The properties as they are now: who has given them may change them while a message waits. */
export function copiedProperties(properties: MessageProperties): MessageProperties {
  const { userProperties } = properties;
  if (userProperties === undefined) return { ...properties };
  const entries = Object.entries(userProperties).map(
    ([name, value]) => [name, Array.isArray(value) ? [...value] : value] as const,
  );
  return { ...properties, userProperties: Object.fromEntries(entries) };
}

/** Says what is wrong with a topic alias, whatever the broker allows, or `undefined` [MQTT-3.3.2-8]. */
export function topicAliasFault(alias: unknown): string | undefined {
  return Number.isInteger(alias) && (alias as number) >= 1 && (alias as number) <= HIGHEST_ALIAS
    ? undefined
    : expected('topicAlias', alias, `a whole number from 1 to ${HIGHEST_ALIAS}`);
}

/** Says what is wrong with user properties, or `undefined`: names to texts, or to several texts each. */
export function userPropertiesFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return expected('userProperties', value, 'an object of texts');
  }
  for (const [key, entry] of Object.entries(value)) {
    const texts: unknown[] = Array.isArray(entry) ? entry : [entry];
    for (const text of [key, ...texts]) {
      const fault = valueFault(`userProperties.${shown(key)}`, text);
      if (fault !== undefined) return fault;
    }
  }
  return undefined;
}

function valueFault(name: string, value: unknown): string | undefined {
  if (typeof value !== 'string') return expected(name, value, 'text');
  return value === '' ? undefined : textFault(name, value);
}

const expected = (name: string, value: unknown, what: string): string =>
  `${name} is ${shortly(value)}, expected ${what}`;

const shortly = (value: unknown): string =>
  typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : value === null
      ? 'null'
      : typeof value === 'object'
        ? 'an object'
        : String(value);

/**
 * The properties without an empty list of user properties: with one MQTT.js writes nothing of the packet, and tells nobody.
 */
export function writableProperties<P extends Pick<MessageProperties, 'userProperties'>>(properties: P): P {
  const { userProperties, ...others } = properties;
  if (userProperties === undefined) return properties;
  const isEmpty = Object.values(userProperties).every((texts) => Array.isArray(texts) && texts.length === 0);
  return isEmpty ? (others as P) : properties;
}

/** The bytes that the properties take in a packet, without the length before them (MQTT 5.0 section 2.2.2). */
export function messagePropertiesBytes(properties: MessageProperties): number {
  let bytes = 0;
  if (properties.payloadFormatIndicator !== undefined) bytes += 2;
  if (properties.messageExpiryInterval !== undefined) bytes += 5;
  if (properties.responseTopic !== undefined) bytes += 3 + Buffer.byteLength(properties.responseTopic);
  if (properties.correlationData !== undefined) bytes += 3 + properties.correlationData.length;
  if (properties.contentType !== undefined) bytes += 3 + Buffer.byteLength(properties.contentType);
  for (const [name, value] of Object.entries(properties.userProperties ?? {})) {
    for (const text of Array.isArray(value) ? value : [value]) {
      bytes += 5 + Buffer.byteLength(name) + Buffer.byteLength(text);
    }
  }
  return bytes;
}
