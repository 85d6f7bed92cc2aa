import { shownUrl } from '../client/shown-url';
import type { ShownSettings } from './broker-settings';
import type { BrokerAddress } from './gateway-settings';

/** The names of this machine for itself: a broker is asked for by any of them. */
const OWN_NAMES = ['localhost', '127.0.0.1', '::1'];

/** What tells a broker from others: the id of one in this process, or host and port; `undefined` where it has none. */
export function brokerPlace({ url, embedded }: BrokerAddress): string | undefined {
  if (embedded !== undefined) return embedded;
  if (url === undefined) return undefined;
  return placeAt(addressOf(url));
}

/** The same of a broker at an address. */
export function placeAt({ host = '', port }: Pick<ShownSettings, 'host' | 'port'>): string {
  const name = host.toLowerCase();
  const own = OWN_NAMES.includes(name) ? 'localhost' : name;
  return port === undefined ? own : `${own}:${port}`;
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
