import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { SocksClient } from 'socks';
import type { ProxySettings } from './connection-settings';

const socksVersion: Record<string, 4 | 5> = { 'socks4:': 4, 'socks5:': 5 };

/** Says what makes these settings unusable, or `undefined`. */
export function proxyFault({ url: text, username = '', password = '' }: ProxySettings): string | undefined {
  if (/\/\/[^/]*@/.test(text) || (text.includes('@') && !URL.canParse(text)))
    return 'the proxy URL contains credentials, which belong in fields of their own';
  if (!URL.canParse(text))
    return `proxy URL "${text}" is not a URL, expected for example http://127.0.0.1:3128`;
  const { protocol, hostname } = new URL(text);
  if (!['http:', 'https:', ...Object.keys(socksVersion)].includes(protocol)) {
    return `proxy URL "${text}" starts with ${protocol}, expected http:, https:, socks5: or socks4:`;
  }
  if (hostname === '') return `proxy URL "${text}" has no host`;
  if (protocol.startsWith('socks') && (username.length > 255 || password.length > 255)) {
    return 'SOCKS knows user names and passwords of at most 255 bytes';
  }
  return undefined;
}

/**
 * Opens a connection to a host through a proxy, which also looks the host's name up.
 * Rejects with what went wrong on the way to the proxy or what that answered, or with the signal's reason.
 */
export function openThroughProxy(
  proxy: ProxySettings,
  target: { host: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const type = socksVersion[new URL(proxy.url).protocol];
  return (
    type === undefined ? openHttp(proxy, target, signal) : openSocks(type, proxy, target, signal)
  ).catch((error) => {
    throw signal.aborted ? signal.reason : new Error(`proxy: ${reasonOf(error)}`, { cause: error });
  });
}

/** RFC 9110 section 9.3.6. */
function openHttp(
  { url, username, password = '' }: ProxySettings,
  { host, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const credentials = Buffer.from(`${username}:${password}`).toString('base64');
  const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
    method: 'CONNECT',
    path: authority,
    agent: false,
    signal,
    headers: {
      host: authority,
      ...(username !== undefined && { 'proxy-authorization': `Basic ${credentials}` }),
    },
  });
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    const refuse = (status?: number, words?: string) => reject(new Error(`it answered ${status} ${words}`));
    request.on('response', (response) => {
      response.destroy();
      refuse(response.statusCode, response.statusMessage);
    });
    request.on('connect', (response, socket: Socket, head) => {
      if (response.statusCode === 200) {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      } else {
        socket.destroy();
        refuse(response.statusCode, response.statusMessage);
      }
    });
    request.end();
  });
}

/** RFC 1928, RFC 1929. */
async function openSocks(
  type: 4 | 5,
  { url, username, password }: ProxySettings,
  destination: { host: string; port: number },
  signal: AbortSignal,
): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) || 1080 };
  const carrier = connect(address);
  const abort = () => carrier.destroy(signal.reason);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  try {
    await new Promise<void>((resolve, reject) => {
      carrier.on('error', reject);
      carrier.once('connect', resolve);
    });
    const { socket } = await SocksClient.createConnection({
      proxy: {
        ...address,
        type,
        ...(username !== undefined && { userId: username }),
        ...(password !== undefined && { password }),
      },
      command: 'connect',
      destination,
      existing_socket: carrier,
    });
    return socket;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
