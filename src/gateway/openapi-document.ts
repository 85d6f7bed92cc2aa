import { ERROR_STATUS, type ErrorCode } from './api-error';
import { objectOf, type Schema } from './json-schema';
import type { Operation } from './operation';

const ERROR_SCHEMA = objectOf({
  error: objectOf(
    {
      code: { type: 'string', enum: Object.keys(ERROR_STATUS) },
      message: { type: 'string', description: 'For a person: names the value and what was expected' },
      field: { type: 'string', description: 'The value of the call that is wrong: `port`, `will.topic`' },
      reason_code: { type: 'integer', description: 'The MQTT reason code, where a broker has given one' },
    },
    ['field', 'reason_code'],
  ),
});

/** What any call may be answered with. */
const ALWAYS: readonly ErrorCode[] = [
  'invalid_request',
  'unauthorized',
  'forbidden',
  'limit_reached',
  'internal',
];
/** And any with a body. */
const WITH_BODY: readonly ErrorCode[] = [
  'invalid_field',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
];

interface DocumentSettings {
  version: string;
  /** Where the API is mounted: `/mqtt-ros/v1`; `/` at the root. */
  path: string;
  /** Schemas that stand once in the document, by their names. */
  schemas: Readonly<Record<string, Schema>>;
}

/** The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1) of these operations. */
export function openApiDocument(operations: readonly Operation[], settings: DocumentSettings): object {
  const paths: Record<string, Record<string, unknown>> = {};
  const names = new Map<Schema, string>(
    Object.entries({ ...settings.schemas, Error: ERROR_SCHEMA }).map(([name, schema]) => [schema, name]),
  );
  for (const operation of operations) {
    paths[operation.path] ??= {};
    (paths[operation.path] as Record<string, unknown>)[operation.method.toLowerCase()] = describe(
      operation,
      names,
    );
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'MQTT and ROS gateway',
      version: settings.version,
      description:
        'MQTT brokers, their messages and ROS 2 over HTTP. Live messages: `GET /ws/{broker_id}/{topic filter, URL-encoded}?ticket=…` as a WebSocket.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: settings.path }],
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(
        [...names].map(([schema, name]) => [name, withReferences(schema, names, true)]),
      ),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function describe(operation: Operation, names: ReadonlyMap<Schema, string>): object {
  const { operationId, summary, description, permission, query = {}, body, answer } = operation;
  const parameters = [
    ...[...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(query).map(([name, { description: text, ...schema }]) => ({
      name,
      in: 'query',
      ...(text !== undefined && { description: text }),
      schema,
    })),
  ];
  return {
    operationId,
    summary,
    description: `${description === undefined ? '' : `${description} `}Permission: \`mqtt-ros.${permission}\`.`,
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: withReferences(body, names) } },
      },
    }),
    responses: responses(operation, answer, names),
  };
}

function responses(
  operation: Operation,
  answer: Operation['answer'],
  names: ReadonlyMap<Schema, string>,
): Record<string, unknown> {
  const { status, description, schema, contentType = 'application/json' } = answer;
  const all: Record<string, unknown> = {
    [status]: {
      description,
      ...(schema !== undefined && { content: { [contentType]: { schema: withReferences(schema, names) } } }),
    },
  };
  const codes = new Set([
    ...ALWAYS,
    ...(operation.method === 'POST' || operation.method === 'PATCH' ? WITH_BODY : []),
    ...(operation.query === undefined ? [] : (['invalid_field'] as const)),
    ...(operation.errors ?? []),
  ]);
  for (const code of codes) {
    const text = all[ERROR_STATUS[code]] as { description: string } | undefined;
    if (text !== undefined) text.description += `, \`${code}\``;
    else {
      all[ERROR_STATUS[code]] = {
        description: `\`${code}\``,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      };
    }
  }
  return all;
}

/** The schema with those that have names as references. */
function withReferences(
  schema: Schema,
  names: ReadonlyMap<Schema, string>,
  inside = false,
): Record<string, unknown> {
  const name = names.get(schema);
  if (name !== undefined && !inside) return { $ref: `#/components/schemas/${name}` };
  const { properties, items, anyOf, additionalProperties, ...rest } = schema;
  const each = (inner: Schema) => withReferences(inner, names);
  return {
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, each(inner)])),
    }),
    ...(items !== undefined && { items: each(items) }),
    ...(anyOf !== undefined && { anyOf: anyOf.map(each) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'boolean' ? additionalProperties : each(additionalProperties),
    }),
  };
}
