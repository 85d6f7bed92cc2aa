import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv4 } from 'node:net';
import { freeMemory } from '../memory/free-memory';
import { HostInterfaces, isLoopback } from './host-interfaces';
import { type Locator, locatorOf } from './locator';
import type { MessageSender } from './outbox';
import {
  maxParticipantIndex,
  metatrafficMulticastPort,
  metatrafficUnicastPort,
  userUnicastPort,
} from './port-mapping';
import { ReceiveBuffer } from './receive-buffer';
import type { Statistics } from './statistics';

/**
 * How far discovery reaches: `off`: not at all; `localhost`: participants on this host, nothing leaves it except
 * towards configured peers; `subnet`: what multicast reaches.
 */
export type DiscoveryRange = 'off' | 'localhost' | 'subnet';

export interface TransportOptions {
  readonly domain: number;
  readonly range: DiscoveryRange;
  /** IPv4 addresses of this host; all of them when empty. */
  readonly interfaces: readonly string[];
  /** IPv4 addresses, each with or without `:port`. */
  readonly peers: readonly string[];
  /** An IPv4 address that is told before those of this host. */
  readonly advertisedAddress?: string | undefined;
}

export interface TransportListener {
  /** Returns whether a part of it is used afterwards. */
  datagram(datagram: Buffer): boolean;
  /** Something that the user can repair, in words. */
  warning(text: string): void;
}

/** A participant's interface, peer or advertised address is not an IPv4 address, or no participant index is free. */
export class TransportError extends Error {
  override name = 'TransportError';
}

const MULTICAST_GROUP = '239.255.0.1';
/** Fast DDS regards only the first four unicast locators. */
const MAX_LOCATORS = 4;
/** Participant indexes of a host that are tried where multicast may not reach it. */
const PROBED_INDEXES = 32;
/** More than this waiting in a socket is given up: its network does not take it. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;
/** Cyclone DDS's max_msg_size; over loopback larger datagrams are no faster. */
const LOCAL_BATCH_BYTES = 14_720;
/** Fewer datagrams are faster; Fast DDS drops those of more than 65,500 octets. */
const LOCAL_MESSAGE_BYTES = 60_000;
/** Fits an Ethernet frame also inside a tunnel: an IP fragment lost would lose all of a larger one. */
const REMOTE_BATCH_BYTES = 1400;

/**
 * The sockets of a participant: one to receive multicast announcements, one per interface to send them, and two at
 * the well-known unicast ports of the first free participant index, for discovery and for user data.
 */
export class UdpTransport implements MessageSender {
  readonly #options: TransportOptions;
  readonly #listener: TransportListener;
  readonly #statistics: Statistics;
  readonly #host = new HostInterfaces();
  readonly #peers: ReadonlyArray<{ readonly address: string; readonly port: number | undefined }>;
  /** By the interface's address. */
  readonly #announcers = new Map<string, Socket>();
  readonly #refusedInterfaces = new Set<string>();
  #multicast: Socket | undefined;
  #metatraffic: Socket | undefined;
  #user: Socket | undefined;
  #userBuffer: ReceiveBuffer | undefined;
  #hasToldOverrun = false;
  #participantIndex = 0;
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #sending = 0;
  #sent: (() => void) | undefined;
  #closed = false;

  /** @throws TransportError for an interface, peer or advertised address that is not an IPv4 address. */
  constructor(options: TransportOptions, listener: TransportListener, statistics: Statistics) {
    this.#options = options;
    this.#listener = listener;
    this.#statistics = statistics;
    for (const address of options.interfaces)
      if (!isIPv4(address))
        throw new TransportError(`interface ${JSON.stringify(address)}: expected an IPv4 address`);
    const { advertisedAddress } = options;
    if (advertisedAddress !== undefined && !isIPv4(advertisedAddress))
      throw new TransportError(
        `advertised address ${JSON.stringify(advertisedAddress)}: expected an IPv4 address`,
      );
    this.#peers = options.peers.map(parsePeer);
  }

