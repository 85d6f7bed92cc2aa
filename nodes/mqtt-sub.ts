import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import type { ConnectionStatus, ReceivedMessage } from '../src/client/connection';
import { FilterSet } from '../src/client/filter-set';
import { decodePayload } from '../src/client/flow-payload';
import { useBroker } from './broker-user';
import { FieldError } from './field-error';
import { flowMessage } from './flow-message';
import { readSubscriptionForm, type SubscriptionFields, type SubscriptionForm } from './subscription-form';

interface Fields extends NodeDef, SubscriptionFields {
  broker: string;
}

export default function (RED: NodeAPI): void {
  function MqttSub(this: Node, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = (key: string, values: Record<string, string | number> = {}) =>
      RED._(`mqtt-sub.${key}`, values);
    const fail = (fault: string): void => {
      this.status({ fill: 'red', shape: 'ring', text: fault });
      this.error(fault);
    };

    let form: SubscriptionForm;
    try {
      form = readSubscriptionForm(fields);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return fail(text(`errors.${error.field}`, { value: error.value }));
    }
    const use = useBroker(RED, this, fields.broker, text('status.noBroker'));
    if ('fault' in use) return fail(use.fault);

    const { connection, describe } = use;
    const refused = new Map<string, string>();
    const show = (status: ConnectionStatus): void => {
      const [refusal] = refused.values();
      if (status.state === 'connected' && refusal !== undefined) {
        this.status({ fill: 'red', shape: 'ring', text: refusal });
      } else this.status(describe(status));
    };
    const put = (message: ReceivedMessage, params: string[], payload: unknown): NodeMessage =>
      Object.assign(flowMessage(message, payload), { dup: message.dup, params });
    const filters = new FilterSet(connection, {
      owner: `mqtt-sub "${this.name || this.id}"`,
      message: (message, params) => {
        try {
          this.send(put(message, params, decodePayload(message.payload, form.output)));
        } catch (error) {
          const raw = put(message, params, Buffer.from(message.payload));
          this.error(`${message.topic}: ${(error as Error).message}`, raw);
        }
      },
    });
    for (const filter of form.filters) {
      filters.add(filter, form.options, (error) => {
        // The same refusal after each reconnect is no news.
        if (error !== undefined && error.message !== refused.get(filter)) this.error(error.message);
        if (error === undefined) refused.delete(filter);
        else refused.set(filter, error.message);
        show(connection.status);
      });
    }
    const stopStatus = connection.onStatus(show);
    this.on('close', () => {
      stopStatus();
      filters.close();
    });
  }

  RED.nodes.registerType('mqtt-sub', MqttSub);
}
