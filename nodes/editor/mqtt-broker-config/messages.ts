import { topicNameFault } from '../../../src/topic/topic-name';
import type { AnnouncementName, AnnouncementProperties } from '../../mqtt-broker-config-announcements';
import type { EditorNode } from '../editor-api';
import { refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { NamedTextList } from '../named-text-list';
import { numberFault, numberField, preset } from './fields';

/** The fields of the page "Messages". */
export type MessagesFields = Record<`${AnnouncementName}${'Topic' | 'Payload'}`, string> &
  Record<`${AnnouncementName}Qos`, '0' | '1' | '2'> &
  Record<`${AnnouncementName}Retain`, boolean> &
  Record<`${AnnouncementName}Properties`, AnnouncementProperties> & { willDelay: number | string };

const ANNOUNCEMENTS: readonly AnnouncementName[] = ['birth', 'close', 'will'];
const TEXTS = ['contentType', 'messageExpiry', 'responseTopic', 'correlationData'] as const;
const LATEST = 0xffffffff;

/** Three messages have the same fields. */
function ofAnnouncement(node: EditorNode, name: AnnouncementName, fault: string | undefined) {
  return fault && `${node._(`mqtt-broker-config.announcement.${name}`)}: ${fault}`;
}

function propertiesFault(node: EditorNode, value: unknown): string | undefined {
  const { messageExpiry, responseTopic = '' } = (value ?? {}) as AnnouncementProperties;
  const expiryFault = numberFault(node, messageExpiry, 0, LATEST);
  return (
    (expiryFault && `${node._('mqtt-broker-config.label.messageExpiry')}: ${expiryFault}`) ??
    (responseTopic === '' ? undefined : topicNameFault(responseTopic))
  );
}

const topic = (name: AnnouncementName) => ({
  value: '',
  validate: refusedBy<EditorNode>((node, value) =>
    ofAnnouncement(node, name, value ? topicNameFault(String(value)) : undefined),
  ),
});
const properties = (name: AnnouncementName) => ({
  value: {},
  validate: refusedBy<EditorNode>((node, value) => ofAnnouncement(node, name, propertiesFault(node, value))),
});

export const messagesFields: FieldDefinitions<MessagesFields> = {
  birthTopic: topic('birth'),
  birthPayload: { value: '' },
  birthQos: { value: '0' },
  birthRetain: { value: false },
  birthProperties: properties('birth'),
  closeTopic: topic('close'),
  closePayload: { value: '' },
  closeQos: { value: '0' },
  closeRetain: { value: false },
  closeProperties: properties('close'),
  willTopic: topic('will'),
  willPayload: { value: '' },
  willQos: { value: '0' },
  willRetain: { value: false },
  willProperties: properties('will'),
  willDelay: numberField('willDelay', 0, LATEST),
};

/** The rows of a message's MQTT 5 properties. */
class PropertyRows {
  readonly #place: JQuery;
  readonly #list: NamedTextList;

  constructor(node: EditorNode, name: AnnouncementName) {
    const text = (key: string) => node._(`mqtt-broker-config.${key}`);
    this.#place = $(`#mqttros-broker-${name}-properties`);
    for (const field of TEXTS) {
      const row = $('<div class="form-row">').appendTo(this.#place);
      const id = `mqttros-broker-${name}-${field}`;
      $('<label>')
        .attr('for', id)
        .text(text(`label.${field}`))
        .appendTo(row);
      $(`<input type="text" class="mqttros-property-${field}">`).attr('id', id).appendTo(row);
      if (field !== 'messageExpiry') continue;
      row.find('input').addClass('mqttros-broker-number');
      $('<span class="mqttros-broker-unit">').text(text('unit.seconds')).appendTo(row);
    }
    const row = $('<div class="form-row"><label></label></div>').appendTo(this.#place);
    const label = $('<label class="mqttros-broker-check">').appendTo(row);
    $('<input type="checkbox" class="mqttros-property-payloadFormat">').appendTo(label);
    label.append(document.createTextNode(` ${text('label.payloadFormat')}`));
    this.#list = new NamedTextList($('<ol>').appendTo($('<div class="form-row">').appendTo(this.#place)), {
      add: text('label.addUserProperty'),
      name: text('label.propertyName'),
      value: text('label.propertyValue'),
    });
  }

  show(saved: AnnouncementProperties = {}): void {
    for (const field of TEXTS) this.#input(field).val(String(saved[field] ?? ''));
    this.#input('payloadFormat').prop('checked', saved.payloadFormat === true);
    this.#list.show(saved.userProperties);
    this.#place.prop('open', Object.keys(this.values()).length > 0);
  }

  values(): AnnouncementProperties {
    const values: AnnouncementProperties = {};
    for (const field of TEXTS) {
      const text = String(this.#input(field).val() ?? '').trim();
      if (text !== '') values[field] = text;
    }
    if (this.#input('payloadFormat').prop('checked')) values.payloadFormat = true;
    const userProperties = this.#list.rows();
    return userProperties.length > 0 ? { ...values, userProperties } : values;
  }

  #input(field: string): JQuery {
    return this.#place.find(`.mqttros-property-${field}`);
  }
}

// One form is open at a time: the rows of the open one.
let rows: Partial<Record<AnnouncementName, PropertyRows>> = {};

/** Shows the properties of these messages. */
export function showProperties(saved: Partial<MessagesFields>): void {
  for (const name of ANNOUNCEMENTS) rows[name]?.show(saved[`${name}Properties`]);
}

export const messagesPage: FormPage<MessagesFields> = {
  prepare(node) {
    rows = {};
    for (const name of ANNOUNCEMENTS) {
      rows[name] = new PropertyRows(node, name);
      preset(`${name}Qos`, '0');
    }
    showProperties(node);
  },
  save(node) {
    for (const name of ANNOUNCEMENTS) {
      const values = rows[name]?.values();
      if (values) node[`${name}Properties`] = values;
    }
  },
};
