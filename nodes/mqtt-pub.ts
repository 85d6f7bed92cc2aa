import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import type { QoS } from '../src/client/connection';
import { encodePayload } from '../src/client/flow-payload';
import { useBroker } from './broker-user';
import { wholeNumber } from './form-number';

interface Fields extends NodeDef {
  broker: string;
  topic: string;
  qos: string;
  retain: string;
}

export default function (RED: NodeAPI): void {
  function MqttPub(this: Node, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = (key: string, values: Record<string, string | number> = {}) =>
      RED._(`mqtt-pub.${key}`, values);
    const use = useBroker(RED, this, fields.broker, text('status.noBroker'));
    if ('fault' in use) this.status({ fill: 'red', shape: 'ring', text: use.fault });
    else
      this.on(
        'close',
        use.connection.onStatus((status) => this.status(use.describe(status))),
      );

    const topicOf = (msg: NodeMessageInFlow): string => {
      const topic: unknown = fields.topic || msg.topic;
      if (typeof topic === 'string' && topic !== '') return topic;
      throw new Error(text('errors.noTopic'));
    };
    const qosOf = (msg: NodeMessageInFlow): QoS => {
      const value = (fields.qos ?? '') === '' ? (msg.qos ?? 0) : fields.qos;
      const qos = wholeNumber(value, 0, 2);
      if (qos === undefined) throw new Error(text('errors.qos', { value: String(value) }));
      return qos as QoS;
    };
    const retainOf = (msg: NodeMessageInFlow): boolean => {
      const value: unknown = (fields.retain ?? '') === '' ? (msg.retain ?? false) : fields.retain;
      if (value === true || value === 'true') return true;
      if (value === false || value === 'false') return false;
      throw new Error(text('errors.retain', { value: String(value) }));
    };
    const publish = async (msg: NodeMessageInFlow): Promise<void> => {
      if ('fault' in use) throw new Error(use.fault);
      const [topic, payload] = [topicOf(msg), encodePayload(msg.payload)];
      await use.connection.publish(topic, payload, { qos: qosOf(msg), retain: retainOf(msg) });
    };

    this.on('input', (msg, _send, done) => {
      publish(msg).then(() => done(), done);
    });
  }

  RED.nodes.registerType('mqtt-pub', MqttPub);
}
