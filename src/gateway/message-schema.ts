import type { MessageProperties } from '../client/connection';
import { ApiError } from './api-error';
import { objectOf, type Schema, type ValueOf } from './json-schema';

const LONGEST_TEXT = 65_535;

export const QOS_SCHEMA = {
  type: 'integer',
  enum: [0, 1, 2],
  description: 'Quality of service',
} as const satisfies Schema;

export const TOPIC_SCHEMA = {
  type: 'string',
  minLength: 1,
  maxLength: LONGEST_TEXT,
} as const satisfies Schema;

export const USER_PROPERTIES_SCHEMA = {
  type: 'object',
  description: 'Names with a text each, or with several',
  additionalProperties: {
    anyOf: [
      { type: 'string', maxLength: LONGEST_TEXT },
      { type: 'array', items: { type: 'string', maxLength: LONGEST_TEXT }, maxItems: 1000 },
    ],
  },
  maxProperties: 1000,
} as const satisfies Schema;

/** MQTT 5.0 section 3.3.2.3. */
export const PROPERTIES_SCHEMA = {
  type: 'object',
  description: 'MQTT 5 properties; left out on MQTT 3.1.1',
  properties: {
    content_type: { type: 'string', minLength: 1, maxLength: LONGEST_TEXT },
    payload_format: { type: 'string', enum: ['bytes', 'text'], description: 'Payload Format Indicator' },
    message_expiry: { type: 'integer', minimum: 0, maximum: 0xffffffff, description: 'Seconds' },
    response_topic: TOPIC_SCHEMA,
    correlation_data: { type: 'string', contentEncoding: 'base64', maxLength: 87_380 },
    user_properties: USER_PROPERTIES_SCHEMA,
  },
  additionalProperties: false,
} as const satisfies Schema;

export const PAYLOAD_SCHEMAS = {
  payload: {
    description:
      'Text is sent as it is, any other value as JSON; whole numbers beyond 2^53 are refused, as their last digits would be lost',
  },
  payload_encoding: {
    type: 'string',
    enum: ['auto', 'json', 'base64'],
    description:
      '`json`: text is sent as JSON too, in quotes; `base64`: the payload is the base64 text of the bytes to send',
    default: 'auto',
  },
} as const satisfies Record<string, Schema>;

/** A message that has come, as `/messages` and WebSockets tell it. */
export const RECEIVED_SCHEMA = objectOf(
  {
    broker_id: { type: 'string' },
    topic: { type: 'string' },
    payload: { description: 'As `payload_encoding` says' },
    payload_encoding: {
      type: 'string',
      enum: ['json', 'text', 'base64'],
      description: '`json` where it is JSON, otherwise `text` where it is UTF-8, otherwise `base64`',
    },
    qos: QOS_SCHEMA,
    retain: { type: 'boolean' },
    received_at: { type: 'string', format: 'date-time' },
    properties: PROPERTIES_SCHEMA,
    ros: {
      type: 'object',
      description: 'What the topic stands for in ROS to the bridge at that broker, where it does',
      properties: {
        domain: { type: 'integer' },
        name: { type: 'string', description: 'Of the ROS topic, service, action or node' },
        node: { type: 'string', description: 'The name without its last part; may be empty' },
        message_type: { type: 'string', description: 'The last part of the name' },
        kind: { type: 'string', description: 'The level after `@`, without it' },
      },
      required: ['domain', 'name', 'node', 'message_type'],
      additionalProperties: false,
    },
  },
  ['properties', 'ros'],
);

/**
 * The bytes that a payload of a call stands for.
 * @throws ApiError it is no base64, or it has numbers that cannot be kept
 */
export function payloadOf(
  payload: unknown,
  encoding: 'auto' | 'json' | 'base64' = 'auto',
  field = 'payload',
): Buffer | string {
  if (encoding === 'base64') return base64Bytes(payload, field);
  if (typeof payload === 'string' && encoding === 'auto') return payload;
  return payload === undefined
    ? ''
    : JSON.stringify(payload, (name, value: unknown) => exact(name, value, field));
}

/** From here on JSON is written with an exponent, as numbers are whose last digits nobody expects to be kept. */
const LEAST_WITH_EXPONENT = 1e21;

/** Refuses what would be published as another number than the caller has sent, or as null. */
function exact(name: string, value: unknown, field: string): unknown {
  if (typeof value !== 'number') return value;
  const fault = numberFault(value);
  if (fault === undefined) return value;
  const at = name === '' ? field : `${field}: ${name.slice(0, 60)}`;
  throw new ApiError('invalid_field', `${at} ${fault}`, { field });
}

function numberFault(value: number): string | undefined {
  if (!Number.isFinite(value)) return 'is a number that is too large, expected one of double precision';
  const isExact = !Number.isInteger(value) || Number.isSafeInteger(value);
  if (isExact || Math.abs(value) >= LEAST_WITH_EXPONENT) return undefined;
  return 'is a whole number beyond 2^53, whose last digits would be lost, expected the payload as text, which is sent as it is';
}

function base64Bytes(text: unknown, field: string): Buffer {
  // What is left over by Node's reader, which takes anything.
  if (typeof text !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new ApiError('invalid_field', `${field} is not base64`, { field });
  }
  return Buffer.from(text, 'base64');
}

/**
 * The properties as MQTT.js names them.
 * @throws ApiError the correlation data is no base64
 */
export function propertiesOf(
  properties: ValueOf<typeof PROPERTIES_SCHEMA>,
  field = 'properties',
): MessageProperties {
  const { content_type, payload_format, message_expiry, response_topic, correlation_data, user_properties } =
    properties;
  return {
    ...(content_type !== undefined && { contentType: content_type }),
    ...(payload_format !== undefined && { payloadFormatIndicator: payload_format === 'text' }),
    ...(message_expiry !== undefined && { messageExpiryInterval: message_expiry }),
    ...(response_topic !== undefined && { responseTopic: response_topic }),
    ...(correlation_data !== undefined && {
      correlationData: base64Bytes(correlation_data, `${field}.correlation_data`),
    }),
    ...(user_properties !== undefined && { userProperties: user_properties }),
  };
}
