import type {} from './editor/editor-api';
import { isWholeNumber, presentValue, refusedBy } from './editor/form-fault';

interface Fields {
  name: string;
  listen: boolean;
  host: string;
  port: number | string;
  allowAnonymous: boolean;
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
    const listen = $('#node-input-listen');
    const host = $('#node-input-host');
    const show = () => {
      const listening = listen.prop('checked') === true;
      $('.mqttros-embedded-listener').toggle(listening);
      $('.mqttros-embedded-open').toggle(listening && !isLoopback(String(host.val()).trim()));
    };
    listen.on('change', show);
    host.on('input change', show);
    show();
  },
});
