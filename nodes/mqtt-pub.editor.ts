import { topicNameFault } from '../src/topic/topic-name';
import { fillTopic } from '../src/topic/topic-template';
import type { EditorNode } from './editor/editor-api';
import { brokerFault, isWholeNumber, refusedBy } from './editor/form-fault';
import { chooseOnlyBroker, completeTopics } from './editor/topic-field';
import {
  checkedKind,
  chosenKind,
  openTypedField,
  type TypedFields,
  type TypedKind,
  typedFault,
} from './editor/typed-fields';

type TypedName =
  | 'topic'
  | 'payload'
  | 'qos'
  | 'retain'
  | 'contentType'
  | 'messageExpiryInterval'
  | 'userProperties'
  | 'payloadFormatIndicator'
  | 'topicAlias'
  | 'responseTopic'
  | 'correlationData';

interface Fields extends TypedFields<TypedName> {
  name: string;
  broker: string;
  mode: 'publish' | 'request' | 'reply';
  replyPrefix: string;
  timeout: string;
  outputs: number;
}

/** Why a topic is refused in which placeholders are still to be filled in. */
function topicFault(_node: EditorNode, topic: string): string | undefined {
  try {
    return topicNameFault(fillTopic(topic, () => 'x'));
  } catch (error) {
    return (error as Error).message;
  }
}

const numberFault = (least: number, most: number) => (node: EditorNode, value: string) =>
  isWholeNumber(value, least, most) ? undefined : node._('mqtt-pub.fault.number', { least, most });
const expiryFault = numberFault(0, 4_294_967_295);
const aliasFault = numberFault(1, 65_535);

/** What each field can be taken from; the first kind is that of a blank field, which the message fills in. */
function kindsOf(node: EditorNode): Record<TypedName, readonly [TypedKind, ...TypedKind[]]> {
  const elsewhere = ['msg', 'flow', 'global', 'env', 'jsonata'] as const;
  const chosen = (field: TypedName, values: readonly string[]) =>
    chosenKind(
      node._('mqtt-pub.label.choice'),
      values.map((value) => ({ value, label: node._(`mqtt-pub.${field}.${value || 'message'}`) })),
    );
  const empty = { value: 'empty', label: node._('mqtt-pub.label.empty'), hasValue: false };
  return {
    topic: [checkedKind('str', node, topicFault), ...elsewhere],
    payload: ['str', 'num', 'bool', 'json', 'bin', ...elsewhere, empty],
    qos: [chosen('qos', ['', '0', '1', '2']), ...elsewhere],
    retain: [chosen('retain', ['', 'false', 'true']), ...elsewhere],
    contentType: ['str', ...elsewhere],
    messageExpiryInterval: [checkedKind('num', node, expiryFault), ...elsewhere],
    userProperties: ['json', ...elsewhere],
    payloadFormatIndicator: [chosen('payloadFormatIndicator', ['', 'false', 'true']), ...elsewhere],
    topicAlias: [checkedKind('num', node, aliasFault), ...elsewhere],
    responseTopic: [checkedKind('str', node, topicFault), ...elsewhere],
    correlationData: ['str', 'bin', ...elsewhere],
  };
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
    topic: { value: '', validate: typedFault('topic', topicFault) },
    topicType: { value: 'str' },
    payload: { value: '', validate: typedFault('payload') },
    payloadType: { value: 'str' },
    qos: { value: '', validate: typedFault('qos') },
    qosType: { value: 'str' },
    retain: { value: '', validate: typedFault('retain') },
    retainType: { value: 'str' },
    contentType: { value: '', validate: typedFault('contentType') },
    contentTypeType: { value: 'str' },
    messageExpiryInterval: { value: '', validate: typedFault('messageExpiryInterval', expiryFault) },
    messageExpiryIntervalType: { value: 'num' },
    userProperties: { value: '', validate: typedFault('userProperties') },
    userPropertiesType: { value: 'json' },
    payloadFormatIndicator: { value: '', validate: typedFault('payloadFormatIndicator') },
    payloadFormatIndicatorType: { value: 'str' },
    topicAlias: { value: '', validate: typedFault('topicAlias', aliasFault) },
    topicAliasType: { value: 'num' },
    responseTopic: { value: '', validate: typedFault('responseTopic', topicFault) },
    responseTopicType: { value: 'str' },
    correlationData: { value: '', validate: typedFault('correlationData') },
    correlationDataType: { value: 'str' },
  },
  inputs: 1,
  outputs: 0,
  align: 'right',
  icon: 'mqtt-pub.svg',
  label() {
    const isName = !this.topicType || this.topicType === 'str';
    return this.name || (isName && this.topic) || 'mqtt-pub';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  onadd() {
    chooseOnlyBroker(this);
  },
  oneditprepare() {
    const kinds = kindsOf(this);
    for (const name of Object.keys(kinds) as TypedName[]) openTypedField(name, kinds[name]);
    const topic = $('#node-input-topic');
    const complete = () => {
      const input = topic.siblings('.red-ui-typedInput-container').find('.red-ui-typedInput-input');
      if (topic.typedInput('type') === 'str') completeTopics(input, this);
    };
    topic.on('typedinputtypechange', complete);
    complete();
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
