import type { ConnectionStatus } from '../client/connection';
import { NotConnectedError, PublishError, SubscribeError } from '../client/errors';
import { messagePropertiesFault } from '../client/message-properties';
import { topicFilterFault, watchFilterFault } from '../topic/topic-filter';
import { topicNameFault } from '../topic/topic-name';
import { ApiError } from './api-error';
import type { Brokers } from './brokers';
import { within } from './deadline';
import type { GatewayBroker } from './gateway-broker';
import type { GatewaySubscription } from './gateway-subscription';
import { objectOf } from './json-schema';
import { messageJson } from './message-json';
import {
  PAYLOAD_SCHEMAS,
  PROPERTIES_SCHEMA,
  payloadOf,
  propertiesOf,
  QOS_SCHEMA,
  RECEIVED_SCHEMA,
  TOPIC_SCHEMA,
} from './message-schema';
import { type Operation, operation } from './operation';
import type { RosNames } from './ros-names';
import type { Subscriptions } from './subscriptions';

/** How long a publish waits for its acknowledgement, and a subscribe for SUBACK, ms. */
const PUBLISH_TIMEOUT = 30_000;
const SUBSCRIBE_TIMEOUT = 10_000;
/** Text of an answer with messages; those that are older than what fits are left out. */
const MAX_HISTORY_TEXT = 8 * 1024 * 1024;
const DEFAULT_HISTORY_MESSAGES = 1000;
const DEFAULT_HISTORY_BYTES = 256 * 1024;

const SUBSCRIPTION_SCHEMA = objectOf(
  {
    subscription_id: { type: 'string' },
    broker_id: { type: 'string' },
    topic: { type: 'string', description: 'The topic filter' },
    qos: QOS_SCHEMA,
    state: {
      type: 'string',
      enum: ['pending', 'subscribed', 'refused'],
      description: '`pending` until the broker has answered, which it can when it is connected',
    },
    reason: { type: 'string', description: 'Why it is refused, in words' },
    received: { type: 'integer', description: 'Messages' },
    received_bytes: { type: 'integer', description: 'Of their payloads' },
    kept: { type: 'integer', description: 'Messages that the history has' },
    kept_bytes: { type: 'integer', description: 'Memory that they take' },
    dropped: { type: 'integer', description: 'Messages that the history had to drop' },
    history: { type: 'integer', description: 'Messages that the history keeps at most' },
    history_bytes: { type: 'integer', description: 'Memory that they may take' },
  },
  ['reason'],
);

export interface MessageParts {
  brokers: Brokers;
  subscriptions: Subscriptions;
  /** What topics stand for in ROS, where they do. */
  rosNames: RosNames;
  /** Bytes that all histories may take together. */
  historyBytes: number;
}

