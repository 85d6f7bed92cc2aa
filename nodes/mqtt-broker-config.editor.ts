import { topicNameFault } from '../src/topic/topic-name';
import type { EditorNode } from './editor/editor-api';
import {
  embeddedBrokerLabel,
  embeddedBrokers,
  revalidateUsersOfEmbeddedBrokers,
} from './editor/embedded-brokers';
import { isWholeNumber, presentValue, refusedBy } from './editor/form-fault';

interface Fields {
  name: string;
  target: 'url' | 'embedded';
  url: string;
  embedded: string;
  tls: string;
  protocolVersion: '5' | '4';
  clientId: string;
  keepAlive: number | string;
  cleanStart: boolean;
  sessionExpiry: number | string;
  willTopic: string;
  willPayload: string;
  willQos: '0' | '1' | '2';
  willRetain: boolean;
}

function urlFault(node: EditorNode & Fields, value: unknown): string | undefined {
  if (presentValue(node, 'target', 'node-config-input') !== 'url') return undefined;
  const match = /^(\w+):\/\/([^/]+)/.exec(String(value).trim());
  if (!match) return node._('mqtt-broker-config.fault.url');
  if (!/^(mqtts?|wss?)$/.test(match[1] ?? '')) return node._('mqtt-broker-config.fault.protocol');
  try {
    // URL knows host and port only of protocols that browsers have.
    const { hostname, username } = new URL(`http://${match[2]}`);
    if (hostname === '') return node._('mqtt-broker-config.fault.url');
    return username === '' ? undefined : node._('mqtt-broker-config.fault.credentials');
  } catch {
    return node._('mqtt-broker-config.fault.url');
  }
}

function embeddedFault(node: EditorNode & Fields, value: unknown): string | undefined {
  if (presentValue(node, 'target', 'node-config-input') !== 'embedded') return undefined;
  if (typeof value !== 'string' || value === '') return node._('mqtt-broker-config.fault.noEmbedded');
  return RED.nodes.node(value)?.type === 'embedded-broker'
    ? undefined
    : node._('mqtt-broker-config.fault.embeddedMissing');
}

RED.nodes.registerType<Fields>('mqtt-broker-config', {
  category: 'config',
  defaults: {
    name: { value: '' },
    target: { value: 'url' },
    url: { value: 'mqtt://127.0.0.1:1883', validate: refusedBy(urlFault) },
    // Not a configuration node, but naming its type makes the editor give the reference its new id on import.
    embedded: { value: '', type: 'embedded-broker', validate: refusedBy(embeddedFault) },
    tls: { value: '', type: 'tls-config', required: false },
    protocolVersion: { value: '5' },
    clientId: {
      value: '',
      validate: refusedBy((node, value) => {
        const present = (field: 'protocolVersion' | 'cleanStart') =>
          presentValue(node, field, 'node-config-input');
        return value === '' && present('protocolVersion') === '4' && present('cleanStart') === false
          ? node._('mqtt-broker-config.hint.clientId')
          : undefined;
      }),
    },
    keepAlive: {
      value: 60,
      validate: refusedBy((node, value) =>
        isWholeNumber(value, 0, 65535) ? undefined : node._('mqtt-broker-config.fault.keepAlive'),
      ),
    },
    cleanStart: { value: true },
    sessionExpiry: {
      // As text, because the editor does not copy a default of 0 into a new configuration node.
      value: '0',
      validate: refusedBy((node, value) =>
        isWholeNumber(value, 0, 4294967295) ? undefined : node._('mqtt-broker-config.fault.sessionExpiry'),
      ),
    },
    willTopic: {
      value: '',
      validate: refusedBy((_node, value) => (value === '' ? undefined : topicNameFault(String(value)))),
    },
    willPayload: { value: '' },
    willQos: { value: '0' },
    willRetain: { value: false },
  },
  credentials: { username: { type: 'text' }, password: { type: 'password' } },
  label() {
    if (this.name) return this.name;
    const broker = this.target === 'embedded' ? RED.nodes.node(this.embedded) : null;
    if (broker) return embeddedBrokerLabel(broker);
    return this.target === 'embedded' ? this._('mqtt-broker-config.target.embedded') : this.url;
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    const field = (name: keyof Fields) => $(`#node-config-input-${name}`);

    const pages = $('.mqttros-broker-pages').children();
    const tabs = RED.tabs.create({
      element: $('.mqttros-broker-tabs'),
      onchange: ({ id }) => pages.hide().filter(`#${id}`).show(),
    });
    for (const page of ['connection', 'session']) {
      tabs.addTab({ id: `mqttros-broker-${page}`, label: this._(`mqtt-broker-config.tab.${page}`) });
    }

    const brokers = embeddedBrokers();
    const embedded = field('embedded');
    for (const broker of brokers) {
      $('<option>').val(broker.id).text(embeddedBrokerLabel(broker)).appendTo(embedded);
    }
    if (!brokers.some(({ id }) => id === this.embedded)) {
      // What the field refers to must not change by merely opening the form.
      const text = brokers.length === 0 ? 'none' : this.embedded === '' ? 'choose' : 'missing';
      $('<option>')
        .val(this.embedded)
        .text(this._(`mqtt-broker-config.embedded.${text}`))
        .prependTo(embedded);
    }
    embedded.val(this.embedded);
    if (!RED.nodes.node(this.id) && brokers[0]) {
      field('target').val('embedded');
      embedded.val(brokers[0].id);
    }

    const show = () => {
      const atUrl = field('target').val() === 'url';
      $('.mqttros-broker-at-url').toggle(atUrl);
      $('.mqttros-broker-at-embedded').toggle(!atUrl);
      $('.mqttros-broker-mqtt5').toggle(field('protocolVersion').val() === '5');
      const kept = Number(field('sessionExpiry').val()) > 0 && field('protocolVersion').val() === '5';
      $('.mqttros-broker-client-id-hint').toggle(kept && field('clientId').val() === '');
    };
    for (const name of ['target', 'protocolVersion', 'sessionExpiry', 'clientId'] as const) {
      field(name).on('change input', show);
    }
    show();
  },
  oneditsave() {
    // Saved here, because the editor takes what it saves itself in a field with a type for a configuration node.
    const chosen = $('#node-config-input-target').val() === 'embedded';
    this.embedded = chosen ? String($('#node-config-input-embedded').val() ?? '') : '';
    if (!chosen) $('#node-config-input-embedded').val('');
  },
});

revalidateUsersOfEmbeddedBrokers(
  (config, broker) => (config as EditorNode & Partial<Fields>).embedded === broker.id,
);
