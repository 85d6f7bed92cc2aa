import type { NamedText } from '../../named-texts';
import { AddressList, addressFault } from '../address-list';
import type { EditorNode } from '../editor-api';
import { embeddedBrokerLabel, embeddedBrokers } from '../embedded-brokers';
import { presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { NamedTextList } from '../named-text-list';
import { input, numberField, preset } from './fields';

/** The fields of the page "Connection". */
export interface ConnectionFields {
  target: 'url' | 'embedded';
  url: string;
  alternatives: string[];
  embedded: string;
  autoConnect: boolean;
  protocolVersion: '5' | '4' | '3';
  clientId: string;
  keepAlive: number | string;
  cleanStart: boolean;
  sessionExpiry: number | string;
  autoUnsubscribe: boolean;
  userProperties: NamedText[];
}

type Node = EditorNode & ConnectionFields;

const present = (node: Node, field: keyof ConnectionFields) => presentValue(node, field, 'node-config-input');

function urlFault(node: Node, value: unknown): string | undefined {
  return present(node, 'target') === 'url' ? addressFault(node, value) : undefined;
}

function alternativesFault(node: Node, value: unknown): string | undefined {
  if (present(node, 'target') !== 'url' || !Array.isArray(value)) return undefined;
  for (const [index, url] of value.entries()) {
    const reason = addressFault(node, url);
    if (reason !== undefined) return node._('mqtt-broker-config.fault.row', { row: index + 1, reason });
  }
  return undefined;
}

function embeddedFault(node: Node, value: unknown): string | undefined {
  if (present(node, 'target') !== 'embedded') return undefined;
  if (typeof value !== 'string' || value === '') return node._('mqtt-broker-config.fault.noEmbedded');
  return RED.nodes.node(value)?.type === 'embedded-broker'
    ? undefined
    : node._('mqtt-broker-config.fault.embeddedMissing');
}

function clientIdFault(node: Node, value: unknown): string | undefined {
  return value === '' && present(node, 'protocolVersion') !== '5' && present(node, 'cleanStart') === false
    ? node._('mqtt-broker-config.hint.clientId')
    : undefined;
}

export const connectionFields: FieldDefinitions<ConnectionFields> = {
  target: { value: 'url' },
  url: { value: 'mqtt://127.0.0.1:1883', validate: refusedBy(urlFault) },
  alternatives: { value: [], validate: refusedBy(alternativesFault) },
  // Not a configuration node, but naming its type makes the editor give the reference its new id on import.
  embedded: { value: '', type: 'embedded-broker', validate: refusedBy(embeddedFault) },
  autoConnect: { value: true },
  protocolVersion: { value: '5' },
  clientId: { value: '', validate: refusedBy(clientIdFault) },
  keepAlive: numberField('keepAlive', 0, 65_535, '60'),
  cleanStart: { value: true },
  // As text, because the editor does not copy a default of 0 into a new configuration node.
  sessionExpiry: numberField('sessionExpiry', 0, 4_294_967_295, '0'),
  autoUnsubscribe: { value: false },
  userProperties: { value: [] },
};

// One form is open at a time: the lists of the open one.
let addresses: AddressList | undefined;
let properties: NamedTextList | undefined;

/** Whether one of the addresses is reached by a protocol that begins so. */
export const reachedBy = (protocol: 'ws'): boolean =>
  [String(input('url').val()), ...(addresses?.urls() ?? [])].some((url) => url.trim().startsWith(protocol));

/** Shows these values in the lists. */
export function showConnectionLists({
  alternatives,
  userProperties,
}: Partial<Pick<ConnectionFields, 'alternatives' | 'userProperties'>>): void {
  addresses?.show(alternatives);
  properties?.show(userProperties);
}

export const connectionPage: FormPage<ConnectionFields> = {
  prepare(node) {
    addresses = new AddressList($('#mqttros-broker-alternatives'), node, () => {});
    properties = new NamedTextList($('#mqttros-broker-user-properties'), {
      add: node._('mqtt-broker-config.label.addUserProperty'),
      name: node._('mqtt-broker-config.label.propertyName'),
      value: node._('mqtt-broker-config.label.propertyValue'),
    });
    showConnectionLists(node);
    preset('protocolVersion', '5');
    preset('target', 'url');
    if (node.autoConnect === undefined) input('autoConnect').prop('checked', true);
    chooseEmbedded(node);

    const show = () => {
      const atUrl = input('target').val() === 'url';
      const mqtt5 = input('protocolVersion').val() === '5';
      const clean = input('cleanStart').prop('checked');
      $('.mqttros-broker-at-url').toggle(atUrl);
      $('.mqttros-broker-at-embedded').toggle(!atUrl);
      $('.mqttros-broker-mqtt5').toggle(mqtt5);
      const kept = mqtt5 ? Number(input('sessionExpiry').val()) > 0 : !clean;
      $('.mqttros-broker-kept').toggle(kept);
      $('.mqttros-broker-client-id-hint').toggle(kept && input('clientId').val() === '');
    };
    for (const name of ['target', 'protocolVersion', 'sessionExpiry', 'clientId', 'cleanStart'] as const) {
      input(name).on('change input', show);
    }
    show();
  },
  save(node) {
    // Saved here, because the editor takes what it saves itself in a field with a type for a configuration node.
    const chosen = input('target').val() === 'embedded';
    node.embedded = chosen ? String(input('embedded').val() ?? '') : '';
    if (!chosen) input('embedded').val('');
    if (addresses) node.alternatives = addresses.urls();
    if (properties) node.userProperties = properties.rows();
  },
};

function chooseEmbedded(node: Node): void {
  const brokers = embeddedBrokers();
  const embedded = input('embedded');
  for (const broker of brokers) {
    $('<option>').val(broker.id).text(embeddedBrokerLabel(broker)).appendTo(embedded);
  }
  if (!brokers.some(({ id }) => id === node.embedded)) {
    // What the field refers to must not change by merely opening the form.
    const text = brokers.length === 0 ? 'none' : node.embedded === '' ? 'choose' : 'missing';
    $('<option>')
      .val(node.embedded)
      .text(node._(`mqtt-broker-config.embedded.${text}`))
      .prependTo(embedded);
  }
  embedded.val(node.embedded);
  if (!RED.nodes.node(node.id) && brokers[0]) {
    input('target').val('embedded');
    embedded.val(brokers[0].id);
  }
}
