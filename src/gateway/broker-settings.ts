import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectionSettings, Will } from '../client/connection';
import { settingsFault } from '../client/settings-fault';
import { ApiError } from './api-error';
import type { Schema, ValueOf } from './json-schema';
import {
  PAYLOAD_SCHEMAS,
  PROPERTIES_SCHEMA,
  payloadOf,
  propertiesOf,
  QOS_SCHEMA,
  TOPIC_SCHEMA,
  USER_PROPERTIES_SCHEMA,
} from './message-schema';

const LONGEST_TEXT = 65_535;
const LONGEST_PEM = 100_000;
/** What the broker is told that it may send at once, bytes; each message is in memory as a whole. */
const MAX_PACKET = 16 * 1024 * 1024;

const WILL_SCHEMA = {
  type: 'object',
  description: 'What the broker publishes when the connection ends without a word',
  properties: {
    topic: TOPIC_SCHEMA,
    ...PAYLOAD_SCHEMAS,
    qos: QOS_SCHEMA,
    retain: { type: 'boolean' },
    delay: { type: 'integer', minimum: 0, maximum: 0xffffffff, description: 'Seconds; MQTT 5 only' },
    properties: PROPERTIES_SCHEMA,
  },
  required: ['topic'],
  additionalProperties: false,
} as const satisfies Schema;

const TLS_SCHEMA = {
  type: 'object',
  description: 'With `use_ssl`',
  properties: {
    ca: { type: 'string', maxLength: LONGEST_PEM, description: 'PEM; the public ones where absent' },
    cert: { type: 'string', maxLength: LONGEST_PEM, description: 'PEM of the client' },
    key: { type: 'string', maxLength: LONGEST_PEM, description: 'PEM of the client', writeOnly: true },
    passphrase: { type: 'string', maxLength: LONGEST_TEXT, writeOnly: true },
    server_name: {
      type: 'string',
      maxLength: 253,
      description: 'Whose certificate is expected; `host` where absent',
    },
    verify: {
      type: 'boolean',
      description: 'Whether the certificate of the broker is checked',
      default: true,
    },
  },
  additionalProperties: false,
} as const satisfies Schema;

const BROKER_PROPERTIES = {
  name: { type: 'string', minLength: 1, maxLength: 200 },
  host: {
    type: 'string',
    minLength: 1,
    maxLength: 253,
    pattern: '^[^\\s/?#@\\\\%\\[\\]]+$',
    description: 'a name or an address',
  },
  port: {
    type: 'integer',
    minimum: 1,
    maximum: 65_535,
    description: '1883 where absent, 8883 with `use_ssl`; 80 and 443 for WebSocket',
  },
  use_ssl: { type: 'boolean', default: false },
  transport: { type: 'string', enum: ['tcp', 'websocket'], default: 'tcp' },
  path: {
    type: 'string',
    maxLength: 1000,
    pattern: '^/[^\\s?#]*$',
    description: 'a path, of a WebSocket: `/mqtt`',
    default: '/mqtt',
  },
  username: { type: 'string', minLength: 1, maxLength: LONGEST_TEXT },
  password: { type: 'string', maxLength: LONGEST_TEXT, writeOnly: true },
  client_id: { type: 'string', maxLength: LONGEST_TEXT, description: 'Made up where absent' },
  keepalive: {
    type: 'integer',
    minimum: 0,
    maximum: 0xffff,
    description: 'Seconds, 0 for none',
    default: 60,
  },
  protocol_version: { type: 'string', enum: ['5', '3.1.1'], default: '5' },
  clean_start: { type: 'boolean', default: true },
  session_expiry: {
    type: 'integer',
    minimum: 0,
    maximum: 0xffffffff,
    description: 'Seconds; MQTT 5 only',
    default: 0,
  },
  receive_maximum: { type: 'integer', minimum: 1, maximum: 0xffff },
  maximum_packet_size: {
    type: 'integer',
    minimum: 1,
    maximum: 0xffffffff,
    description: 'Bytes',
    default: MAX_PACKET,
  },
  topic_alias_maximum: { type: 'integer', minimum: 0, maximum: 0xffff, description: 'MQTT 5 only' },
  user_properties: USER_PROPERTIES_SCHEMA,
  will: WILL_SCHEMA,
  tls: TLS_SCHEMA,
  auto_connect: { type: 'boolean', description: 'Whether it connects at once', default: false },
} as const satisfies Record<string, Schema>;

/** What a caller gives of a broker. */
export const BROKER_INPUT_SCHEMA = {
  type: 'object',
  properties: BROKER_PROPERTIES,
  required: ['name', 'host'],
  additionalProperties: false,
} as const satisfies Schema;

export type BrokerInput = ValueOf<typeof BROKER_INPUT_SCHEMA>;

/** What a configuration file gives of one. */
export const FILE_BROKER_SCHEMA: Schema = {
  ...BROKER_INPUT_SCHEMA,
  properties: {
    id: { type: 'string', pattern: '^[\\w.-]{1,100}$', description: 'letters, digits, _, . and -' },
    ...BROKER_PROPERTIES,
  },
  required: ['id', ...BROKER_INPUT_SCHEMA.required],
};

