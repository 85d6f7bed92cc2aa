import type { Duplex } from 'node:stream';
import { type ConnectionOptions, createSecureContext } from 'node:tls';
import { topicNameFault } from '../topic/topic-name';
import type { ConnectionSettings } from './connection-settings';
import { openNetworkStream } from './network-stream';

const MAX_KEEP_ALIVE_S = 65_535;
const secureProtocol: Record<string, boolean> = {
  'mqtt:': false,
  'mqtts:': true,
  'ws:': false,
  'wss:': true,
};

/** Says what makes a connection with these settings impossible whatever the broker does, or `undefined`. */
export function settingsFault(settings: ConnectionSettings): string | undefined {
  const { keepAlive, clientId, cleanStart, will } = settings;
  if (!Number.isInteger(keepAlive) || keepAlive < 0 || keepAlive > MAX_KEEP_ALIVE_S) {
    return `keep alive is ${keepAlive}, expected whole seconds from 0 to ${MAX_KEEP_ALIVE_S}`;
  }
  if (clientId === '' && !cleanStart)
    return 'a session can only be kept with a client id, and the client id is empty';
  const willFault = will === undefined ? undefined : topicNameFault(will.topic);
  if (willFault !== undefined) return `will: ${willFault}`;
  return 'url' in settings.endpoint ? urlFault(settings.endpoint.url, settings.tls) : undefined;
}

function urlFault(text: string, tls: ConnectionOptions | undefined): string | undefined {
  if (/\/\/[^/]*@/.test(text)) {
    return 'the URL contains credentials, which belong in the user name and password fields';
  }
  if (!URL.canParse(text)) return `URL "${text}" is not a URL, expected for example mqtt://127.0.0.1:1883`;
  const url = new URL(text);
  const secure = secureProtocol[url.protocol];
  if (secure === undefined) {
    return `URL "${text}" starts with ${url.protocol}, expected mqtt:, mqtts:, ws: or wss:`;
  }
  if (url.hostname === '') return `URL "${text}" has no host`;
  if (tls === undefined) return undefined;
  if (!secure) return `TLS is configured, but URL "${text}" is not secure, expected mqtts: or wss:`;
  try {
    createSecureContext(tls);
    return undefined;
  } catch (error) {
    return `TLS: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Opens a stream to the endpoint, on which MQTT can be spoken. Rejects with the reason why there is none. */
export async function openStream(
  { endpoint, tls }: ConnectionSettings,
  signal: AbortSignal,
): Promise<Duplex> {
  if ('openStream' in endpoint) {
    const stream = endpoint.openStream();
    // Until the stream has an owner who listens, an error must not leave the process.
    return stream.on('error', () => {});
  }
  return openNetworkStream(
    new URL(endpoint.url),
    { subprotocol: 'mqtt', ...(tls !== undefined && { tls }) },
    signal,
  );
}
