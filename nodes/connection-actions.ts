import { type Fields, MessageFieldError } from './message-fields';
import type { BrokerConfigNode } from './mqtt-broker-config';

/** What messages may do about the connection that nodes share. */
export type ConnectionControl = Pick<BrokerConfigNode, 'connect' | 'disconnect' | 'setPassword'>;

/**
 * The actions on a connection, by the `msg.action` that asks for them.
 * @throws MessageFieldError a property of the message cannot be used
 * @throws Error the connection cannot do it, or not be made
 */
export const CONNECTION_ACTIONS = {
  connect: (broker) => broker.connect(),
  disconnect: (broker) => broker.disconnect(),
  password: async (broker, msg) => {
    const { password } = msg;
    // Whoever gets the message next must not.
    delete msg.password;
    if (typeof password !== 'string' || password === '') throw new MessageFieldError('password', '');
    broker.setPassword(password);
  },
} as const satisfies Readonly<Record<string, (broker: ConnectionControl, msg: Fields) => Promise<void>>>;

/** Whether a message asks for an action on the connection. */
export const isConnectionAction = (action: unknown): action is keyof typeof CONNECTION_ACTIONS =>
  typeof action === 'string' && Object.hasOwn(CONNECTION_ACTIONS, action);
