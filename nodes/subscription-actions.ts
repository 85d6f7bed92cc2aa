import type { NodeMessage } from 'node-red';
import type { Connection, SubscribeOptions } from '../src/client/connection';
import type { FilterSet } from '../src/client/filter-set';
import { CONNECTION_ACTIONS, type ConnectionControl } from './connection-actions';
import { wholeNumber } from './form-number';
import { LONGEST_TIMEOUT_S } from './form-timeout';
import { type Fields, flagOf, MessageFieldError, optional, qosOf, textOf } from './message-fields';

/** Messages of one answer. */
const MAX_COUNT = 10_000;

/** What an mqtt-sub lets its input act on. */
export interface Subscribing {
  readonly filters: FilterSet;
  readonly options: SubscribeOptions;
  readonly connection: Pick<Connection, 'ping' | 'statistics' | 'status'>;
  readonly broker: ConnectionControl;
  /** The next messages; `undefined` where the node sends them without being asked. */
  readonly receive?: (
    count: number,
    timeout: number,
  ) => Promise<{ messages: NodeMessage[]; timedOut: boolean }>;
  /** Seconds that a request for messages waits if it does not say. */
  readonly timeout: number;
  /** Acknowledges a message, or refuses it; `false` when it is not waiting for that. */
  readonly acknowledge: (id: string, accepted: boolean) => boolean;
  /** Hears of a subscription that a reconnect has not brought back. */
  readonly result: (filter: string, error?: Error) => void;
}

/** Resolves with the properties of the answer; nothing where `done` says all. */
type Action = (node: Subscribing, msg: Fields) => Promise<Fields | undefined>;

const ACTIONS: Readonly<Record<string, Action>> = {
  subscribe: async (node, msg) => {
    const options = {
      ...node.options,
      ...(msg.qos !== undefined && { qos: qosOf(msg) }),
      ...(msg.noLocal !== undefined && { noLocal: flagOf(msg, 'noLocal') }),
      ...(msg.retainAsPublished !== undefined && { retainAsPublished: flagOf(msg, 'retainAsPublished') }),
      ...(msg.retainHandling !== undefined && { retainHandling: retainHandlingOf(msg) }),
    };
    await Promise.all(filtersOf(msg).map((filter) => subscribe(node, filter, options)));
    return undefined;
  },
  unsubscribe: async ({ filters }, msg) => {
    const left = msg.topic === true ? filters.filters.map(({ filter }) => filter) : filtersOf(msg);
    for (const filter of left) if (!filters.remove(filter)) throw new MessageFieldError('filter', filter);
    return undefined;
  },
  list: async ({ filters }) => ({
    payload: filters.filters.map(({ filter, granted, options: { acknowledgement: _, ...options } }) => ({
      topic: filter,
      granted,
      ...options,
    })),
  }),
  statistics: async ({ connection }) => {
    // Without a connection there is nothing to measure.
    await connection.ping().catch(() => {});
    const { state, reason } = connection.status;
    return { payload: { state, reason, ...connection.statistics } };
  },
  connect: ({ broker }, msg) => onConnection('connect', broker, msg),
  disconnect: ({ broker }, msg) => onConnection('disconnect', broker, msg),
  password: ({ broker }, msg) => onConnection('password', broker, msg),
  receive: async ({ receive, timeout }, msg) => {
    if (receive === undefined) throw new MessageFieldError('action', msg.action);
    const count = wholeNumber(msg.count ?? 1, 1, MAX_COUNT);
    if (count === undefined) throw new MessageFieldError('count', msg.count);
    const seconds = Number(msg.timeout ?? timeout);
    if (!(seconds >= 0 && seconds <= LONGEST_TIMEOUT_S)) throw new MessageFieldError('timeout', msg.timeout);
    const { messages, timedOut } = await receive(count, seconds);
    if (msg.count !== undefined) return { payload: messages, timedOut };
    const [only = { payload: undefined }] = messages;
    return { ...only, timedOut };
  },
  acknowledge: async ({ acknowledge }, msg) => {
    answer(acknowledge, msg, true);
    return undefined;
  },
  refuse: async ({ acknowledge }, msg) => {
    answer(acknowledge, msg, false);
    return undefined;
  },
};

async function onConnection(
  action: keyof typeof CONNECTION_ACTIONS,
  broker: ConnectionControl,
  msg: Fields,
): Promise<undefined> {
  await CONNECTION_ACTIONS[action](broker, msg);
}

/** For the text that says what was expected. */
export const ACTION_NAMES = Object.keys(ACTIONS).join(', ');

/**
 * Does what a message to an mqtt-sub asks for; one without action asks for messages. Resolves to the answer: the
 * message with other properties; `undefined` where there is none.
 * @throws MessageFieldError a property of the message cannot be used
 * @throws Error the broker or the connection cannot do it
 */
export async function runSubscriptionAction(
  node: Subscribing,
  msg: NodeMessage,
): Promise<NodeMessage | undefined> {
  const input = msg as Fields;
  const { action = 'receive' } = input;
  const act = typeof action === 'string' && Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (act === undefined) throw new MessageFieldError('action', action);
  const properties = await act(node, input);
  return properties && Object.assign(msg, properties);
}

function subscribe(node: Subscribing, filter: string, options: SubscribeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    let answered = false;
    node.filters.add(filter, options, (error) => {
      if (answered) return node.result(filter, error);
      answered = true;
      if (error === undefined) return resolve();
      node.filters.remove(filter);
      reject(error);
    });
  });
}

function filtersOf(msg: Fields): string[] {
  if (!Array.isArray(msg.topic)) return [textOf(msg, 'topic')];
  return msg.topic.map((topic: unknown) => textOf({ topic }, 'topic'));
}

function retainHandlingOf(msg: Fields): 0 | 1 | 2 {
  const value = wholeNumber(msg.retainHandling, 0, 2);
  if (value === undefined) throw new MessageFieldError('retainHandling', msg.retainHandling);
  return value as 0 | 1 | 2;
}

function answer(acknowledge: Subscribing['acknowledge'], msg: Fields, accepted: boolean): void {
  const id = optional(msg, 'acknowledgement', textOf) ?? '';
  if (!acknowledge(id, accepted)) throw new MessageFieldError('acknowledgement', msg.acknowledgement);
}
