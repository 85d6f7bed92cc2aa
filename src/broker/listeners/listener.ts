import { lookup } from 'node:dns/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, type BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { ReasonCode } from '../codec/reason-code';
import { isLoopback, networkPeer, type Peer } from '../peer';
import {
  type ListenerAddress,
  ListenerError,
  type ListenerKind,
  type ListenerSettings,
} from './listener-settings';
import { proxyList, readProxyHeader } from './proxy-protocol';
import { TlsCredentials } from './tls-credentials';
import { behindReverseProxy, WebSocketAcceptor } from './websocket-acceptor';

const KINDS: readonly ListenerKind[] = ['tcp', 'tls', 'ws', 'wss'];
const MAX_HTTP_HEADER_BYTES = 8192;

const SOCKET_OPTIONS = {
  noDelay: true,
  // A peer that stops talking may still be told something.
  allowHalfOpen: true,
  // Finds peers that are gone without a word also when they gave no keep alive.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};

/** Where accepted connections go. */
export interface ListenerHost {
  /** Counts a new connection from its first byte on; false when there is no room and it has been closed. */
  admit(stream: Duplex, peer: Peer): boolean;
  /** Speaks MQTT with an admitted connection. */
  serve(stream: Duplex, peer: Peer): void;
  /** A connection was closed before it could speak MQTT. */
  refused(peer: Peer, reasonCode: ReasonCode, reason: string): void;
  /** The files of a TLS listener have changed: the new ones are used, or with a reason the old ones still are. */
  credentialsChanged(listener: string, failure?: string): void;
}

/** Bounds of what happens before MQTT. */
export interface ListenerLimits {
  /** For the PROXY header, TLS and the WebSocket request together, ms. */
  connectTimeout: number;
  /** Largest WebSocket message, bytes. */
  packetSize: number;
}

/** A connection between its first byte and its first byte of MQTT. */
interface Arrival {
  endpoint: string;
  socket: Socket;
  peer: Peer;
  timer: NodeJS.Timeout;
  refusal: string | undefined;
}

/**
 * One port on which clients come in. The layers below MQTT follow each other: TCP, the header of a proxy, TLS, WebSocket.
 */
export class Listener {
  readonly #settings: ListenerSettings;
  readonly #kind: ListenerKind;
  readonly #host: ListenerHost;
  readonly #limits: ListenerLimits;
  /** By the address and port at the other end of the socket, which all layers know. */
  readonly #arrivals = new Map<string, Arrival>();
  #proxies: BlockList | undefined;
  /** One for each address of the host. */
  readonly #servers: Server[] = [];
  #credentials: TlsCredentials | undefined;
  #tls: TlsServer | undefined;
  #http: HttpServer | undefined;

  constructor(settings: ListenerSettings, limits: ListenerLimits, host: ListenerHost) {
    this.#settings = settings;
    this.#kind = settings.kind ?? 'tcp';
    this.#limits = limits;
    this.#host = host;
  }

  /**
   * Starts to listen and returns the real address and port.
   * @param beyondLoopback whether other machines may connect: they can log in, or need not
   * @throws ListenerError the host does not resolve, is not this machine's or is beyond loopback, the port is taken or
   * not allowed, the TLS settings or the list of proxies cannot be used
   */
  async open(beyondLoopback: boolean): Promise<ListenerAddress> {
    try {
      return await this.#open(beyondLoopback);
    } catch (error) {
      this.close();
      throw new ListenerError(`${this.#name}: ${(error as Error).message}`);
    }
  }

  /** Accepts no more and closes what has not begun to speak MQTT; the other connections go on. */
  close(): void {
    this.#credentials?.unwatch();
    for (const server of this.#servers) server.close();
    for (const { socket } of this.#arrivals.values()) socket.destroy();
  }

  get #name(): string {
    const { host, port } = this.#settings;
    return `listener ${this.#kind}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  }

  async #open(beyondLoopback: boolean): Promise<ListenerAddress> {
    const { host, port, tls, origins = [], proxies = [] } = this.#settings;
    const kind = this.#kind;
    if (!KINDS.includes(kind)) throw new Error(`the kind is not one of ${KINDS.join(', ')}`);
    // An empty host would be every interface to the system.
    if (host === '') throw new Error('the host is empty, expected an address or a name');
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new Error('the port is not a whole number from 0 to 65535');
    }
    const addresses = [...new Set((await lookup(host, { all: true })).map(({ address }) => address))];
    if (!beyondLoopback && tls?.clientCertificate !== 'required' && !addresses.every(isLoopback)) {
      throw new Error(
        'it would be open to other machines without a password: use 127.0.0.1, add users, or allow anonymous clients beyond loopback',
      );
    }
    if (proxies.length > 0) this.#proxies = proxyList(proxies);
    if (kind === 'ws' || kind === 'wss') this.#http = this.#newHttpServer(origins);
    if (kind === 'tls' || kind === 'wss') {
      if (tls === undefined) throw new Error('the TLS certificate and key are missing');
      await this.#startTls(new TlsCredentials(tls), tls.clientCertificate ?? 'none');
    }
    return { kind, host, port: await this.#listenOn(addresses, port) };
  }

  /** All addresses of a name: localhost may have one of each family. Returns the real port, the same on all. */
  async #listenOn(addresses: readonly string[], port: number): Promise<number> {
    let opened = port;
    let missing: Error | undefined;
    for (const address of addresses) {
      try {
        opened = await this.#listen(address, opened);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'EADDRINUSE') throw new Error(`the port is in use (${message})`);
        // Names have addresses of a family also on machines without it.
        if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') throw error;
        missing = error as Error;
      }
    }
    if (this.#servers.length === 0 && missing !== undefined) throw missing;
    return opened;
  }

  /** Returns the real port. */
  async #listen(address: string, port: number): Promise<number> {
    const server = createServer(SOCKET_OPTIONS, (socket) => this.#onConnection(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    this.#servers.push(server);
    // Accepting can fail later, for want of file descriptors: the listener goes on.
    server.on('error', () => {});
    return (server.address() as AddressInfo).port;
  }

  #onConnection(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy(); // It is closed again already.
      return;
    }
    const peer = networkPeer(remoteAddress, remotePort);
    if (this.#proxies === undefined) this.#admit(socket, peer);
    else this.#fromProxy(socket, peer, this.#proxies);
  }

  /** Only from listed proxies, and then as whom they speak for. */
  #fromProxy(socket: Socket, proxy: Peer, proxies: BlockList): void {
    const host = proxy.host as string;
    if (!proxies.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')) {
      socket.destroy();
      this.#host.refused(proxy, ReasonCode.notAuthorized, `${host} is not one of the listener's proxies`);
      return;
    }
    const arrival = this.#arrive(socket, proxy);
    readProxyHeader(socket).then(
      (client) => {
        this.#forget(arrival);
        this.#admit(socket, client === undefined ? proxy : networkPeer(client.host, client.port));
      },
      (error: Error) => {
        arrival.refusal ??= error.message;
        socket.destroy();
      },
    );
  }

  #admit(socket: Socket, peer: Peer): void {
    if (!this.#host.admit(socket, peer)) return;
    if (this.#kind === 'tcp') {
      this.#host.serve(socket, peer);
      return;
    }
    this.#arrive(socket, peer);
    (this.#tls ?? this.#http)?.emit('connection', socket);
  }

  /** Notes a connection that has layers to pass before MQTT, and ends it when that takes too long. */
  #arrive(socket: Socket, peer: Peer): Arrival {
    const timer = setTimeout(() => {
      arrival.refusal ??= 'too slow to get to MQTT';
      socket.destroy();
    }, this.#limits.connectTimeout);
    const arrival: Arrival = { endpoint: endpointOf(socket), socket, peer, timer, refusal: undefined };
    this.#arrivals.set(arrival.endpoint, arrival);
    socket.on('error', (error) => {
      arrival.refusal ??= error.message;
    });
    socket.on('close', () => {
      if (!this.#forget(arrival)) return;
      const reason = arrival.refusal ?? 'closed by the peer before MQTT';
      this.#host.refused(arrival.peer, ReasonCode.unspecifiedError, reason);
    });
    return arrival;
  }

  /** Returns false when that happened before. */
  #forget(arrival: Arrival): boolean {
    clearTimeout(arrival.timer);
    return this.#arrivals.get(arrival.endpoint) === arrival && this.#arrivals.delete(arrival.endpoint);
  }

  /**
   * Reads certificate, key and authority again and says whether there are any. Connections keep what they were opened with.
   * @throws ListenerError what the files hold cannot be used, and what they held before still is
   */
  async reloadTls(): Promise<boolean> {
    if (this.#credentials === undefined || this.#tls === undefined) return false;
    try {
      this.#tls.setSecureContext(await this.#credentials.load());
    } catch (error) {
      throw new ListenerError(`${this.#name}: ${(error as Error).message}`);
    }
    return true;
  }

  async #startTls(credentials: TlsCredentials, clientCertificate: string): Promise<void> {
    const options = await credentials.load();
    const tls = createTlsServer(
      {
        ...options,
        requestCert: clientCertificate !== 'none',
        // Checked below: Node would close without a word of the reason.
        rejectUnauthorized: false,
        handshakeTimeout: this.#limits.connectTimeout,
      },
      (socket) => this.#onSecure(socket, clientCertificate === 'required'),
    );
    tls.on('tlsClientError', (error, socket) => {
      const arrival = this.#arrivals.get(endpointOf(socket));
      if (arrival !== undefined) arrival.refusal ??= `TLS: ${error.message}`;
      socket.destroy();
    });
    this.#tls = tls;
    this.#credentials = credentials;
    credentials.watch(
      (changed) => {
        // Connections keep what they were opened with.
        tls.setSecureContext(changed);
        this.#host.credentialsChanged(this.#name);
      },
      (error) => this.#host.credentialsChanged(this.#name, error.message),
    );
  }

  #onSecure(socket: TLSSocket, certificateRequired: boolean): void {
    const arrival = this.#arrivals.get(endpointOf(socket));
    if (arrival === undefined) {
      socket.destroy();
      return;
    }
    // An empty object stands for none. One that does not verify must not pass for none.
    const { subject } = socket.getPeerCertificate();
    if (subject === undefined ? certificateRequired : !socket.authorized) {
      const fault = subject === undefined ? 'missing' : `not valid: ${socket.authorizationError}`;
      arrival.refusal = `the client's certificate is ${fault}`;
      socket.destroy();
      return;
    }
    if (typeof subject?.CN === 'string') arrival.peer.certificateName = subject.CN;
    if (this.#http !== undefined) this.#http.emit('connection', socket);
    else this.#serve(arrival, socket);
  }

  #newHttpServer(origins: readonly string[]): HttpServer {
    const acceptor = new WebSocketAcceptor(origins, this.#limits.packetSize);
    const http = createHttpServer({ maxHeaderSize: MAX_HTTP_HEADER_BYTES }, (request, response) => {
      const arrival = this.#arrivals.get(endpointOf(request.socket));
      if (arrival !== undefined) arrival.refusal = 'an HTTP request that is none for a WebSocket';
      response.writeHead(426, { Upgrade: 'websocket', Connection: 'close' }).end();
    });
    http.on('upgrade', (request, socket, head) => {
      const arrival = this.#arrivals.get(endpointOf(request.socket));
      if (arrival === undefined) {
        socket.destroy();
        return;
      }
      socket.on('error', () => {});
      arrival.refusal = acceptor.accept(request, socket, head, (stream) => {
        arrival.peer = behindReverseProxy(arrival.peer, request);
        this.#serve(arrival, stream);
      });
    });
    return http;
  }

  #serve(arrival: Arrival, stream: Duplex): void {
    this.#forget(arrival);
    this.#host.serve(stream, arrival.peer);
  }
}

function endpointOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
