import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Gateway } from './gateway';

const HEADERS_TIMEOUT = 10_000;
const REQUEST_TIMEOUT = 30_000;
const KEEP_ALIVE_TIMEOUT = 5000;
/** Connections that are not WebSockets, and those. */
const MAX_CONNECTIONS = 4096;
const MAX_HEADER_BYTES = 16 * 1024;

/** The server cannot be opened; the message says why. */
export class GatewayServerError extends Error {
  override readonly name = 'GatewayServerError';
}

export interface GatewayServerSettings {
  /** An address or a name of this machine. */
  host: string;
  /** 0 for any that is free. */
  port: number;
  /** How long a client may take for the head of a request, and for all of it, ms; against those that send a byte now and then. */
  headersTimeout?: number;
  requestTimeout?: number;
}

/** An HTTP server for a gateway alone. */
export class GatewayServer {
  readonly #gateway: Gateway;
  readonly #settings: GatewayServerSettings;
  readonly #server: Server;

  constructor(gateway: Gateway, settings: GatewayServerSettings) {
    this.#gateway = gateway;
    this.#settings = settings;
    const { headersTimeout = HEADERS_TIMEOUT, requestTimeout = REQUEST_TIMEOUT } = settings;
    this.#server = createServer({
      headersTimeout,
      requestTimeout,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      connectionsCheckingInterval: headersTimeout / 2,
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('request', (request, response) => void gateway.handle(request, response));
    this.#server.on('upgrade', (request, socket, head) => {
      if (!gateway.upgrade(this.#server, request, socket, head)) socket.destroy();
    });
  }

  /**
   * Listens. Resolves with the address and the real port.
   * @throws GatewayServerError it is open to other machines without a token, or the address cannot be had
   */
  async open(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#settings;
    if (!isLoopback(host) && !this.#gateway.hasToken) {
      throw new GatewayServerError(
        `the gateway on ${host} would be open to other machines, expected a token or a loopback address`,
      );
    }
    this.#server.listen(port, host);
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code === 'EADDRINUSE' ? 'the port is in use' : message;
      throw new GatewayServerError(`the gateway cannot listen on ${host} port ${port}: ${reason}`);
    }
    const address = this.#server.address() as AddressInfo;
    return { host: address.address, port: address.port };
  }

  /** Closes the gateway, too. Resolves when nobody is connected any more. */
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined;
    // Before the gateway ends its WebSockets: some come back at once.
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#gateway.close();
    await closed;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
