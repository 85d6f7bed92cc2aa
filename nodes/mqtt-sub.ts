import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import type { ConnectionStatus, ReceivedMessage } from '../src/client/connection';
import { FilterSet } from '../src/client/filter-set';
import { decodePayload } from '../src/client/flow-payload';
import { ReceiveQueue } from '../src/client/receive-queue';
import { useBroker } from './broker-user';
import { FieldError } from './field-error';
import { flowMessage } from './flow-message';
import { FormValues } from './form-values';
import { endMessage } from './message-end';
import { MessageFieldError } from './message-fields';
import { nodeText } from './node-text';
import { ACTION_NAMES, runSubscriptionAction, type Subscribing } from './subscription-actions';
import { readSubscriptionForm, type SubscriptionFields, type SubscriptionForm } from './subscription-form';

interface Fields extends NodeDef, SubscriptionFields {
  broker: string;
}

interface Received {
  message: ReceivedMessage;
  params: string[];
}

export default function (RED: NodeAPI): void {
  function MqttSub(this: Node, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = nodeText(RED, 'mqtt-sub');
    const fail = (fault: string): void => {
      this.status({ fill: 'red', shape: 'ring', text: fault });
      this.error(fault);
    };

    let form: SubscriptionForm;
    try {
      const values = new FormValues(RED, this, text);
      form = readSubscriptionForm(fields, (field, filter) => values.text(field, filter));
    } catch (error) {
      if (!(error instanceof FieldError)) return fail((error as Error).message);
      return fail(text(`errors.${error.field}`, { value: error.value }));
    }
    const { delivery, maxWaiting, options, overflow, timeout } = form;
    const unacknowledged = delivery === 'acknowledged' ? maxWaiting : undefined;
    const use = useBroker(RED, this, fields.broker, text('status.noBroker'), unacknowledged);
    if ('fault' in use) return fail(use.fault);

    const { broker, connection, describe } = use;
    const refused = new Map<string, string>();
    const queue = new ReceiveQueue<Received>({ maxWaiting, overflow });
    /** Messages that the flow has and is to acknowledge. */
    const open = new Map<string, ReceivedMessage>();
    let lastOpen = 0;

    const show = (status: ConnectionStatus): void => {
      const [refusal] = refused.values();
      if (status.state === 'connected' && refusal !== undefined) {
        this.status({ fill: 'red', shape: 'ring', text: refusal });
      } else if (status.state === 'connected' && queue.dropped > 0) {
        this.status({ fill: 'yellow', shape: 'dot', text: text('status.dropped', { count: queue.dropped }) });
      } else this.status(describe(status));
    };
    const put = ({ message, params }: Received, payload: unknown): NodeMessage =>
      Object.assign(flowMessage(message, payload), { dup: message.dup, params });
    /** Has Catch hear why the flow does not get a message. */
    const refuse = (received: Received, { message }: Error): void => {
      const { topic, payload } = received.message;
      this.error(`${topic}: ${message}`, put(received, Buffer.from(payload)));
    };
    /** As the flow gets it; `undefined` when the payload is not what it should be, which Catch hears. */
    const convert = (received: Received): NodeMessage | undefined => {
      const { payload, properties } = received.message;
      try {
        return put(received, decodePayload(payload, form.output, properties));
      } catch (error) {
        refuse(received, error as Error);
        return undefined;
      }
    };
    const handOut = (received: Received): void => {
      const { message } = received;
      const msg = convert(received);
      if (msg === undefined) {
        message.acknowledge?.();
        return;
      }
      const acknowledgement = String(++lastOpen);
      const isToBeAcknowledged = delivery !== 'arrival';
      // First: a flow that is delivered to at once may acknowledge while it is sent.
      if (isToBeAcknowledged) open.set(acknowledgement, message);
      try {
        this.send(isToBeAcknowledged ? Object.assign(msg, { acknowledgement }) : msg);
      } catch (error) {
        // Node-RED copies it where several nodes get it, and it may be deeper than the stack.
        open.delete(acknowledgement);
        refuse(received, error as Error);
        message.acknowledge?.();
      }
    };
    const keep = (received: Received): void => {
      const { dropped } = queue;
      queue.push(received, received.message.payload.length);
      if (queue.dropped === dropped) return;
      if (dropped === 0) this.warn(text('log.dropped', { max: maxWaiting }));
      show(connection.status);
    };
    const filters = new FilterSet(connection, {
      owner: `mqtt-sub "${this.name || this.id}"`,
      message: (message, params) => (delivery === 'request' ? keep : handOut)({ message, params }),
      unacknowledged: (message) => {
        for (const [id, waiting] of open) if (waiting.acknowledge === message.acknowledge) open.delete(id);
        const msg = put({ message, params: [] }, Buffer.from(message.payload));
        this.error(text('errors.unacknowledged', { topic: message.topic, timeout }), msg);
      },
    });
    const result = (filter: string, error?: Error): void => {
      // The same refusal after each reconnect is no news.
      if (error !== undefined && error.message !== refused.get(filter)) this.error(error.message);
      if (error === undefined) refused.delete(filter);
      else refused.set(filter, error.message);
      show(connection.status);
    };
    for (const filter of form.filters) filters.add(filter, options, (error) => result(filter, error));

    const subscribing: Subscribing = {
      filters,
      options,
      connection,
      broker,
      timeout,
      ...(delivery === 'request' && {
        receive: async (count, seconds) => {
          const received = await queue.receive(count, seconds);
          const messages = received.map(convert).filter((msg) => msg !== undefined);
          return { messages, timedOut: received.length < count };
        },
      }),
      acknowledge: (id, accepted) => {
        open.get(id)?.acknowledge?.(accepted ? 0 : 0x83);
        return open.delete(id);
      },
      result,
    };
    this.on('input', (msg, send, done) => {
      const handle = async () => {
        const answer = await runSubscriptionAction(subscribing, msg);
        // What was refused may be left now.
        for (const filter of refused.keys()) {
          if (!filters.filters.some((known) => known.filter === filter)) refused.delete(filter);
        }
        show(connection.status);
        return answer;
      };
      endMessage(this, { send, done }, handle(), (error) => {
        if (!(error instanceof MessageFieldError)) return error;
        const values = { value: error.value, actions: ACTION_NAMES };
        return new Error(text(`errors.action.${error.field}`, values));
      });
    });
    const stopStatus = connection.onStatus((status) => {
      show(status);
      const { state, reason } = status;
      if (fields.states === true) this.send([null, { topic: 'connection', payload: { state, reason } }]);
    });
    this.on('close', () => {
      stopStatus();
      filters.close();
      queue.close();
    });
  }

  RED.nodes.registerType('mqtt-sub', MqttSub);
}
