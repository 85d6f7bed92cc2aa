import {
  BROKER_INPUT_SCHEMA,
  BROKER_PATCH_SCHEMA,
  type BrokerInput,
  SHOWN_PROPERTIES,
} from './broker-settings';
import type { Brokers } from './brokers';
import type { GatewayBroker } from './gateway-broker';
import { objectOf, type Schema } from './json-schema';
import { type Operation, operation } from './operation';
import type { Subscriptions } from './subscriptions';

export const BROKER_SCHEMA = {
  type: 'object',
  properties: {
    broker_id: { type: 'string' },
    name: { type: 'string' },
    origin: {
      type: 'string',
      enum: ['api', 'file', 'node', 'embedded'],
      description:
        'Who has made it: a call, the configuration file, a flow, or this process, in which it runs. Only those of calls can be changed and removed here.',
    },
    ...SHOWN_PROPERTIES,
    state: { type: 'string', enum: ['disconnected', 'connecting', 'connected', 'reconnecting', 'error'] },
    reason: { type: 'string', description: 'Why it is in this state, in words' },
  },
  required: ['broker_id', 'name', 'origin', 'state'],
  additionalProperties: false,
} as const satisfies Schema;

const LIST_SCHEMA = objectOf({
  brokers: { type: 'array', items: BROKER_SCHEMA },
});

const view = ({ id, name, origin, shown, status }: GatewayBroker) => ({
  broker_id: id,
  name,
  origin,
  ...shown,
  state: status.state,
  ...(status.reason !== undefined && { reason: status.reason }),
});

/** The calls under `/brokers`. */
export function brokerOperations(
  brokers: Brokers,
  subscriptions: Subscriptions,
  removed: (broker: GatewayBroker) => void,
): Operation[] {
  const answer = { status: 200, description: 'The broker as it is now', schema: BROKER_SCHEMA } as const;
  return [
    operation({
      method: 'GET',
      path: '/brokers',
      operationId: 'listBrokers',
      summary: 'All brokers and how their connections are',
      permission: 'read',
      answer: { status: 200, description: 'The brokers', schema: LIST_SCHEMA },
      run: () => ({ brokers: [...brokers.all()].map(view) }),
    }),
    operation({
      method: 'POST',
      path: '/brokers',
      operationId: 'addBroker',
      summary: 'Adds a broker, which lives until it is removed or the process ends',
      permission: 'write',
      body: BROKER_INPUT_SCHEMA,
      answer: { ...answer, status: 201 },
      run: ({ body }) => view(brokers.add(body as BrokerInput)),
    }),
    operation({
      method: 'GET',
      path: '/brokers/{broker_id}',
      operationId: 'getBroker',
      summary: 'One broker and how its connection is',
      permission: 'read',
      answer,
      errors: ['not_found'],
      run: ({ path }) => view(brokers.get(path.broker_id)),
    }),
    operation({
      method: 'PATCH',
      path: '/brokers/{broker_id}',
      operationId: 'changeBroker',
      summary: 'Changes a broker',
      description:
        'With a JSON merge patch (RFC 7396): `null` takes a value away, and what stands in objects is changed alone. It connects anew where it was connected; subscriptions stay.',
      permission: 'write',
      body: BROKER_PATCH_SCHEMA,
      answer,
      errors: ['not_found', 'read_only'],
      run: async ({ path, body }) => {
        const broker = brokers.get(path.broker_id);
        await broker.change(body as Record<string, unknown>);
        return view(broker);
      },
    }),
    operation({
      method: 'DELETE',
      path: '/brokers/{broker_id}',
      operationId: 'removeBroker',
      summary: 'Disconnects a broker and removes it, with its subscriptions',
      permission: 'write',
      answer: { status: 204, description: 'It is gone' },
      errors: ['not_found', 'read_only'],
      run: async ({ path }) => {
        const broker = await brokers.remove(path.broker_id);
        subscriptions.removeOf(broker.id);
        removed(broker);
        await broker.close();
      },
    }),
    operation({
      method: 'POST',
      path: '/brokers/{broker_id}/connect',
      operationId: 'connectBroker',
      summary: 'Connects, and keeps connected',
      description:
        'Answers when it is connected or the first attempt has failed; `state` and `reason` tell. Attempts go on.',
      permission: 'write',
      answer,
      errors: ['not_found', 'read_only', 'not_connected'],
      run: async ({ path }) => {
        const broker = brokers.get(path.broker_id);
        await broker.connect();
        return view(broker);
      },
    }),
    operation({
      method: 'POST',
      path: '/brokers/{broker_id}/disconnect',
      operationId: 'disconnectBroker',
      summary: 'Disconnects, until it is to connect again',
      permission: 'write',
      answer,
      errors: ['not_found', 'read_only', 'not_connected'],
      run: async ({ path }) => {
        const broker = brokers.get(path.broker_id);
        await broker.disconnect();
        return view(broker);
      },
    }),
  ];
}
