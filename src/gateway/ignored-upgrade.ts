import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** What asks for another protocol; the other fields stay (RFC 9110 section 7.8, RFC 7540 section 3.2.1). */
const OF_UPGRADE = new Set(['upgrade', 'http2-settings']);

/** Whether a request asks for a WebSocket (RFC 6455 section 4.2.1). */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Has a server answer a request as if it had not asked for another protocol, as a server may that does not speak it
 * (RFC 9110 section 7.8): clients ask for HTTP/2 in this way with each first request. Node.js hands such a connection over
 * with the request read and its body not, so it is given back with the request before it.
 * @param head what has been read behind the request's fields
 */
export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(index, index + 2);
    if (OF_UPGRADE.has(name.toLowerCase())) continue;
    lines.push(`${name}: ${name.toLowerCase() === 'connection' ? withoutUpgrade(value) : value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
}

function withoutUpgrade(options: string): string {
  return options
    .split(',')
    .filter((option) => !OF_UPGRADE.has(option.trim().toLowerCase()))
    .join(',');
}