/** The calls that publish, subscribe and tell what has come. */
export function messageOperations(parts: MessageParts): Operation[] {
  const { brokers, subscriptions, rosNames, historyBytes } = parts;
  return [
    operation({
      method: 'POST',
      path: '/publish',
      operationId: 'publish',
      summary: 'Publishes a message',
      description: 'Answers when the broker has acknowledged it, or at QoS 0 when it is sent.',
      permission: 'write',
      body: {
        type: 'object',
        properties: {
          broker_id: { type: 'string' },
          topic: TOPIC_SCHEMA,
          ...PAYLOAD_SCHEMAS,
          qos: QOS_SCHEMA,
          retain: { type: 'boolean', default: false },
          properties: PROPERTIES_SCHEMA,
        },
        required: ['broker_id', 'topic'],
        additionalProperties: false,
      },
      answer: {
        status: 200,
        description: 'It is published',
        schema: objectOf(
          {
            broker_id: { type: 'string' },
            topic: { type: 'string' },
            qos: QOS_SCHEMA,
            reason_code: {
              type: 'integer',
              description: 'Of the acknowledgement: 0, or 16 where nobody has subscribed; absent at QoS 0',
            },
          },
          ['reason_code'],
        ),
      },
      errors: ['not_found', 'not_connected', 'refused', 'timeout'],
      run: async ({ body }) => {
        const { broker_id, topic, payload, payload_encoding, qos = 0, retain = false } = body;
        const broker = brokers.get(broker_id, 'broker_id');
        checkText('topic', topicNameFault(topic));
        const bytes = payloadOf(payload, payload_encoding);
        const properties = body.properties && propertiesOf(body.properties);
        checkText('properties', properties && messagePropertiesFault(properties));
        checkUsable(broker);
        const options = { qos, retain, ...(properties && { properties }) };
        const receipt = await within(PUBLISH_TIMEOUT, published(broker, topic, bytes, options));
        return {
          broker_id,
          topic,
          qos,
          ...(qos > 0 && { reason_code: receipt.reasonCode ?? 0 }),
        };
      },
    }),
    operation({
      method: 'POST',
      path: '/subscribe',
      operationId: 'subscribe',
      summary: 'Subscribes, and keeps what comes',
      description:
        'Answers when the broker has; where it is not connected at once, and the subscription is made when it is.',
      permission: 'write',
      body: {
        type: 'object',
        properties: {
          broker_id: { type: 'string' },
          topic: { ...TOPIC_SCHEMA, description: 'A topic filter' },
          qos: QOS_SCHEMA,
          no_local: { type: 'boolean', description: 'MQTT 5 only', default: false },
          retain_as_published: { type: 'boolean', description: 'MQTT 5 only', default: false },
          retained: { type: 'boolean', description: 'Whether retained messages are wanted', default: true },
          history: {
            type: 'integer',
            minimum: 0,
            maximum: 100_000,
            description: 'Messages that are kept at most',
            default: DEFAULT_HISTORY_MESSAGES,
          },
          history_bytes: {
            type: 'integer',
            minimum: 0,
            maximum: historyBytes,
            description: 'Memory that they may take',
            default: DEFAULT_HISTORY_BYTES,
          },
        },
        required: ['broker_id', 'topic'],
        additionalProperties: false,
      },
      answer: { status: 201, description: 'The subscription', schema: SUBSCRIPTION_SCHEMA },
      errors: ['not_found', 'not_connected', 'refused'],
      run: async ({ body }) => {
        const { broker_id, topic: filter, qos = 0, no_local, retain_as_published, retained = true } = body;
        const broker = brokers.get(broker_id, 'broker_id');
        checkText('topic', topicFilterFault(filter));
        const subscription = subscriptions.add(broker, {
          filter,
          options: {
            qos,
            retainHandling: retained ? 0 : 2,
            ...(no_local !== undefined && { noLocal: no_local }),
            ...(retain_as_published !== undefined && { retainAsPublished: retain_as_published }),
          },
          historyMessages: body.history ?? DEFAULT_HISTORY_MESSAGES,
          historyBytes: body.history_bytes ?? DEFAULT_HISTORY_BYTES,
        });
        const isOnTheWay = broker.status.state === 'connected' || broker.status.state === 'connecting';
        await subscription.answered(isOnTheWay ? SUBSCRIBE_TIMEOUT : 0);
        const { fault, settings } = subscription;
        if (subscription.isClosed) throw new ApiError('not_found', 'the broker was removed meanwhile');
        if (fault === undefined) return view(subscription);
        subscriptions.remove(settings.id);
        throw refusalOf(fault);
      },
    }),
    operation({
      method: 'POST',
      path: '/unsubscribe/{subscription_id}',
      operationId: 'unsubscribe',
      summary: 'Ends a subscription and forgets what it has kept',
      permission: 'write',
      answer: { status: 204, description: 'It is gone' },
      errors: ['not_found'],
      run: ({ path }) => subscriptions.remove(path.subscription_id),
    }),
    operation({
      method: 'GET',
      path: '/subscriptions',
      operationId: 'listSubscriptions',
      summary: 'The subscriptions that calls have made',
      permission: 'read',
      query: { broker_id: { type: 'string', description: 'Of this broker alone' } },
      answer: {
        status: 200,
        description: 'The oldest first',
        schema: objectOf({
          subscriptions: { type: 'array', items: SUBSCRIPTION_SCHEMA },
        }),
      },
      run: ({ query: { broker_id } }) => ({
        subscriptions: [...subscriptions.all()]
          .filter(({ settings }) => broker_id === undefined || settings.brokerId === broker_id)
          .map(view),
      }),
    }),
    operation({
      method: 'GET',
      path: '/messages',
      operationId: 'listMessages',
      summary: 'What the subscriptions have received, the newest first',
      permission: 'read',
      query: {
        topic: { ...TOPIC_SCHEMA, description: 'A topic filter' },
        limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
        since: { type: 'string', format: 'date-time', description: 'Only what has come then or later' },
        broker_id: { type: 'string', description: 'Of this broker alone' },
        subscription_id: { type: 'string', description: 'Of this subscription alone' },
      },
      answer: {
        status: 200,
        description: 'The messages',
        schema: objectOf({
          messages: {
            type: 'array',
            items: {
              ...RECEIVED_SCHEMA,
              properties: { subscription_id: { type: 'string' }, ...RECEIVED_SCHEMA.properties },
              required: ['subscription_id', ...RECEIVED_SCHEMA.required],
            },
          },
          truncated: {
            type: 'boolean',
            description: 'Whether older ones are left out as they are too long',
          },
        }),
      },
      run: ({ query }) => {
        checkText('topic', query.topic === undefined ? undefined : watchFilterFault(query.topic));
        const found = subscriptions.history({
          filter: query.topic,
          brokerId: query.broker_id,
          subscriptionId: query.subscription_id,
          since: timeOf(query.since),
          limit: query.limit ?? 100,
        });
        const places = new Map([...brokers.all()].map(({ id, place }) => [id, place]));
        let length = 0;
        const texts: string[] = [];
        for (const { message, brokerId, at, subscriptionId } of found) {
          const head = `"subscription_id":${JSON.stringify(subscriptionId)},`;
          const ros = rosNames.of(message.topic, places.get(brokerId));
          const text = messageJson(message, { brokerId, at }, ros, head);
          length += text.length;
          if (length > MAX_HISTORY_TEXT && texts.length > 0) break;
          texts.push(text);
        }
        return `{"messages":[${texts.join(',')}],"truncated":${texts.length < found.length}}`;
      },
    }),
  ];
}

