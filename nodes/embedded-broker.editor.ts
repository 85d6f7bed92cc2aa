import type { EditorNode } from './editor/editor-api';
import { isWholeNumber, presentValue, refusedBy } from './editor/form-fault';
import { isClosed, ListenerList, listenersFault } from './editor/listener-list';
import { type EarlierFields, type ListenerRow, NEW_ROW, rowsOf } from './listener-rows';

interface Fields extends Required<EarlierFields> {
  name: string;
  listeners: ListenerRow[];
  tlsCertificate: string;
  tlsKey: string;
  tlsCa: string;
  tlsClientCertificate: 'none' | 'requested' | 'required';
  tlsMinimumVersion: 'TLSv1.2' | 'TLSv1.3';
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

const hasTls = (rows: readonly ListenerRow[]) => rows.some(({ kind }) => kind === 'tls' || kind === 'wss');

// One form is open at a time: the list of the open one.
let listenerList: ListenerList | undefined;

RED.nodes.registerType<Fields>('embedded-broker', {
  category: 'MQTT ROS',
  color: '#B8A2DA',
  defaults: {
    name: { value: '' },
    listeners: {
      value: [NEW_ROW],
      validate: refusedBy((node) => listenersFault(node, rowsOf(node), node.allowAnonymous === true)),
    },
    // Of the earlier form, until it is saved in this one.
    listen: { value: false },
    host: { value: '' },
    port: { value: '' },
    tlsCertificate: {
      value: '',
      validate: refusedBy((node, value) =>
        hasTls(rowsOf(node)) && !value ? node._('embedded-broker.fault.tlsCertificate') : undefined,
      ),
    },
    tlsKey: {
      value: '',
      validate: refusedBy((node, value) =>
        hasTls(rowsOf(node)) && !value ? node._('embedded-broker.fault.tlsKey') : undefined,
      ),
    },
    tlsCa: {
      value: '',
      validate: refusedBy((node, value) => {
        const asked = presentValue(node, 'tlsClientCertificate', 'node-input') ?? 'none';
        return hasTls(rowsOf(node)) && asked !== 'none' && !value
          ? node._('embedded-broker.fault.tlsCa')
          : undefined;
      }),
    },
    tlsClientCertificate: { value: 'none' },
    tlsMinimumVersion: { value: 'TLSv1.2' },
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
  credentials: { tlsPassphrase: { type: 'password' } },
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
    const persistence = $('#node-input-persistence');
    const durability = $('#node-input-durability');
    // A node of before these fields has none.
    if (!persistence.val()) persistence.val('disk');
    if (!durability.val()) durability.val('write');
    const anonymous = $('#node-input-allowAnonymous');
    const show = () => {
      const rows = listenerList?.rows() ?? [];
      $('.mqttros-embedded-durability').toggle(persistence.val() === 'disk');
      $('.mqttros-embedded-tls').toggle(hasTls(rows));
      $('.mqttros-embedded-open').toggle(rows.some((row) => !isClosed(row)));
    };
    for (const [field, value] of [
      ['tlsClientCertificate', 'none'],
      ['tlsMinimumVersion', 'TLSv1.2'],
    ] as const) {
      // A node of the earlier form has none.
      if (!this[field]) $(`#node-input-${field}`).val(value);
    }
    listenerList = new ListenerList(
      $('#mqttros-embedded-listeners'),
      this,
      () => anonymous.prop('checked') === true,
      show,
    );
    listenerList.open(rowsOf(this));
    persistence.on('change', show);
    anonymous.on('change', () => listenerList?.refresh());
    show();
  },
  oneditsave() {
    if (!listenerList) return;
    this.listeners = listenerList.rows();
    this.listen = false;
    this.host = '';
    this.port = '';
  },
});
