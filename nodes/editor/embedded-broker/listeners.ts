import { type EarlierFields, type ListenerRow, NEW_ROW, rowsOf } from '../../listener-rows';
import type { EditorNode } from '../editor-api';
import { presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { isClosed, ListenerList, listenersFault } from '../listener-list';
import { admitsOthers } from './access';

/** The fields of the page "Listeners". */
export interface ListenerFields extends Required<EarlierFields> {
  listeners: ListenerRow[];
  tlsCertificate: string;
  tlsKey: string;
  tlsCa: string;
  tlsClientCertificate: 'none' | 'requested' | 'required';
  tlsMinimumVersion: 'TLSv1.2' | 'TLSv1.3';
}

const hasTls = (rows: readonly ListenerRow[]) => rows.some(({ kind }) => kind === 'tls' || kind === 'wss');

/** Whether clients of other machines can get in through a listener: with a certificate, or by what the page "Access" says. */
function canGetIn(node: EditorNode & ListenerFields, row: ListenerRow): boolean {
  const byCertificate = presentValue(node, 'tlsClientCertificate', 'node-input') === 'required';
  return (hasTls([row]) && byCertificate) || admitsOthers(node);
}

const neededByTls = (field: 'tlsCertificate' | 'tlsKey') =>
  refusedBy<EditorNode & ListenerFields>((node, value) =>
    hasTls(rowsOf(node)) && !value ? node._(`embedded-broker.fault.${field}`) : undefined,
  );

export const listenerFields: FieldDefinitions<ListenerFields> = {
  listeners: {
    value: [NEW_ROW],
    validate: refusedBy((node) => listenersFault(node, rowsOf(node), (row) => canGetIn(node, row))),
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
};

// One form is open at a time: the list of the open one.
let listenerList: ListenerList | undefined;

export const listenersPage: FormPage<ListenerFields> = {
  prepare(node) {
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
      (row) => canGetIn(node, row),
      show,
    );
    listenerList.open(rowsOf(node));
    show();
  },
  refresh() {
    listenerList?.refresh();
  },
  save(node) {
    if (!listenerList) return;
    node.listeners = listenerList.rows();
    node.listen = false;
    node.host = '';
    node.port = '';
  },
};
