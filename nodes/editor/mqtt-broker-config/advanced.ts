import { type NumberField, numberFields, OVERFLOWS, QOS0, QUEUES } from '../../mqtt-broker-config-limits';
import type { FieldDefinitions, FormPage } from '../form-page';
import { input, numberField, preset } from './fields';

/** The fields of the page "Advanced". */
export type AdvancedFields = Record<NumberField, number | string> & {
  topicAliases: boolean;
  queue: (typeof QUEUES)[number];
  queueOverflow: (typeof OVERFLOWS)[number];
  queueQos0: (typeof QOS0)[number];
};

const number = (field: NumberField) => {
  const [least, most] = numberFields[field];
  return numberField(field, least, most);
};

export const advancedFields: FieldDefinitions<AdvancedFields> = {
  queue: { value: 'short' },
  queueMessages: number('queueMessages'),
  queueBytes: number('queueBytes'),
  queueOverflow: { value: 'refuse' },
  queueExpiry: number('queueExpiry'),
  queueQos0: { value: 'queue' },
  maxInFlight: number('maxInFlight'),
  receiveMaximum: number('receiveMaximum'),
  maximumPacketSize: number('maximumPacketSize'),
  topicAliasMaximum: number('topicAliasMaximum'),
  topicAliases: { value: false },
  reconnectFirst: number('reconnectFirst'),
  reconnectLongest: number('reconnectLongest'),
  connectTimeout: number('connectTimeout'),
};

export const advancedPage: FormPage<AdvancedFields> = {
  prepare() {
    preset('queue', QUEUES[0]);
    preset('queueOverflow', OVERFLOWS[0]);
    preset('queueQos0', QOS0[0]);
    const show = () => $('.mqttros-broker-queue').toggle(input('queue').val() !== 'short');
    input('queue').on('change', show);
    show();
  },
};
