import type { Announcement, ConnectionSettings, MessageProperties, QoS } from '../src/client/connection';
import type { FormValues } from './form-values';
import type { NamedText } from './named-texts';

/** The MQTT 5 properties of a message, as the form keeps them; blank or absent where there is none. */
export interface AnnouncementProperties {
  contentType?: string;
  /** Whether the payload is said to be text. */
  payloadFormat?: boolean;
  /** Seconds. */
  messageExpiry?: number | string;
  responseTopic?: string;
  correlationData?: string;
  userProperties?: NamedText[];
}

export type AnnouncementName = 'birth' | 'close' | 'will';

/** The fields of the messages that the connection publishes on its own account; absent in flows of before they existed. */
export type AnnouncementFields = {
  [N in AnnouncementName as `${N}Topic` | `${N}Payload`]?: string;
} & {
  [N in AnnouncementName as `${N}Qos`]?: number | string;
} & {
  [N in AnnouncementName as `${N}Retain`]?: boolean;
} & {
  [N in AnnouncementName as `${N}Properties`]?: AnnouncementProperties;
} & {
  /** Seconds. */
  willDelay?: number | string;
};

const LATEST = 0xffffffff;

/**
 * Birth, closing message and will.
 * @throws Error that names the field
 */
export function announcementsOf(
  form: FormValues,
  fields: AnnouncementFields,
): Pick<ConnectionSettings, 'birth' | 'closing' | 'will'> {
  const [birth, closing, will] = (['birth', 'close', 'will'] as const).map((name) =>
    announcementOf(form, fields, name),
  );
  const delay = form.number('willDelay', fields.willDelay, 0, LATEST);
  return {
    ...(birth && { birth }),
    ...(closing && { closing }),
    ...(will && { will: { ...will, ...(delay !== undefined && { delay }) } }),
  };
}

function announcementOf(
  form: FormValues,
  fields: AnnouncementFields,
  name: AnnouncementName,
): Announcement | undefined {
  const topic = form.text(`${name}Topic`, fields[`${name}Topic`]);
  if (topic === '') return undefined;
  return {
    topic,
    payload: form.text(`${name}Payload`, fields[`${name}Payload`]),
    qos: (form.number(`${name}Qos`, fields[`${name}Qos`], 0, 2) ?? 0) as QoS,
    retain: fields[`${name}Retain`] === true,
    properties: propertiesOf(form, `${name}Properties`, fields[`${name}Properties`] ?? {}),
  };
}

function propertiesOf(form: FormValues, field: string, saved: AnnouncementProperties): MessageProperties {
  const text = (name: 'contentType' | 'responseTopic' | 'correlationData') =>
    form.text(`${field}.${name}`, saved[name]);
  const [contentType, responseTopic, correlationData] = [
    text('contentType'),
    text('responseTopic'),
    text('correlationData'),
  ];
  const expiry = form.number(`${field}.messageExpiry`, saved.messageExpiry, 0, LATEST);
  const userProperties = form.named(`${field}.userProperties`, saved.userProperties);
  return {
    ...(contentType !== '' && { contentType }),
    ...(saved.payloadFormat === true && { payloadFormatIndicator: true }),
    ...(expiry !== undefined && { messageExpiryInterval: expiry }),
    ...(responseTopic !== '' && { responseTopic }),
    ...(correlationData !== '' && { correlationData: Buffer.from(correlationData) }),
    ...(userProperties && { userProperties }),
  };
}