function view({ settings, state, fault, ring, statistics }: GatewaySubscription) {
  return {
    subscription_id: settings.id,
    broker_id: settings.brokerId,
    topic: settings.filter,
    qos: settings.options.qos,
    state,
    ...(fault !== undefined && { reason: fault.message }),
    received: statistics.received,
    received_bytes: statistics.receivedBytes,
    kept: ring.size,
    kept_bytes: ring.bytes,
    dropped: ring.dropped,
    history: settings.historyMessages,
    history_bytes: settings.historyBytes,
  };
}

/** A caller can wait for itself better than its call can for a broker that may never come. */
function checkUsable({ name, link }: GatewayBroker): void {
  const { state, reason } = statusOf(link);
  if (state === 'connected' || state === 'connecting') return;
  const why = reason === undefined ? '' : `: ${reason}`;
  throw new ApiError('not_connected', `broker "${name}" is not connected${why}`);
}

function statusOf(link: GatewayBroker['link']): ConnectionStatus {
  try {
    return link.connection.status;
  } catch (error) {
    return { state: 'error', reason: (error as Error).message };
  }
}

async function published(
  { link }: GatewayBroker,
  topic: string,
  payload: Buffer | string,
  options: Parameters<GatewayBroker['link']['publish']>[2],
) {
  try {
    return await link.publish(topic, payload, options);
  } catch (error) {
    throw refusalOf(error as Error);
  }
}

function refusalOf(error: Error): ApiError {
  if (error instanceof NotConnectedError) return new ApiError('not_connected', error.message);
  const { code } = error as PublishError | SubscribeError;
  if (error instanceof PublishError || error instanceof SubscribeError) {
    return new ApiError('refused', error.message, { ...(code !== undefined && { reasonCode: code }) });
  }
  return new ApiError('not_connected', error.message);
}

function checkText(field: string, fault: string | undefined): void {
  if (fault !== undefined) throw new ApiError('invalid_field', fault, { field });
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  // What Date reads besides (RFC 3339 section 5.6) differs between engines.
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text) && !Number.isNaN(time))
    return time;
  throw new ApiError('invalid_field', 'since is no time, expected for example 2026-01-31T12:00:00Z', {
    field: 'since',
  });
}
