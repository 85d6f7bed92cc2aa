import type { NodeAPI } from 'node-red';
import type { ConnectionSettings } from '../src/client/connection';
import type { FormValues } from './form-values';
import { type AnnouncementFields, announcementsOf } from './mqtt-broker-config-announcements';
import { type LimitFields, limitsOf } from './mqtt-broker-config-limits';
import {
  type FormEndpoint,
  type FormPassword,
  loginOf,
  type SecurityCredentials,
  type SecurityFields,
  transportOf,
} from './mqtt-broker-config-security';
import type { NamedText } from './named-texts';

/** What the form of an mqtt-broker-config says; what an older version did not have is absent. */
export interface BrokerConfigFields extends SecurityFields, AnnouncementFields, LimitFields {
  target?: 'url' | 'embedded';
  url?: string;
  /** Addresses that are tried when the first cannot be reached. */
  alternatives?: string[];
  /** An embedded-broker. */
  embedded?: string;
  protocolVersion?: string;
  clientId?: string;
  keepAlive?: number | string;
  cleanStart?: boolean;
  sessionExpiry?: number | string;
  autoConnect?: boolean;
  autoUnsubscribe?: boolean;
  userProperties?: NamedText[];
}

const MAX_KEEP_ALIVE_S = 0xffff;
const MAX_SESSION_EXPIRY_S = 0xffffffff;
const DEFAULT_KEEP_ALIVE_S = 60;

/** All but where the embedded broker is. */
export type FormSettings = Omit<ConnectionSettings, 'endpoint' | 'password'> & {
  password?: FormPassword;
  endpoint: FormEndpoint;
};

/**
 * The connection that the form describes.
 * @param generatedId the client id where the form leaves it blank
 * @param fromFlow the password that a message has brought, if one has
 * @param directory where a queue on disk would be; Node-RED may have no place for one
 * @throws Error that names the field
 */
export function formSettings(
  RED: NodeAPI,
  form: FormValues,
  fields: BrokerConfigFields,
  credentials: SecurityCredentials,
  generatedId: string,
  fromFlow: () => string | undefined,
  directory: string | undefined,
): FormSettings {
  const protocolVersion = Number(form.choice('protocolVersion', fields.protocolVersion, ['5', '4', '3'])) as
    | 3
    | 4
    | 5;
  const cleanStart = fields.cleanStart !== false;
  const clientId = form.text('clientId', fields.clientId).trim();
  // The broker would keep a session that nobody can ever come back to.
  if (clientId === '' && !cleanStart && protocolVersion !== 5) return form.refuse('clientId');
  const sessionExpiry = form.number('sessionExpiry', fields.sessionExpiry, 0, MAX_SESSION_EXPIRY_S) ?? 0;
  const userProperties = form.named('userProperties', fields.userProperties);
  const endpoint = endpointOf(form, fields);
  return {
    endpoint,
    protocolVersion,
    clientId: clientId || generatedId,
    keepAlive: form.number('keepAlive', fields.keepAlive, 0, MAX_KEEP_ALIVE_S) ?? DEFAULT_KEEP_ALIVE_S,
    cleanStart,
    ...(protocolVersion === 5 && { sessionExpiry }),
    unsubscribeOnClose: fields.autoUnsubscribe === true,
    ...(userProperties && { userProperties }),
    ...loginOf(form, fields, credentials, fromFlow),
    ...transportOf(RED, form, fields, credentials, endpoint),
    ...announcementsOf(form, fields),
    ...limitsOf(form, fields, directory),
  };
}

function endpointOf(form: FormValues, fields: BrokerConfigFields): FormEndpoint {
  if (fields.target === 'embedded') return 'embedded';
  const alternatives = form.texts('alternatives', fields.alternatives);
  return {
    url: form.text('url', fields.url).trim(),
    ...(alternatives.length > 0 && { alternatives }),
  };
}
