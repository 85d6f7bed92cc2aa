import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { textFault, topicNameFault } from '../topic/topic-name';
import type { Announcement, ConnectionSettings, TlsFiles } from './connection-settings';
import { messagePropertiesFault, userPropertiesFault } from './message-properties';
import { proxyFault } from './proxy';
import { shownUrl } from './shown-url';

const secureProtocol: Record<string, boolean> = {
  'mqtt:': false,
  'mqtts:': true,
  'ws:': false,
  'wss:': true,
};
/** MQTT 3.1 section 3.1. */
const LONGEST_CLIENT_ID_3_1 = 23;

/** The numbers in the settings: what they are called, what they count, and their bounds. */
const numbers = [
  ['keepAlive', 'keep alive', 'seconds', 0, 0xffff],
  ['sessionExpiry', 'session expiry', 'seconds', 0, 0xffffffff],
  ['receiveMaximum', 'receive maximum', 'messages', 1, 0xffff],
  ['maximumPacketSize', 'maximum packet size', 'bytes', 1, 0xffffffff],
  ['topicAliasMaximum', 'topic alias maximum', 'aliases', 0, 0xffff],
  ['maxInFlight', 'messages in flight', 'messages', 1, 0x7fff],
] as const;

/** Says what makes a connection with these settings impossible whatever the broker does, or `undefined`. */
export function settingsFault(settings: ConnectionSettings): string | undefined {
  return (
    numberFault(settings) ??
    identityFault(settings) ??
    announcementFault('will', settings.will) ??
    announcementFault('birth message', settings.birth) ??
    announcementFault('closing message', settings.closing) ??
    (settings.userProperties && userPropertiesFault(settings.userProperties)) ??
    (settings.proxy && proxyFault(settings.proxy)) ??
    endpointFault(settings)
  );
}

function numberFault(settings: ConnectionSettings): string | undefined {
  for (const [field, name, unit, least, most] of numbers) {
    const value = settings[field];
    if (value === undefined) continue;
    if (!Number.isInteger(value) || value < least || value > most) {
      return `${name} is ${value}, expected whole ${unit} from ${least} to ${most}`;
    }
  }
  return undefined;
}

function identityFault({
  clientId,
  cleanStart,
  protocolVersion,
  username,
  password,
}: ConnectionSettings): string | undefined {
  if (clientId === '' && !cleanStart)
    return 'a session can only be kept with a client id, and the client id is empty';
  if (protocolVersion === 3 && (clientId === '' || clientId.length > LONGEST_CLIENT_ID_3_1)) {
    return `client id "${clientId}" has ${clientId.length} characters, and MQTT 3.1 expects 1 to ${LONGEST_CLIENT_ID_3_1}`;
  }
  const fault =
    (clientId && textFault('client id', clientId)) || (username && textFault('user name', username));
  if (fault) return fault;
  return password !== undefined && username === undefined
    ? 'a password is given without a user name'
    : undefined;
}

function announcementFault(name: string, message: Announcement | undefined): string | undefined {
  if (message === undefined) return undefined;
  const { topic, properties } = message;
  const fault = topicNameFault(topic) ?? (properties && messagePropertiesFault(properties));
  return fault === undefined ? undefined : `${name}: ${fault}`;
}

function endpointFault({ endpoint, tls, tlsFiles }: ConnectionSettings): string | undefined {
  if (!('url' in endpoint)) return undefined;
  for (const url of [endpoint.url, ...(endpoint.alternatives ?? [])]) {
    const fault = urlFault(url, tls ?? tlsFiles);
    if (fault !== undefined) return fault;
  }
  if (tls === undefined || tlsFiles !== undefined) return undefined;
  try {
    createSecureContext(tls);
    return undefined;
  } catch (error) {
    return `TLS: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function urlFault(text: string, tls: ConnectionOptions | TlsFiles | undefined): string | undefined {
  // One that is no URL may still have some: a password with a slash.
  if (/\/\/[^/]*@/.test(text) || (text.includes('@') && !URL.canParse(text))) {
    return 'the URL contains credentials, which belong in the user name and password fields';
  }
  const shown = shownUrl(text);
  if (!URL.canParse(text)) return `URL "${shown}" is not a URL, expected for example mqtt://127.0.0.1:1883`;
  const url = new URL(text);
  const secure = secureProtocol[url.protocol];
  if (secure === undefined) {
    return `URL "${shown}" starts with ${url.protocol}, expected mqtt:, mqtts:, ws: or wss:`;
  }
  if (url.hostname === '') return `URL "${shown}" has no host`;
  return tls !== undefined && !secure
    ? `TLS is configured, but URL "${shown}" is not secure, expected mqtts: or wss:`
    : undefined;
}
