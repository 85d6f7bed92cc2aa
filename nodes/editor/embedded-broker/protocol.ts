import type { EditorNode } from '../editor-api';
import { isWholeNumber, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';

/** The fields of the page "Protocol". */
export interface ProtocolFields {
  maximumQos: string;
  retain: boolean;
  wildcardSubscriptions: boolean;
  sharedSubscriptions: boolean;
  subscriptionIdentifiers: boolean;
  checkPayloadFormat: boolean;
  serverKeepAlive: number | string;
  sysInterval: number | string;
  responseInformation: string;
}

/** Seconds as MQTT carries them; a node saved before there was the field has none. */
function seconds(field: 'serverKeepAlive' | 'sysInterval') {
  return refusedBy<EditorNode>((node, value) =>
    value === undefined || isWholeNumber(value, 0, 65535)
      ? undefined
      : node._(`embedded-broker.fault.${field}`),
  );
}

export const protocolFields: FieldDefinitions<ProtocolFields> = {
  maximumQos: { value: '2' },
  retain: { value: true },
  wildcardSubscriptions: { value: true },
  sharedSubscriptions: { value: true },
  subscriptionIdentifiers: { value: true },
  checkPayloadFormat: { value: false },
  serverKeepAlive: { value: 0, validate: seconds('serverKeepAlive') },
  sysInterval: { value: 10, validate: seconds('sysInterval') },
  responseInformation: { value: '' },
};

export const protocolPage: FormPage<ProtocolFields> = {
  prepare(node) {
    // A node saved before there were these fields offers all.
    if (node.maximumQos !== undefined) return;
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
  },
};
