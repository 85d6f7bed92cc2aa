import type { Node, NodeAPI, NodeDef } from 'node-red';
import type { ConnectionStatus, QoS } from '../src/client/connection';
import { decodePayload, PAYLOAD_OUTPUTS, type PayloadOutput } from '../src/client/flow-payload';
import { useBroker } from './broker-user';
import { flowMessage } from './flow-message';
import { wholeNumber } from './form-number';
import { formText } from './form-text';

interface Fields extends NodeDef {
  broker: string;
  topicFilter: string;
  qos: string;
  output: PayloadOutput;
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

    const output = fields.output || 'auto';
    const qos = wholeNumber(fields.qos ?? '1', 0, 2);
    if (qos === undefined) return fail(text('errors.qos', { value: fields.qos }));
    if (!PAYLOAD_OUTPUTS.includes(output)) return fail(text('errors.output', { value: output }));
    const topicFilter = formText(fields.topicFilter);
    if (topicFilter === undefined) {
      return fail(text('errors.topicFilter', { value: JSON.stringify(fields.topicFilter) }));
    }
    const use = useBroker(RED, this, fields.broker, text('status.noBroker'));
    if ('fault' in use) return fail(use.fault);

    const { connection, describe } = use;
    let refused: string | undefined;
    const show = (status: ConnectionStatus): void => {
      if (status.state === 'connected' && refused !== undefined) {
        this.status({ fill: 'red', shape: 'ring', text: refused });
      } else this.status(describe(status));
    };
    const subscription = connection.subscribe(
      topicFilter,
      { qos: qos as QoS },
      {
        message: (message) => {
          try {
            this.send(flowMessage(message, decodePayload(message.payload, output)));
          } catch (error) {
            const raw = flowMessage(message, Buffer.from(message.payload));
            this.error(`${message.topic}: ${(error as Error).message}`, raw);
          }
        },
        result: (error) => {
          // The same refusal after each reconnect is no news.
          if (error !== undefined && error.message !== refused) this.error(error.message);
          refused = error?.message;
          show(connection.status);
        },
      },
    );
    const stopStatus = connection.onStatus(show);
    this.on('close', () => {
      stopStatus();
      subscription.close();
    });
  }

  RED.nodes.registerType('mqtt-sub', MqttSub);
}
