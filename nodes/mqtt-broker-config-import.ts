import type { AnnouncementName, AnnouncementProperties } from './mqtt-broker-config-announcements';
import type { BrokerConfigFields } from './mqtt-broker-config-settings';
import type { NamedText } from './named-texts';

/** A message of Node-RED's own `mqtt-broker`. */
interface CoreMessage {
  contentType?: string;
  userProps?: string;
  respTopic?: string;
  correl?: string;
  expiry?: number | string;
  delay?: number | string;
}

/** What Node-RED's own `mqtt-broker` says; one of an older version may lack any of it. */
export type CoreBroker = {
  name?: string;
  /** A host, or a URL. */
  broker?: string;
  port?: number | string;
  tls?: string;
  usetls?: boolean;
  clientid?: string;
  autoConnect?: boolean;
  protocolVersion?: number | string;
  compatmode?: boolean | string;
  keepalive?: number | string;
  cleansession?: boolean;
  autoUnsubscribe?: boolean;
  userProps?: string;
  sessionExpiry?: number | string;
} & { [N in AnnouncementName as `${N}Topic` | `${N}Payload`]?: string } & {
  [N in AnnouncementName as `${N}Qos`]?: number | string;
} & { [N in AnnouncementName as `${N}Retain`]?: boolean | string } & {
  [N in AnnouncementName as `${N}Msg`]?: CoreMessage;
};

/** The settings of one of Node-RED's own broker configurations in our words; its credentials are not among them. */
export function fromCoreBroker(core: CoreBroker): BrokerConfigFields & { name: string } {
  const announcements: Partial<BrokerConfigFields> = {};
  for (const name of ['birth', 'close', 'will'] as const) {
    announcements[`${name}Topic`] = core[`${name}Topic`] ?? '';
    announcements[`${name}Payload`] = core[`${name}Payload`] ?? '';
    announcements[`${name}Qos`] = String(core[`${name}Qos`] || '0');
    announcements[`${name}Retain`] = String(core[`${name}Retain`]) === 'true';
    announcements[`${name}Properties`] = propertiesOf(core[`${name}Msg`] ?? {});
  }
  const url = urlOf(core);
  const secure = core.usetls === true && /^(mqtts|wss):/.test(url);
  return {
    name: core.name ?? '',
    target: 'url',
    url,
    alternatives: [],
    tls: secure ? (core.tls ?? '') : '',
    // The core form's "compatibility mode" of before there was a version.
    protocolVersion: String(core.compatmode) === 'true' ? '3' : String(core.protocolVersion || 4),
    clientId: core.clientid ?? '',
    autoConnect: core.autoConnect !== false,
    keepAlive: String(core.keepalive ?? 60),
    cleanStart: core.cleansession !== false,
    sessionExpiry: String(core.sessionExpiry || 0),
    autoUnsubscribe: core.autoUnsubscribe !== false,
    userProperties: userPropertiesOf(core.userProps),
    ...announcements,
    willDelay: String(core.willMsg?.delay ?? ''),
  };
}

function urlOf({ broker = '', port, usetls }: CoreBroker): string {
  const host = broker.trim();
  if (host.includes('://')) return host;
  const bracketed = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return `${usetls ? 'mqtts' : 'mqtt'}://${bracketed || 'localhost'}:${port || 1883}`;
}

function propertiesOf({
  contentType,
  userProps,
  respTopic,
  correl,
  expiry,
}: CoreMessage): AnnouncementProperties {
  const userProperties = userPropertiesOf(userProps);
  return {
    ...(contentType && { contentType }),
    ...(respTopic && { responseTopic: respTopic }),
    ...(correl && { correlationData: correl }),
    ...(expiry && { messageExpiry: String(expiry) }),
    ...(userProperties.length > 0 && { userProperties }),
  };
}

/** Of JSON text; what is no object of texts is left out, as the core nodes do with it. */
function userPropertiesOf(json: string | undefined): NamedText[] {
  try {
    const saved: unknown = JSON.parse(json || '{}');
    if (typeof saved !== 'object' || saved === null) return [];
    return Object.entries(saved).flatMap(([name, value]) =>
      (Array.isArray(value) ? value : [value]).map((text) => ({ name, value: String(text) })),
    );
  } catch {
    return [];
  }
}
