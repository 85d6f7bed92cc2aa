import { type EarlierFields, type ListenerRow, NEW_ROW, rowsOf } from '../../listener-rows';
import type { EditorNode } from '../editor-api';
import { presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { isClosed, ListenerList, listenersFault } from '../listener-list';

/** The fields of the page "Listeners". */
export interface ListenerFields extends Required<EarlierFields> {
  listeners: ListenerRow[];
  tlsCertificate: string;
  tlsKey: string;
  tlsCa: string;
  tlsClientCertificate: 'none' | 'requested' | 'required';
  tlsMinimumVersion: 'TLSv1.2' | 'TLSv1.3';
  allowAnonymous: boolean;
}

const hasTls = (rows: readonly ListenerRow[]) => rows.some(({ kind }) => kind === 'tls' || kind === 'wss');

const neededByTls = (field: 'tlsCertificate' | 'tlsKey') =>
  refusedBy<EditorNode & ListenerFields>((node, value) =>
    hasTls(rowsOf(node)) && !value ? node._(`embedded-broker.fault.${field}`) : undefined,
  );

export const listenerFields: FieldDefinitions<ListenerFields> = {
  listeners: {
    value: [NEW_ROW],
    validate: refusedBy((node) => listenersFault(node, rowsOf(node), node.allowAnonymous === true)),
  },
  // Of the earlier form, until it is saved in this one.
  listen: { value: false },
  host: { value: '' },
  port: { value: '' },
  tlsCertificate: { value: '', validate: neededByTls('tlsCertificate') },
  tlsKey: { value: '', validate: neededByTls('tlsKey') },
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
};

// One form is open at a time: the list of the open one.
let listenerList: ListenerList | undefined;

export const listenersPage: FormPage<ListenerFields> = {
  prepare(node) {
    const anonymous = $('#node-input-allowAnonymous');
    const show = () => {
      const rows = listenerList?.rows() ?? [];
      $('.mqttros-embedded-tls').toggle(hasTls(rows));
      $('.mqttros-embedded-open').toggle(rows.some((row) => !isClosed(row)));
    };
    for (const [field, value] of [
      ['tlsClientCertificate', 'none'],
      ['tlsMinimumVersion', 'TLSv1.2'],
    ] as const) {
      // A node of the earlier form has none.
      if (!node[field]) $(`#node-input-${field}`).val(value);
    }
    listenerList = new ListenerList(
      $('#mqttros-embedded-listener-list'),
      node,
      () => anonymous.prop('checked') === true,
      show,
    );
    listenerList.open(rowsOf(node));
    anonymous.on('change', () => listenerList?.refresh());
    show();
  },
  save(node) {
    if (!listenerList) return;
    node.listeners = listenerList.rows();
    node.listen = false;
    node.host = '';
    node.port = '';
  },
};
