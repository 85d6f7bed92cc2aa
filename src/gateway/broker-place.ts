import { shownUrl } from '../client/shown-url';
import type { ShownSettings } from './broker-settings';
import type { BrokerAddress } from './gateway-settings';

/** What tells a broker from others: the id of one in this process, or host and port; `undefined` where it has none. */
export function brokerPlace({ url, embedded }: BrokerAddress): string | undefined {
  if (embedded !== undefined) return embedded;
  if (url === undefined) return undefined;
  const { host, port } = addressOf(url);
  return port === undefined ? host : `${host}:${port}`;
}

/** A URL as callers see it; text that is none stands for the host. */
export function addressOf(text: string): ShownSettings {
  if (!URL.canParse(text)) return { host: shownUrl(text) };
  const { protocol, hostname, port, pathname } = new URL(text);
  const transport = protocol.startsWith('ws') ? 'websocket' : 'tcp';
  const secure = protocol === 'mqtts:' || protocol === 'wss:';
  const standard = transport === 'tcp' ? (secure ? 8883 : 1883) : secure ? 443 : 80;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? standard : Number(port),
    use_ssl: secure,
    transport,
    ...(transport === 'websocket' && { path: pathname }),
  };
}