/** What is to change of it: a JSON merge patch (RFC 7396), in which `null` takes a value away. */
export const BROKER_PATCH_SCHEMA: Schema = patchOf(BROKER_INPUT_SCHEMA);

/** What patches of values of a schema are. */
function patchOf({ required, ...schema }: Schema): Schema {
  const { properties, additionalProperties: others } = schema;
  const orNull = (each: Schema): Schema => ({ anyOf: [patchOf(each), { type: 'null' }] });
  return {
    ...schema,
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, orNull(each)])),
    }),
    ...(typeof others === 'object' && { additionalProperties: orNull(others) }),
  };
}

/** What is shown of it: no secret. */
export const SHOWN_PROPERTIES = {
  host: BROKER_PROPERTIES.host,
  port: BROKER_PROPERTIES.port,
  use_ssl: BROKER_PROPERTIES.use_ssl,
  transport: BROKER_PROPERTIES.transport,
  path: BROKER_PROPERTIES.path,
  username: BROKER_PROPERTIES.username,
  client_id: BROKER_PROPERTIES.client_id,
  keepalive: BROKER_PROPERTIES.keepalive,
  protocol_version: { type: 'string', enum: ['5', '3.1.1', '3.1'] },
  clean_start: BROKER_PROPERTIES.clean_start,
  session_expiry: BROKER_PROPERTIES.session_expiry,
} as const satisfies Record<string, Schema>;

export type ShownSettings = {
  [Name in keyof typeof SHOWN_PROPERTIES]?: ValueOf<(typeof SHOWN_PROPERTIES)[Name]>;
};

/** The broker with all that has a default; the client id stays the same over later changes. */
export function completed(input: BrokerInput): BrokerInput & { port: number; client_id: string } {
  const { use_ssl: secure = false, transport = 'tcp', client_id } = input;
  const standard = transport === 'tcp' ? (secure ? 8883 : 1883) : secure ? 443 : 80;
  return {
    ...input,
    port: input.port ?? standard,
    client_id: client_id ?? `gateway-${randomBytes(6).toString('hex')}`,
  };
}

export function shownSettings(input: ReturnType<typeof completed>): ShownSettings {
  const { host, port, use_ssl = false, transport = 'tcp', path, username, client_id } = input;
  const { keepalive = 60, protocol_version = '5', clean_start = true, session_expiry } = input;
  return {
    host,
    port,
    use_ssl,
    transport,
    ...(transport === 'websocket' && { path: path ?? BROKER_PROPERTIES.path.default }),
    ...(username !== undefined && { username }),
    client_id,
    keepalive,
    protocol_version,
    clean_start,
    ...(session_expiry !== undefined && { session_expiry }),
  };
}

/**
 * The connection that a caller has described.
 * @throws ApiError it can be none, whatever the broker does
 */
export function connectionSettings(input: ReturnType<typeof completed>): ConnectionSettings {
  const { keepalive = 60, protocol_version = '5', clean_start = true, will } = input;
  const isVersion5 = protocol_version === '5';
  const maximum = input.maximum_packet_size ?? (isVersion5 ? MAX_PACKET : undefined);
  const settings: ConnectionSettings = {
    endpoint: { url: urlOf(input) },
    protocolVersion: isVersion5 ? 5 : 4,
    clientId: input.client_id,
    keepAlive: keepalive,
    cleanStart: clean_start,
    ...(isVersion5 && { sessionExpiry: input.session_expiry ?? 0 }),
    ...(input.username !== undefined && { username: input.username }),
    ...(input.password !== undefined && { password: input.password }),
    ...(input.use_ssl === true && { tls: tlsOf(input) }),
    ...(input.receive_maximum !== undefined && { receiveMaximum: input.receive_maximum }),
    ...(maximum !== undefined && { maximumPacketSize: maximum }),
    ...(input.topic_alias_maximum !== undefined && { topicAliasMaximum: input.topic_alias_maximum }),
    ...(input.user_properties !== undefined && { userProperties: input.user_properties }),
    ...(will !== undefined && { will: willOf(will) }),
  };
  const fault = settingsFault(settings);
  if (fault !== undefined) throw new ApiError('invalid_request', `the broker cannot be used: ${fault}`);
  return settings;
}

function urlOf({
  host,
  port,
  use_ssl = false,
  transport = 'tcp',
  path = '/mqtt',
}: ReturnType<typeof completed>) {
  const scheme = `${transport === 'tcp' ? 'mqtt' : 'ws'}${use_ssl ? 's' : ''}`;
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}${transport === 'tcp' ? '' : path}`;
}

function tlsOf({ tls = {} }: BrokerInput): ConnectionOptions {
  const { ca, cert, key, passphrase, server_name: servername, verify = true } = tls;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
    ...(servername !== undefined && { servername }),
    rejectUnauthorized: verify,
  };
}

function willOf(will: ValueOf<typeof WILL_SCHEMA>): Will {
  const { topic, payload, payload_encoding, qos = 0, retain = false, delay, properties } = will;
  return {
    topic,
    payload: payloadOf(payload, payload_encoding, 'will.payload'),
    qos,
    retain,
    ...(delay !== undefined && { delay }),
    ...(properties !== undefined && { properties: propertiesOf(properties, 'will.properties') }),
  };
}
