import { topicNameFault } from '../src/topic/topic-name';
import { fillTopic } from '../src/topic/topic-template';
import type {} from './editor/editor-api';
import { brokerFault, refusedBy } from './editor/form-fault';
import { chooseOnlyBroker, completeTopics } from './editor/topic-field';
import { openTypedField, type TypedFields, type TypedKind } from './editor/typed-fields';

const PROPERTIES = [
  'responseTopic',
  'correlationData',
  'contentType',
  'messageExpiryInterval',
  'payloadFormatIndicator',
  'userProperties',
] as const;

const ELSEWHERE: readonly TypedKind[] = ['msg', 'flow', 'global', 'env', 'jsonata'];
const KINDS: Record<(typeof PROPERTIES)[number], readonly TypedKind[]> = {
  responseTopic: ['str', ...ELSEWHERE],
  correlationData: ['str', 'bin', ...ELSEWHERE],
  contentType: ['str', ...ELSEWHERE],
  messageExpiryInterval: ['str', 'num', ...ELSEWHERE],
  payloadFormatIndicator: ['str', 'bool', ...ELSEWHERE],
  userProperties: ['str', 'json', ...ELSEWHERE],
};

interface Fields extends TypedFields<'payload' | (typeof PROPERTIES)[number]> {
  name: string;
  broker: string;
  mode: 'publish' | 'request' | 'reply';
  topic: string;
  qos: '' | '0' | '1' | '2';
  retain: '' | 'true' | 'false';
  replyPrefix: string;
  timeout: string;
  outputs: number;
}

/** Why a topic is refused in which placeholders are still to be filled in; one that is blank comes from the message. */
function topicFault(topic: string): string | undefined {
  if (topic === '') return undefined;
  try {
    return topicNameFault(fillTopic(topic, () => 'x'));
  } catch (error) {
    return (error as Error).message;
  }
}

RED.nodes.registerType<Fields>('mqtt-pub', {
  category: 'MQTT ROS',
  color: '#C9B6E4',
  defaults: {
    name: { value: '' },
    broker: {
      value: '',
      type: 'mqtt-broker-config',
      validate: refusedBy((node, value) => brokerFault(node, value, 'mqtt-pub.fault')),
    },
    mode: { value: 'publish' },
    topic: { value: '', validate: refusedBy((_node, value) => topicFault(String(value))) },
    qos: { value: '' },
    retain: { value: '' },
    replyPrefix: {
      value: 'replies',
      validate: refusedBy((_node, value) => (value ? topicNameFault(String(value)) : undefined)),
    },
    timeout: {
      value: '10',
      validate: refusedBy((node, value) =>
        !value || (Number(value) > 0 && Number(value) <= 86_400)
          ? undefined
          : node._('mqtt-pub.fault.timeout'),
      ),
    },
    outputs: { value: 0 },
    // One by one: the public flow library reads this object without running it.
    payload: { value: '' },
    payloadType: { value: 'str' },
    responseTopic: { value: '' },
    responseTopicType: { value: 'str' },
    correlationData: { value: '' },
    correlationDataType: { value: 'str' },
    contentType: { value: '' },
    contentTypeType: { value: 'str' },
    messageExpiryInterval: { value: '' },
    messageExpiryIntervalType: { value: 'str' },
    payloadFormatIndicator: { value: '' },
    payloadFormatIndicatorType: { value: 'str' },
    userProperties: { value: '' },
    userPropertiesType: { value: 'str' },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'mqtt-pub.svg',
  label() {
    return this.name || this.topic || 'mqtt-pub';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  onadd() {
    chooseOnlyBroker(this);
  },
  oneditprepare() {
    completeTopics($('#node-input-topic'), this);
    const empty = { value: 'empty', label: this._('mqtt-pub.label.empty'), hasValue: false };
    openTypedField('payload', ['str', 'num', 'bool', 'json', 'bin', ...ELSEWHERE, empty]);
    for (const name of PROPERTIES) openTypedField(name, KINDS[name]);
    const mode = $('#node-input-mode');
    // A node of before this field has none.
    if (!mode.val()) mode.val('publish');
    const show = () => {
      $('.mqttros-pub-request').toggle(mode.val() === 'request');
      $('.mqttros-pub-response').toggle(mode.val() !== 'request');
    };
    mode.on('change', show);
    show();
  },
  oneditsave() {
    $('#node-input-outputs').val($('#node-input-mode').val() === 'request' ? 1 : 0);
  },
});
