import type { NodeMessage } from 'node-red';
import { hashPassword } from '../src/broker/access/password-hash';
import type { ListRequest } from '../src/broker/administration-calls';
import type { BrokerThread } from '../src/broker/broker-thread';
import type { Page, PageRequest } from '../src/broker/page';
import type { OwnMessage } from '../src/broker/remote-administration';
import { encodePayload } from '../src/client/flow-payload';
import { publishedFlowMessage } from './embedded-message';
import { UPSTREAM } from './embedded-upstream';
import { wholeNumber } from './form-number';
import { flagOf, MessageFieldError, optional, propertiesOf, qosOf, textOf, textsOf } from './message-fields';

/** Entries of one answer. */
const MAX_PAGE = 1000;

/** A message to the node, whatever a flow has put there. */
type Input = NodeMessage & Record<string, unknown>;

/** What an action answers: properties for the message that asked for it; nothing where `done` says all. */
type Answer = { payload: unknown; next?: number } | undefined;

/** What a message can ask for with `msg.action`. */
const ACTIONS: Readonly<Record<string, (thread: BrokerThread, msg: Input) => Promise<Answer>>> = {
  publish: async ({ administration }, msg) => {
    await administration.publish(messageOf(msg));
    return undefined;
  },
  disconnect: async ({ administration }, msg) => ({
    payload: await administration.disconnect({
      clientId: textOf(msg, 'clientId'),
      reason: optional(msg, 'reason', textOf) ?? 'disconnected by a flow',
      endSession: flagOf(msg, 'endSession'),
    }),
  }),
  clients: async ({ administration }, msg) => pageOf(await administration.clients(listOf(msg))),
  sessions: async ({ administration }, msg) => pageOf(await administration.sessions(listOf(msg))),
  retained: async ({ administration }, msg) => {
    const filter = optional(msg, 'topic', textOf) ?? '#';
    const { entries, ...next } = await administration.retained({ filter, ...partOf(msg) });
    return pageOf({ entries: entries.map((message) => publishedFlowMessage(message, 'auto')), ...next });
  },
  'clear-retained': async ({ administration }, msg) => ({
    payload: await administration.clearRetained(textOf(msg, 'topic')),
  }),
  'reload-tls': async ({ administration }) => ({ payload: await administration.reloadTls() }),
  statistics: async ({ administration }) => ({ payload: await administration.statistics() }),
  'start-upstream': async (thread) => {
    thread.startUpstream(UPSTREAM);
    return { payload: 'started' };
  },
  'stop-upstream': async (thread) => {
    thread.stopUpstream(UPSTREAM);
    return { payload: 'stopped' };
  },
  'add-user': async (thread, msg) => {
    const { password } = msg;
    // Whoever gets the message next, the answer or a Catch node, must not.
    delete msg.password;
    if (typeof password !== 'string' || password === '') throw new MessageFieldError('password', '');
    const user = { name: textOf(msg, 'username'), groups: optional(msg, 'groups', textsOf) ?? [] };
    await inOrder(thread, async () => {
      thread.setUser({ ...user, passwordHash: await hashPassword(password) });
    });
    return { payload: user };
  },
  'remove-user': async (thread, msg) => {
    const name = textOf(msg, 'username');
    return { payload: await inOrder(thread, async () => thread.removeUser(name)) };
  },
  start: async (thread) => {
    await thread.start();
    return { payload: thread.status.state };
  },
  stop: async (thread) => {
    await thread.stop();
    return { payload: thread.status.state };
  },
};

/** For the text that says what was expected. */
export const ACTION_NAMES = Object.keys(ACTIONS).join(', ');

/**
 * Does what the message asks for. Resolves to the answer: the message with another payload; `undefined` where there is none.
 * @throws MessageFieldError a property of the message cannot be used
 * @throws Error the broker cannot do it
 */
export async function runAction(thread: BrokerThread, msg: NodeMessage): Promise<NodeMessage | undefined> {
  const input = msg as Input;
  const { action } = input;
  if (typeof action !== 'string' || !Object.hasOwn(ACTIONS, action))
    throw new MessageFieldError('action', action);
  const answer = await ACTIONS[action]?.(thread, input);
  if (answer === undefined) return undefined;
  // Of an earlier page, when the message comes back for the next one.
  delete input.next;
  return Object.assign(input, answer);
}

/** The last change of users that was asked for. */
const userChanges = new WeakMap<BrokerThread, Promise<unknown>>();

/** A change of users that waits for those before it: hashing a password takes a while. */
function inOrder<T>(thread: BrokerThread, change: () => Promise<T>): Promise<T> {
  const changed = (userChanges.get(thread) ?? Promise.resolve()).then(change, change);
  userChanges.set(thread, changed);
  return changed;
}

/** A page as an answer: its entries, and the offset to ask for next where there are more. */
function pageOf({ entries, next }: Page<unknown>): Answer {
  return { payload: entries, ...(next !== undefined && { next }) };
}

function partOf(msg: Input): PageRequest {
  const offset = wholeNumber(msg.offset ?? 0, 0, Number.MAX_SAFE_INTEGER);
  if (offset === undefined) throw new MessageFieldError('offset', msg.offset);
  const limit = wholeNumber(msg.limit ?? 100, 1, MAX_PAGE);
  if (limit === undefined) throw new MessageFieldError('limit', msg.limit);
  return { offset, limit };
}

function listOf(msg: Input): ListRequest {
  return { clientId: optional(msg, 'clientId', textOf) ?? '', ...partOf(msg) };
}

function messageOf(msg: Input): OwnMessage {
  const payload = encodePayload(msg.payload);
  return {
    topic: textOf(msg, 'topic'),
    payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
    qos: qosOf(msg),
    retain: flagOf(msg, 'retain'),
    properties: ownPropertiesOf(msg),
  };
}

/** The properties as the broker keeps them. */
function ownPropertiesOf(msg: Input): OwnMessage['properties'] {
  const { payloadFormatIndicator, userProperties, ...same } = propertiesOf(msg);
  return {
    ...same,
    ...(payloadFormatIndicator !== undefined && { payloadFormatIndicator: payloadFormatIndicator ? 1 : 0 }),
    ...(userProperties !== undefined && {
      userProperties: Object.entries(userProperties).flatMap(([name, texts]) =>
        [texts].flat().map((text): [string, string] => [name, text]),
      ),
    }),
  };
}
