import { lookup } from 'node:dns/promises';
import { type AddressInfo, BlockList, createServer, type Server, type Socket } from 'node:net';

/** Where a listener listens. */
export interface ListenerAddress {
  /** Host name or address; a name must resolve. */
  host: string;
  /** 0 for one that the system chooses. */
  port: number;
}

/** A listener cannot be opened; the message says which and why. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError';
}

const SOCKET_OPTIONS = {
  noDelay: true,
  // A peer that stops talking may still be told something.
  allowHalfOpen: true,
  // Finds peers that are gone without a word also when they gave no keep alive.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
};

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Accepts MQTT over plain TCP. */
export class TcpListener {
  readonly #address: ListenerAddress;
  readonly #accept: (socket: Socket, address: string) => void;
  #server: Server | undefined;

  constructor(address: ListenerAddress, accept: (socket: Socket, address: string) => void) {
    this.#address = address;
    this.#accept = accept;
  }

  /**
   * Starts to listen and returns the real address and port.
   * @param beyondLoopback whether other machines may connect; they need no password yet
   * @throws ListenerError the host does not resolve, is not this machine's or is beyond loopback, the port is taken or not allowed
   */
  async open(beyondLoopback: boolean): Promise<ListenerAddress> {
    const { host, port } = this.#address;
    const place = `listener ${host}:${port}`;
    // An empty host would be every interface to the system.
    if (host === '') throw new ListenerError(`${place}: the host is empty, expected an address or a name`);
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new ListenerError(`${place}: the port is not a whole number from 0 to 65535`);
    }
    const resolved = await lookup(host).catch((error: Error) => {
      throw new ListenerError(`${place}: ${error.message}`);
    });
    const family = resolved.family === 6 ? 'ipv6' : 'ipv4';
    if (!beyondLoopback && !loopback.check(resolved.address, family)) {
      throw new ListenerError(
        `${place} would be open to other machines without a password: use 127.0.0.1, or allow anonymous clients beyond loopback`,
      );
    }
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      this.#accept(socket, `${socket.remoteAddress}:${socket.remotePort}`);
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new ListenerError(`${place}: ${error.message}`)));
      server.listen(port, resolved.address, resolve);
    });
    // Accepting can fail later, for want of file descriptors: the listener goes on.
    server.on('error', () => {});
    return { host, port: (server.address() as AddressInfo).port };
  }

  /** Accepts no more; connections that it accepted go on. */
  close(): void {
    this.#server?.close();
  }
}
