import type { EditorNode } from './editor/editor-api';
import { isWholeNumber, presentValue, refusedBy } from './editor/form-fault';

interface Fields {
  name: string;
  listen: boolean;
  host: string;
  port: number | string;
  allowAnonymous: boolean;
  maximumQos: string;
  retain: boolean;
  wildcardSubscriptions: boolean;
  sharedSubscriptions: boolean;
  subscriptionIdentifiers: boolean;
  checkPayloadFormat: boolean;
  serverKeepAlive: number | string;
  sysInterval: number | string;
  responseInformation: string;
  persistence: string;
  durability: string;
}

/** Seconds as MQTT carries them; a node saved before there was the field has none. */
function seconds(field: 'serverKeepAlive' | 'sysInterval') {
  return refusedBy<EditorNode>((node, value) =>
    value === undefined || isWholeNumber(value, 0, 65535)
      ? undefined
      : node._(`embedded-broker.fault.${field}`),
  );
}

const isLoopback = (host: string) => /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host);

RED.nodes.registerType<Fields>('embedded-broker', {
  category: 'MQTT ROS',
  color: '#B8A2DA',
  defaults: {
    name: { value: '' },
    listen: { value: true },
    host: {
      value: '127.0.0.1',
      validate: refusedBy((node, value) => {
        if (presentValue(node, 'listen', 'node-input') !== true) return undefined;
        const host = String(value).trim();
        if (!/^[\w.:-]+$/.test(host)) return node._('embedded-broker.fault.host');
        const open = presentValue(node, 'allowAnonymous', 'node-input') === true;
        return isLoopback(host) || open ? undefined : node._('embedded-broker.fault.closed');
      }),
    },
    port: {
      value: 1883,
      validate: refusedBy((node, value) =>
        presentValue(node, 'listen', 'node-input') !== true || isWholeNumber(value, 1, 65535)
          ? undefined
          : node._('embedded-broker.fault.port'),
      ),
    },
    allowAnonymous: { value: false },
    maximumQos: { value: '2' },
    retain: { value: true },
    wildcardSubscriptions: { value: true },
    sharedSubscriptions: { value: true },
    subscriptionIdentifiers: { value: true },
    checkPayloadFormat: { value: false },
    serverKeepAlive: { value: 0, validate: seconds('serverKeepAlive') },
    sysInterval: { value: 10, validate: seconds('sysInterval') },
    responseInformation: { value: '' },
    persistence: { value: 'disk' },
    durability: { value: 'write' },
  },
  inputs: 0,
  outputs: 1,
  icon: 'mqtt-broker.svg',
  paletteLabel: 'embedded-broker',
  label() {
    return this.name || this._('embedded-broker.label.palette');
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  outputLabels() {
    return this._('embedded-broker.label.events');
  },
  oneditprepare() {
    // A node saved before there were these fields offers all.
    if (this.maximumQos === undefined) {
      $('#node-input-maximumQos').val('2');
      $('#node-input-serverKeepAlive').val('0');
      $('#node-input-sysInterval').val('10');
      for (const offered of [
        'retain',
        'wildcardSubscriptions',
        'sharedSubscriptions',
        'subscriptionIdentifiers',
      ]) {
        $(`#node-input-${offered}`).prop('checked', true);
      }
    }
    const listen = $('#node-input-listen');
    const host = $('#node-input-host');
    const persistence = $('#node-input-persistence');
    const durability = $('#node-input-durability');
    // A node of before these fields has none.
    if (!persistence.val()) persistence.val('disk');
    if (!durability.val()) durability.val('write');
    const show = () => {
      const listening = listen.prop('checked') === true;
      $('.mqttros-embedded-listener').toggle(listening);
      $('.mqttros-embedded-durability').toggle(persistence.val() === 'disk');
      $('.mqttros-embedded-open').toggle(listening && !isLoopback(String(host.val()).trim()));
    };
    listen.on('change', show);
    host.on('input change', show);
    persistence.on('change', show);
    show();
  },
});
