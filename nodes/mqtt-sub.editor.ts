import { topicFilterFault } from '../src/topic/topic-filter';
import type {} from './editor/editor-api';
import { FilterList, filtersFault } from './editor/filter-list';
import { brokerFault, isWholeNumber, presentValue, refusedBy } from './editor/form-fault';
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
  actions: boolean;
  delivery: 'arrival' | 'acknowledged' | 'request';
  timeout: string;
  maxWaiting: string;
  overflow: 'drop-oldest' | 'drop-newest';
  states: boolean;
  inputs: number;
  outputs: number;
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
      validate: refusedBy((node, value) =>
        value === '' && presentValue(node, 'actions', 'node-input') === true
          ? undefined
          : topicFilterFault(String(value)),
      ),
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
    actions: { value: false },
    delivery: { value: 'arrival' },
    timeout: {
      value: '',
      validate: refusedBy((node, value) =>
        !value || (Number(value) > 0 && Number(value) <= 86_400)
          ? undefined
          : node._('mqtt-sub.fault.timeout'),
      ),
    },
    maxWaiting: {
      value: '',
      validate: refusedBy((node, value) =>
        !value || isWholeNumber(value, 1, 10_000) ? undefined : node._('mqtt-sub.fault.maxWaiting'),
      ),
    },
    overflow: { value: 'drop-oldest' },
    states: { value: false },
    inputs: { value: 0 },
    outputs: { value: 1 },
  },
  inputs: 0,
  outputs: 1,
  icon: 'mqtt-sub.svg',
  label() {
    return this.name || this.topicFilter || 'mqtt-sub';
  },
  outputLabels(index) {
    return this._(`mqtt-sub.outputLabel.${index === 0 ? 'messages' : 'states'}`);
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
    // A node of before these fields has none.
    for (const [name, value] of Object.entries({
      retainHandling: '0',
      delivery: 'arrival',
      overflow: 'drop-oldest',
    })) {
      const field = $(`#node-input-${name}`);
      if (!field.val()) field.val(value);
    }
    const delivery = $('#node-input-delivery');
    const show = () => {
      $('.mqttros-sub-waiting').toggle(delivery.val() !== 'arrival');
      $('.mqttros-sub-request').toggle(delivery.val() === 'request');
      $('#node-input-maxWaiting').attr('placeholder', delivery.val() === 'request' ? '100' : '1');
    };
    delivery.on('change', show);
    show();
    // Whether the first filter may be blank.
    $('#node-input-actions').on('change', () => $('#node-input-topicFilter').trigger('change'));
  },
  oneditsave() {
    const input = $('#node-input-actions').prop('checked') || $('#node-input-delivery').val() !== 'arrival';
    $('#node-input-inputs').val(input ? 1 : 0);
    $('#node-input-outputs').val($('#node-input-states').prop('checked') ? 2 : 1);
    this.moreFilters = moreFilters?.filters() ?? [];
  },
});
