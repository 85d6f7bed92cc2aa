import { MAX_DOMAIN } from '../topic/ros-topic';
import { ApiError } from './api-error';
import { within } from './deadline';
import type { GatewaySources, KnownBridge } from './gateway-settings';
import { objectOf, type Schema } from './json-schema';
import { type Operation, operation } from './operation';

/** How long a graph and a publish may take, and a call of a service, whose own timeout is the route's, ms. */
const ANSWER_TIMEOUT = 10_000;
const CALL_TIMEOUT = 120_000;

const BRIDGE_ID_SCHEMA = {
  type: 'string',
  description: 'Where absent: the first bridge that has the domain',
} as const satisfies Schema;

const DOMAIN_SCHEMA = {
  type: 'integer',
  minimum: 0,
  maximum: MAX_DOMAIN,
  description: 'Where absent: the first of the bridge',
} as const satisfies Schema;

const NAME_SCHEMA = {
  type: 'string',
  minLength: 2,
  maxLength: 1000,
  description: 'With its leading slash',
} as const satisfies Schema;

const PLACE = { bridge_id: { type: 'string' }, domain: { type: 'integer' } } as const satisfies Record<
  string,
  Schema
>;

const QOS_COUNTS = {
  type: 'array',
  items: objectOf({
    reliability: { type: 'string' },
    durability: { type: 'string' },
    count: { type: 'integer' },
  }),
} as const satisfies Schema;

const SERVICES = {
  type: 'array',
  items: objectOf({
    name: { type: 'string' },
    type: { type: 'string' },
    servers: { type: 'integer' },
    clients: { type: 'integer' },
  }),
} as const satisfies Schema;

/** The calls under `/ros`. */
export function rosOperations(sources: GatewaySources): Operation[] {
  const find = (id: string | undefined, domain: number | undefined) =>
    bridgeFor([...(sources.bridges?.() ?? [])], id, domain);
  const errors = ['not_found', 'not_connected', 'refused', 'timeout'] as const;
  return [
    operation({
      method: 'GET',
      path: '/ros/graph',
      operationId: 'getRosGraph',
      summary: 'What others have in a ROS domain: nodes, topics, services and actions',
      permission: 'read',
      query: { bridge_id: BRIDGE_ID_SCHEMA, domain: DOMAIN_SCHEMA },
      answer: {
        status: 200,
        description: 'The graph',
        schema: {
          type: 'object',
          properties: {
            ...PLACE,
            nodes: { type: 'array', items: { type: 'string' } },
            topics: {
              type: 'array',
              items: objectOf({
                name: { type: 'string' },
                types: { type: 'array', items: { type: 'string' } },
                publishers: QOS_COUNTS,
                subscriptions: QOS_COUNTS,
              }),
            },
            services: SERVICES,
            actions: SERVICES,
            left: { type: 'integer', description: 'How many of these are left out, where they are too many' },
          },
          required: ['bridge_id', 'domain', 'nodes', 'topics', 'services', 'actions'],
          additionalProperties: false,
        },
      },
      errors,
      run: async ({ query }) => {
        const { id, bridge, domain } = find(query.bridge_id, query.domain);
        return { bridge_id: id, domain, ...(await answered(bridge.graph(domain), ANSWER_TIMEOUT)) };
      },
    }),
    operation({
      method: 'POST',
      path: '/ros/publish',
      operationId: 'publishToRos',
      summary: 'Publishes on a ROS topic that a bridge has a route for',
      permission: 'write',
      body: objectOf(
        {
          bridge_id: BRIDGE_ID_SCHEMA,
          domain: DOMAIN_SCHEMA,
          name: NAME_SCHEMA,
          payload: { description: 'The message in the JSON form of its type' },
        },
        ['bridge_id', 'domain'],
      ),
      answer: {
        status: 200,
        description: 'The ROS publisher has it',
        schema: {
          type: 'object',
          properties: { ...PLACE, name: { type: 'string' } },
          required: ['bridge_id', 'domain', 'name'],
          additionalProperties: false,
        },
      },
      errors,
      run: async ({ body: { name, payload, ...where } }) => {
        const { id, bridge, domain } = find(where.bridge_id, where.domain);
        const topic = topicOf(bridge, 'topic', domain, name);
        await answered(bridge.publish(topic, payload), ANSWER_TIMEOUT);
        return { bridge_id: id, domain, name };
      },
    }),
    operation({
      method: 'POST',
      path: '/ros/call',
      operationId: 'callRosService',
      summary: 'Calls a ROS service that a bridge has a route for',
      description: 'Waits for as long as the timeout of the route.',
      permission: 'write',
      body: {
        type: 'object',
        properties: {
          bridge_id: BRIDGE_ID_SCHEMA,
          domain: DOMAIN_SCHEMA,
          name: NAME_SCHEMA,
          request: { description: 'In the JSON form of the request of its type; empty where absent' },
        },
        required: ['name'],
        additionalProperties: false,
      },
      answer: {
        status: 200,
        description: 'What the service has answered',
        schema: {
          type: 'object',
          properties: { ...PLACE, name: { type: 'string' }, response: { description: 'In JSON form' } },
          required: ['bridge_id', 'domain', 'name', 'response'],
          additionalProperties: false,
        },
      },
      errors,
      run: async ({ body: { name, request = {}, ...where } }) => {
        const { id, bridge, domain } = find(where.bridge_id, where.domain);
        const topic = topicOf(bridge, 'service', domain, name);
        const response = await answered(bridge.publish(topic, request), CALL_TIMEOUT);
        return { bridge_id: id, domain, name, response };
      },
    }),
  ];
}

function bridgeFor(all: KnownBridge[], id: string | undefined, domain: number | undefined) {
  const named = id === undefined ? all : all.filter((each) => each.id === id);
  if (named.length === 0) {
    if (id === undefined) throw new ApiError('not_found', 'there is no bridge to ROS');
    throw new ApiError('not_found', `there is no bridge "${id.slice(0, 60)}"`, { field: 'bridge_id' });
  }
  let closed: string | undefined;
  for (const { id: found, name, bridge } of named) {
    const { state } = bridge;
    if (state.state !== 'open') {
      closed ??= `bridge "${name}" is ${state.state}${'reason' in state ? `: ${state.reason}` : ''}`;
      continue;
    }
    const domains = state.domains.map((each) => each.domain);
    const chosen = domain ?? domains[0];
    if (chosen !== undefined && domains.includes(chosen)) return { id: found, bridge, domain: chosen };
  }
  if (closed !== undefined) throw new ApiError('not_connected', closed);
  throw new ApiError('not_found', `no bridge has domain ${domain}`, { field: 'domain' });
}

function topicOf(
  bridge: KnownBridge['bridge'],
  kind: 'topic' | 'service',
  domain: number,
  name: string,
): string {
  try {
    return bridge.topicOf(kind, domain, name);
  } catch (error) {
    throw new ApiError('invalid_field', (error as Error).message, { field: 'name' });
  }
}

async function answered<Value>(answer: Promise<Value>, timeout: number): Promise<Value> {
  return within(
    timeout,
    answer.catch((error: Error) => {
      throw new ApiError('refused', error.message);
    }),
  );
}
