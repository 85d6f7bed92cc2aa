import { topicFilterFault } from '../src/topic/topic-filter';
import type {} from './editor/editor-api';
import { FilterList, filtersFault } from './editor/filter-list';
import { brokerFault, refusedBy } from './editor/form-fault';
import { chooseOnlyBroker, completeTopics } from './editor/topic-field';

interface Fields {
  name: string;
  broker: string;
  topicFilter: string;
  qos: '0' | '1' | '2';
  output: 'auto' | 'json' | 'string' | 'buffer' | 'base64';
  moreFilters: string[];
  noLocal: boolean;
  retainAsPublished: boolean;
  retainHandling: '0' | '1' | '2';
}

let moreFilters: FilterList | undefined;

RED.nodes.registerType<Fields>('mqtt-sub', {
  category: 'MQTT ROS',
  color: '#C9B6E4',
  defaults: {
    name: { value: '' },
    broker: {
      value: '',
      type: 'mqtt-broker-config',
      validate: refusedBy((node, value) => brokerFault(node, value, 'mqtt-sub.fault')),
    },
    topicFilter: {
      value: '',
      validate: refusedBy((_node, value) => topicFilterFault(String(value))),
    },
    qos: { value: '1' },
    output: { value: 'auto' },
    moreFilters: {
      value: [],
      validate: refusedBy((_node, value) => filtersFault((value ?? []) as string[])),
    },
    noLocal: { value: false },
    retainAsPublished: { value: false },
    retainHandling: { value: '0' },
  },
  inputs: 0,
  outputs: 1,
  icon: 'mqtt-sub.svg',
  label() {
    return this.name || this.topicFilter || 'mqtt-sub';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  onadd() {
    chooseOnlyBroker(this);
  },
  oneditprepare() {
    completeTopics($('#node-input-topicFilter'), this);
    moreFilters = new FilterList($('#mqttros-sub-filter-list'), this);
    moreFilters.open(this.moreFilters ?? []);
    // A node of before this field has none.
    const retainHandling = $('#node-input-retainHandling');
    if (!retainHandling.val()) retainHandling.val('0');
  },
  oneditsave() {
    this.moreFilters = moreFilters?.filters() ?? [];
  },
});
