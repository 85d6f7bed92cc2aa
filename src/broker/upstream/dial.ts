import { connect as connectTcp, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createWebSocketStream, WebSocket } from 'ws';

/**
 * A stream to the MQTT server at a URL. What is written before it is connected waits; that it cannot be is said by an
 * `error` event.
 * @param url `mqtt:`, `mqtts:`, `ws:` or `wss:`, found valid
 * @param largest the largest WebSocket message that is taken, bytes
 * @throws Error a WebSocket cannot have such a URL
 */
export function dial(url: string, tls: ConnectionOptions | undefined, largest: number): Duplex {
  const { protocol, hostname, port } = new URL(url);
  if (protocol === 'ws:' || protocol === 'wss:') {
    const socket = new WebSocket(url, 'mqtt', { ...tls, perMessageDeflate: false, maxPayload: largest });
    return createWebSocketStream(socket, { allowHalfOpen: false });
  }
  // An IPv6 address has brackets in a URL.
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (protocol === 'mqtt:') return connectTcp({ host, port: Number(port || 1883), noDelay: true });
  // Server name indication knows no addresses (RFC 6066 section 3).
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port: Number(port || 8883), ...name, ...tls }).setNoDelay(true);
}