  /** Binds the sockets. Without effect when the range is `off`. @throws TransportError when all indexes are taken */
  open(): Promise<void> {
    this.#opening = this.#options.range === 'off' ? Promise.resolve() : this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    await this.#bindUnicast();
    this.#multicast = this.#socket(true);
    await bind(this.#multicast, metatrafficMulticastPort(this.#options.domain), '0.0.0.0');
    await Promise.all(this.#interfaces().map((address) => this.#addInterface(address)));
    const fault = this.#userBuffer?.fault;
    if (fault !== undefined) this.#listener.warning(fault);
    this.#isOpen = true;
  }

  /** Waits for what is being opened and sent, then closes the sockets. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening?.catch(() => {});
    if (this.#sending > 0) await new Promise<void>((resolve) => (this.#sent = resolve));
    const sockets = [this.#metatraffic, this.#user, this.#multicast, ...this.#announcers.values()];
    this.#announcers.clear();
    this.#metatraffic = this.#user = this.#multicast = undefined;
    this.#userBuffer = undefined;
    await Promise.all(sockets.filter((socket) => socket !== undefined).map(closeSocket));
  }

  /** Where others reach us for discovery, the most useful first. */
  get metatrafficLocators(): Locator[] {
    return this.#locators(metatrafficUnicastPort(this.#options.domain, this.#participantIndex));
  }

  /** Where others reach us with user data. */
  get userLocators(): Locator[] {
    return this.#locators(userUnicastPort(this.#options.domain, this.#participantIndex));
  }

  /** Of a remote participant's locators the one to use; `undefined` when none lies within the range. */
  choose(locators: readonly Locator[]): Locator | undefined {
    const onOtherHost = locators.some(({ address }) => !this.#host.isOwn(address));
    const onThisHost = locators.some(({ address }) => !isLoopback(address) && this.#host.isOwn(address));
    const reachable = locators.filter(
      ({ address }) => this.#isInRange(address) && !(isLoopback(address) && onOtherHost && !onThisHost),
    );
    return (
      reachable.find(({ address }) => this.#host.isOwn(address)) ??
      reachable.find(({ address }) => this.#host.isNeighbour(address)) ??
      reachable[0]
    );
  }

  /**
   * Whether who is there could reach us at what is told at present: not on another host while only loopback addresses
   * are. A link carries datagrams before the system lists its interface as running, up to seconds on Wi-Fi.
   */
  canAnswer({ address }: Locator): boolean {
    return this.#host.isOwn(address) || this.metatrafficLocators.some((own) => !isLoopback(own.address));
  }

  batchBytes(locator: Locator): number {
    return this.#host.isOwn(locator.address) ? LOCAL_BATCH_BYTES : REMOTE_BATCH_BYTES;
  }

  messageBytes(locator: Locator): number {
    return this.#host.isOwn(locator.address) ? LOCAL_MESSAGE_BYTES : REMOTE_BATCH_BYTES;
  }

  /** Small datagrams take more than twice their size in a socket's buffer. */
  get requestBytes(): number {
    return (this.#userBuffer?.bytes ?? 0) / 4;
  }

  /** Samples were lost: warns, once, where they were lost here because they were not read in time. */
  checkOverrun(): void {
    if (this.#hasToldOverrun) return;
    const overrun = this.#userBuffer?.overrun;
    if (overrun === undefined) return;
    this.#hasToldOverrun = true;
    this.#listener.warning(overrun);
  }

  send(message: Buffer, locator: Locator, sent: () => void): void {
    this.#send(this.#user, message, locator, sent);
  }

  /** Takes up interfaces that have come, and gives up those that are gone: to be done before the locators are told. */
  refreshInterfaces(): void {
    if (!this.#isOpen) return;
    this.#host.refresh();
    const present = new Set(this.#interfaces());
    for (const [address, socket] of this.#announcers) {
      if (present.has(address)) continue;
      this.#announcers.delete(address);
      socket.close();
      try {
        // The system keeps it over the absence of the interface, and would refuse it as a second one afterwards.
        this.#multicast?.dropMembership(MULTICAST_GROUP, address);
      } catch {
        // The system has dropped it with the interface.
      }
    }
    for (const address of this.#refusedInterfaces)
      if (!present.has(address)) this.#refusedInterfaces.delete(address);
    for (const address of present)
      if (!this.#announcers.has(address) && !this.#refusedInterfaces.has(address))
        void this.#addInterface(address);
  }

  /**
   * Sends to whoever may be there: multicast on every interface, the configured peers and, where the range is this
   * host, its well-known ports, because multicast may be off on the loopback interface.
   */
  announce(message: Buffer): void {
    if (!this.#isOpen) return;
    const { domain, range } = this.#options;
    const group = locatorOf(MULTICAST_GROUP, metatrafficMulticastPort(domain));
    for (const socket of this.#announcers.values()) this.#send(socket, message, group, () => {});
    if (range === 'localhost') this.#probe('127.0.0.1', message);
    for (const { address, port } of this.#peers) {
      if (!this.canAnswer(locatorOf(address, port ?? 0))) continue;
      if (port === undefined) this.#probe(address, message);
      else this.send(message, locatorOf(address, port), () => {});
    }
  }

  #probe(address: string, message: Buffer): void {
    const { domain } = this.#options;
    const last = Math.min(PROBED_INDEXES - 1, maxParticipantIndex(domain));
    for (let index = 0; index <= last; index++)
      this.send(message, locatorOf(address, metatrafficUnicastPort(domain, index)), () => {});
  }

  #send(socket: Socket | undefined, message: Buffer, locator: Locator, sent: () => void): void {
    if (socket === undefined || socket.getSendQueueSize() > MAX_QUEUED_BYTES) {
      this.#statistics.datagramsUnsent++;
      sent();
      return;
    }
    this.#sending++;
    socket.send(message, locator.port, locator.address, (error) => {
      if (error === null) this.#statistics.datagramsSent++;
      else this.#statistics.datagramsUnsent++;
      sent();
      if (--this.#sending === 0) this.#sent?.();
    });
  }

  async #bindUnicast(): Promise<void> {
    const { domain } = this.#options;
    const address = this.#isLoopbackOnly() ? '127.0.0.1' : '0.0.0.0';
    for (let index = 0; index <= maxParticipantIndex(domain); index++) {
      const metatraffic = this.#socket(false);
      const user = this.#socket(false);
      try {
        await bind(metatraffic, metatrafficUnicastPort(domain, index), address);
        await bind(user, userUnicastPort(domain, index), address);
        this.#metatraffic = metatraffic;
        this.#user = user;
        this.#userBuffer = new ReceiveBuffer(user);
        this.#participantIndex = index;
        return;
      } catch (error) {
        await Promise.all([closeSocket(metatraffic), closeSocket(user)]);
        // Windows says EACCES where another program holds the port for itself.
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
      }
    }
    throw new TransportError(`domain ${domain}: all participant indexes of this host are in use`);
  }

  #socket(shared: boolean): Socket {
    const socket = createSocket({
      type: 'udp4',
      reuseAddr: shared,
      // Destinations are addresses; the default would ask the resolver for each datagram.
      lookup: (address, _options, callback) => callback(null, address, 4),
    });
    socket.on('message', (datagram: Buffer, source: RemoteInfo) => {
      if (this.#closed) return;
      if (!this.#isInRange(source.address)) this.#statistics.datagramsOutOfRange++;
      else if (!this.#listener.datagram(datagram)) freeMemory(datagram);
    });
    return socket;
  }

  async #addInterface(address: string): Promise<void> {
    const socket = this.#socket(false);
    this.#announcers.set(address, socket);
    try {
      this.#multicast?.addMembership(MULTICAST_GROUP, address);
      await bind(socket, 0, address);
      socket.setMulticastInterface(address);
      socket.setMulticastTTL(this.#options.range === 'localhost' ? 0 : 1);
      socket.setMulticastLoopback(true);
    } catch (error) {
      // Not there any more: it was closed meanwhile.
      if (!this.#announcers.delete(address)) return;
      await closeSocket(socket);
      if (this.#refusedInterfaces.has(address)) return;
      this.#refusedInterfaces.add(address);
      this.#listener.warning(`no multicast on interface ${address}: ${(error as Error).message}`);
    }
  }

  /** The addresses of the interfaces in use that exist at present. */
  #interfaces(): string[] {
    const { interfaces } = this.#options;
    return this.#host.addresses.filter((address) => interfaces.length === 0 || interfaces.includes(address));
  }

  #locators(port: number): Locator[] {
    const addresses = this.#interfaces();
    const routable = addresses.filter((address) => !isLoopback(address));
    const loopback = addresses.filter(isLoopback);
    const ordered =
      this.#options.range === 'localhost' || routable.length === 0 ? [...loopback, ...routable] : routable;
    const { advertisedAddress } = this.#options;
    const told = new Set(advertisedAddress === undefined ? ordered : [advertisedAddress, ...ordered]);
    return [...told].slice(0, MAX_LOCATORS).map((address) => locatorOf(address, port));
  }

  #isLoopbackOnly(): boolean {
    const { interfaces } = this.#options;
    return interfaces.length > 0 && interfaces.every(isLoopback);
  }

  #isInRange(address: string): boolean {
    if (this.#options.range === 'subnet' && !this.#isLoopbackOnly()) return true;
    return this.#host.isOwn(address) || this.#peers.some((peer) => peer.address === address);
  }
}

function parsePeer(peer: string): { address: string; port: number | undefined } {
  const [address = '', port] = peer.split(':', 2);
  const number = port === undefined ? undefined : Number(port);
  const valid = number === undefined || (Number.isInteger(number) && number >= 1 && number <= 65535);
  if (!isIPv4(address) || !valid || peer.split(':').length > 2)
    throw new TransportError(`peer ${JSON.stringify(peer)}: expected an IPv4 address, with or without :port`);
  return { address, port: number };
}

function bind(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port, address, exclusive: true }, () => {
      socket.off('error', reject);
      // Later errors concern single datagrams (a port unreachable); sending counts them.
      socket.on('error', () => {});
      new ReceiveBuffer(socket).enlarge();
      resolve();
    });
  });
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(resolve));
}
