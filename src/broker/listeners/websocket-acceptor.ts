import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';
import { isLocal, isLoopback, networkPeer, type Peer } from '../peer';
import { WebSocketStream } from './websocket-stream';

/** Of MQTT 5.0 and 3.1.1 [MQTT-6.0.0-3], and what clients of MQTT 3.1 say. */
const SUB_PROTOCOLS = ['mqtt', 'mqttv3.1'];
/** How long a peer may take to answer a close frame, ms. */
const CLOSE_TIMEOUT = 2000;

/** Makes streams of HTTP requests for a WebSocket that carries MQTT (MQTT 5.0 section 6). */
export class WebSocketAcceptor {
  readonly #origins: ReadonlySet<string>;
  readonly #server: WebSocketServer;

  /**
   * @param origins of web pages that may connect besides pages of the same host; `*` for all
   * @param frameSize largest message, of one frame or several, in bytes
   */
  constructor(origins: readonly string[], frameSize: number) {
    this.#origins = new Set(origins);
    // The type lags behind the package.
    const options: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: frameSize,
      closeTimeout: CLOSE_TIMEOUT,
      handleProtocols: (offered) => SUB_PROTOCOLS.find((protocol) => offered.has(protocol)) ?? false,
    };
    this.#server = new WebSocketServer(options);
  }

  /**
   * Answers the request. Calls back with the stream of an accepted one; returns why it is refused when that is so.
   * @param socket of the request, where errors must be listened for
   */
  accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    accepted: (stream: WebSocketStream) => void,
  ): string | undefined {
    const fault = this.#originFault(request) ?? subProtocolFault(request);
    if (fault !== undefined) {
      refuse(socket, fault.status, fault.reason);
      return fault.reason;
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) =>
      accepted(new WebSocketStream(webSocket, socket)),
    );
    return undefined;
  }

  /**
   * Any web page that the user of this machine opens may try to connect, and would count as local. So browsers, which
   * say what page it is, get in for pages of the host that they ask for; and from this machine that host must have been
   * named by its address, as other names may have been bent to it (DNS rebinding).
   */
  #originFault({ headers, socket }: IncomingMessage): Refusal | undefined {
    const { origin, host } = headers;
    if (origin === undefined || this.#origins.has('*') || this.#origins.has(origin)) return undefined;
    const asked = hostname(`http://${host}`);
    const byAddress =
      asked === 'localhost' || (asked !== undefined && isIP(asked.replace(/^\[|\]$/g, '')) !== 0);
    const safe = byAddress || !isLoopback(socket.remoteAddress ?? '127.0.0.1');
    if (asked !== undefined && hostname(origin) === asked && safe) return undefined;
    return { status: 403, reason: `web pages of ${origin.slice(0, 200)} may not connect` };
  }
}

/**
 * The peer of a request that a reverse proxy on this machine has passed on: by its headers it is known to come from
 * elsewhere and must not count as local. Other machines cannot gain anything by such headers.
 */
export function behindReverseProxy(peer: Peer, { headers }: IncomingMessage): Peer {
  const forwarded = headers['x-forwarded-for'] ?? headers.forwarded;
  if (forwarded === undefined || !isLocal(peer)) return peer;
  // The last entry is the one that the proxy has added.
  const client = String(forwarded).split(',').at(-1)?.trim() ?? '';
  return networkPeer(isIP(client) === 0 ? '0.0.0.0' : client, 0);
}

interface Refusal {
  status: 400 | 403;
  reason: string;
}

function subProtocolFault({ headers }: IncomingMessage): Refusal | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
  if (offered.some((protocol) => SUB_PROTOCOLS.includes(protocol))) return undefined;
  return { status: 400, reason: 'the WebSocket sub-protocol "mqtt" was not asked for' }; // [MQTT-6.0.0-3]
}

function hostname(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}

function refuse(socket: Duplex, status: 400 | 403, reason: string): void {
  const title = status === 400 ? 'Bad Request' : 'Forbidden';
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
  );
}
