import type { IncomingMessage, Server } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { networkPeer, type Peer } from '../peer';
import { behindReverseProxy, WebSocketAcceptor } from './websocket-acceptor';

/** Bytes of messages that are not whole yet, of all connections of a path together; at least one message of any size. */
const MOST_GATHERED = 64 * 1024 * 1024;
/** What a connection may have gathered and not end for it when there is more. */
const SMALL_BYTES = 64 * 1024;

/** Where the connections of a WebSocket path go: a broker in its thread. */
export interface PathBroker {
  openStream(peer: Peer): Duplex;
}

/** Paths are taken per server, as two brokers on one path would both answer. */
const taken = new WeakMap<Server, Set<string>>();

/**
 * MQTT over WebSocket on one path of an HTTP server that others use as well. Sockets cannot move to another thread, so
 * the broker's thread gets the bytes through a stream with a bounded window.
 */
export class WebSocketPath {
  readonly #server: Server;
  /** As in a URL, with its leading slash. */
  readonly path: string;
  readonly #broker: PathBroker;
  readonly #acceptor: WebSocketAcceptor;
  readonly #open = new Set<Duplex>();
  readonly #mostGathered: number;
  #gathered = 0;

  /**
   * @param path such as `/mqtt`
   * @param origins of web pages that may connect besides pages of the server's own host; `*` for all
   * @param frameSize largest WebSocket message, bytes
   */
  constructor(
    server: Server,
    path: string,
    broker: PathBroker,
    origins: readonly string[],
    frameSize: number,
  ) {
    this.#server = server;
    this.path = path;
    this.#broker = broker;
    this.#acceptor = new WebSocketAcceptor(origins, frameSize);
    this.#mostGathered = Math.max(MOST_GATHERED, frameSize);
  }

  /** @throws Error another broker has the path */
  open(): void {
    const paths = taken.get(this.#server) ?? new Set();
    if (paths.has(this.path)) throw new Error(`WebSocket path ${this.path} is in use by another broker`);
    taken.set(this.#server, paths.add(this.path));
    this.#server.on('upgrade', this.#onUpgrade);
  }

  /** Frees the path and closes its connections; one that is not open has none. */
  close(): void {
    if (!this.#server.listeners('upgrade').includes(this.#onUpgrade)) return;
    taken.get(this.#server)?.delete(this.path);
    this.#server.off('upgrade', this.#onUpgrade);
    for (const stream of this.#open) stream.destroy();
  }

  // Requests for other paths are left to who else listens.
  readonly #onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (request.url?.split('?', 1)[0] !== this.path) return;
    socket.on('error', () => {});
    const peer = peerOf(request);
    if (peer === undefined) {
      socket.destroy(); // It is closed again already.
      return;
    }
    this.#acceptor.accept(request, socket, head, (stream) => {
      this.#open.add(stream);
      this.#count(stream);
      pipeline(stream, this.#broker.openStream(peer), stream, () => this.#open.delete(stream));
    });
  };

  /** Ends a connection whose message does not get whole when those of all have become too much for this thread. */
  #count(stream: Duplex): void {
    let counted = 0;
    const count = (bytes: number) => {
      this.#gathered += bytes - counted;
      counted = bytes;
    };
    stream.on('gathered', (bytes: number) => {
      count(bytes);
      if (this.#gathered > this.#mostGathered && bytes > SMALL_BYTES) {
        stream.destroy(new Error('too much has come of messages that are not whole'));
      }
    });
    stream.on('close', () => count(0));
  }
}

function peerOf(request: IncomingMessage): Peer | undefined {
  const { socket } = request;
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  const name =
    socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
  return behindReverseProxy(
    networkPeer(remoteAddress, remotePort, typeof name === 'string' ? name : undefined),
    request,
  );
}
