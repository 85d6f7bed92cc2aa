import { inspect } from 'node:util';
import type { MessageProperties, QoS } from '../src/client/connection';
import { wholeNumber } from './form-number';
import { copyOfTexts } from './named-texts';

const MAX_UINT16 = 0xffff;
const MAX_UINT32 = 0xffff_ffff;
/** Of a text that MQTT carries. */
const MAX_TEXT_BYTES = 65_535;

/** A message of a flow, or what else stands for one: any value may be anywhere. */
export type Fields = Record<string, unknown>;

/** A property of the message whose value cannot be used. */
export class MessageFieldError extends Error {
  override readonly name = 'MessageFieldError';
  readonly field: string;
  /** As it can be shown. */
  readonly value: string;

  constructor(field: string, value: unknown) {
    const shown = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY }).slice(0, 100);
    super(`msg.${field}: ${shown}`);
    this.field = field;
    this.value = shown;
  }
}

/** The MQTT 5 properties of a message, under the names that Node-RED's own MQTT nodes gave them. */
export function propertiesOf(source: Fields): MessageProperties {
  const properties: MessageProperties = {};
  const responseTopic = optional(source, 'responseTopic', textOf);
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  const correlationData = optional(source, 'correlationData', bytesOf);
  if (correlationData !== undefined) properties.correlationData = correlationData;
  const contentType = optional(source, 'contentType', textOf);
  if (contentType !== undefined) properties.contentType = contentType;
  const messageExpiryInterval = optional(source, 'messageExpiryInterval', secondsOf);
  if (messageExpiryInterval !== undefined) properties.messageExpiryInterval = messageExpiryInterval;
  const isText = optional(source, 'payloadFormatIndicator', flagOf);
  if (isText !== undefined) properties.payloadFormatIndicator = isText;
  const userProperties = optional(source, 'userProperties', namedTextsOf);
  if (userProperties !== undefined) properties.userProperties = userProperties;
  return properties;
}

/** 0 where nothing is said. */
export function qosOf(source: Fields): QoS {
  const qos = wholeNumber(source.qos ?? 0, 0, 2);
  if (qos === undefined) throw new MessageFieldError('qos', source.qos);
  return qos as QoS;
}

/** A property that may be absent. */
export function optional<T>(
  source: Fields,
  field: string,
  read: (source: Fields, field: string) => T,
): T | undefined {
  return source[field] === undefined ? undefined : read(source, field);
}

export function textOf(source: Fields, field: string): string {
  const value = source[field];
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_TEXT_BYTES) return value;
  throw new MessageFieldError(field, value);
}

export function textsOf(source: Fields, field: string): string[] {
  const value = source[field];
  if (!Array.isArray(value)) throw new MessageFieldError(field, value);
  return value.map((text) => {
    if (typeof text !== 'string') throw new MessageFieldError(field, value);
    return text;
  });
}

export function flagOf(source: Fields, field: string): boolean {
  const value = source[field] ?? false;
  if (value === true || value === 'true' || value === 1) return true;
  if (value === false || value === 'false' || value === 0) return false;
  throw new MessageFieldError(field, value);
}

export function aliasOf(source: Fields, field: string): number {
  const alias = wholeNumber(source[field], 1, MAX_UINT16);
  if (alias === undefined) throw new MessageFieldError(field, source[field]);
  return alias;
}

function secondsOf(source: Fields, field: string): number {
  const seconds = wholeNumber(source[field], 0, MAX_UINT32);
  if (seconds === undefined) throw new MessageFieldError(field, source[field]);
  return seconds;
}

function bytesOf(source: Fields, field: string): Buffer {
  const value = source[field];
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new MessageFieldError(field, value);
}

/** An object of texts, or of lists of texts where a name occurs more than once. */
function namedTextsOf(source: Fields, field: string): Record<string, string | string[]> {
  const value = source[field];
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new MessageFieldError(field, value);
  for (const [name, texts] of Object.entries(value)) {
    if (![texts].flat().every((text) => typeof text === 'string'))
      throw new MessageFieldError(field, { [name]: texts });
  }
  return copyOfTexts(value as Record<string, string | string[]>);
}
