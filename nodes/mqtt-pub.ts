import type { Node, NodeAPI, NodeDef, NodeMessage, NodeMessageInFlow } from 'node-red';
import type { PublishOptions } from '../src/client/connection';
import { decodePayload, encodePayload } from '../src/client/flow-payload';
import { Requester, replyTopicOf } from '../src/client/requester';
import { useBroker } from './broker-user';
import { CONNECTION_ACTIONS, isConnectionAction } from './connection-actions';
import { FieldError } from './field-error';
import { flowMessage } from './flow-message';
import { endMessage } from './message-end';
import {
  aliasOf,
  type Fields,
  flagOf,
  MessageFieldError,
  optional,
  propertiesOf,
  qosOf,
} from './message-fields';
import { nodeText } from './node-text';
import { type PublishFields, type PublishForm, readPublishForm } from './publish-form';
import { TypedValues } from './typed-values';

interface PubFields extends NodeDef, PublishFields, Fields {
  broker: string;
}

/** The fields that may be taken from elsewhere, and properties of the message where they are blank. */
const VALUES = [
  'topic',
  'payload',
  'qos',
  'retain',
  'responseTopic',
  'correlationData',
  'contentType',
  'messageExpiryInterval',
  'payloadFormatIndicator',
  'userProperties',
  'topicAlias',
];

export default function (RED: NodeAPI): void {
  function MqttPub(this: Node, fields: PubFields) {
    RED.nodes.createNode(this, fields);
    const text = nodeText(RED, 'mqtt-pub');
    let fault: string | undefined;
    let form: PublishForm = { mode: 'publish', replyPrefix: '', timeout: 0 };
    try {
      form = readPublishForm(fields);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      fault = text(`errors.${error.field}`, { value: error.value });
    }
    const use = useBroker(RED, this, fields.broker, text('status.noBroker'));
    if ('fault' in use) fault ??= use.fault;
    else if (fault === undefined) {
      this.on(
        'close',
        use.connection.onStatus((status) => this.status(use.describe(status))),
      );
    }
    if (fault !== undefined) this.status({ fill: 'red', shape: 'ring', text: fault });

    const typed = new TypedValues(RED, this, VALUES, fields);
    const requester =
      'fault' in use || form.mode !== 'request' ? undefined : new Requester(use.connection, form.replyPrefix);
    if (requester !== undefined) this.on('close', () => requester.close());

    const replyTopic = ({ responseTopic, topic }: NodeMessage & Fields): unknown =>
      responseTopic ?? (typeof topic === 'string' ? replyTopicOf(topic) : undefined);
    const topicIn = (values: Fields, msg: NodeMessage): string => {
      const topic = form.mode === 'reply' && !fields.topic ? replyTopic(msg) : values.topic;
      if (typeof topic === 'string' && topic !== '') return topic;
      if (fields.topic) throw new MessageFieldError('topic', topic);
      throw new Error(text(form.mode === 'reply' ? 'errors.noResponseTopic' : 'errors.noTopic'));
    };
    const optionsIn = (values: Fields): PublishOptions => {
      // The reply has a place to go; it is no request.
      if (form.mode === 'reply' && !fields.responseTopic) delete values.responseTopic;
      const properties = propertiesOf(values);
      const topicAlias = optional(values, 'topicAlias', aliasOf);
      return {
        qos: qosOf(values),
        retain: flagOf(values, 'retain'),
        ...(Object.keys(properties).length > 0 && { properties }),
        ...(topicAlias !== undefined && { topicAlias }),
      };
    };
    const publish = async (values: Fields, msg: NodeMessage): Promise<NodeMessage | undefined> => {
      if (fault !== undefined || 'fault' in use) throw new Error(fault);
      const [topic, payload, options] = [
        topicIn(values, msg),
        encodePayload(values.payload),
        optionsIn(values),
      ];
      if (requester !== undefined) {
        const reply = await requester.request(topic, payload, options, form.timeout);
        const { _msgid, ...rest } = msg as NodeMessageInFlow;
        for (const name of VALUES) delete (rest as Fields)[name];
        return Object.assign(
          { _msgid },
          rest,
          flowMessage(reply, decodePayload(reply.payload, 'auto', reply.properties)),
        );
      }
      const { packetId } = await use.connection.publish(topic, payload, options);
      if (packetId !== undefined) (msg as Fields).messageId = packetId;
      return undefined;
    };

    this.on('input', (msg, send, done) => {
      const { action } = msg as Fields;
      const handle = async (): Promise<NodeMessage | undefined> => {
        if (!isConnectionAction(action)) return typed.with(msg, (values) => publish(values, msg));
        if ('fault' in use) throw new Error(fault);
        await CONNECTION_ACTIONS[action](use.broker, msg as Fields);
        return undefined;
      };
      endMessage(this, { send, done }, handle(), (error) =>
        error instanceof MessageFieldError
          ? new Error(text(`errors.${error.field}`, { value: error.value }))
          : error,
      );
    });
  }

  RED.nodes.registerType('mqtt-pub', MqttPub);
}
