import { topicNameFault } from '../src/topic/topic-name';
import type {} from './editor/editor-api';
import { brokerFault, refusedBy } from './editor/form-fault';
import { chooseOnlyBroker, completeTopics } from './editor/topic-field';

interface Fields {
  name: string;
  broker: string;
  topic: string;
  qos: '' | '0' | '1' | '2';
  retain: '' | 'true' | 'false';
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
    topic: {
      value: '',
      validate: refusedBy((_node, value) => (value === '' ? undefined : topicNameFault(String(value)))),
    },
    qos: { value: '' },
    retain: { value: '' },
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
  },
});
