import { networkInterfaces } from 'node:os';

/** The IPv4 addresses of this host. */
export class HostInterfaces {
  #addresses = new Map<
    string,
    { readonly network: number; readonly mask: number; readonly loopback: boolean }
  >();

  constructor() {
    this.refresh();
  }

  /** Reads them anew: interfaces come and go. */
  refresh(): void {
    this.#addresses = new Map(
      Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ family }) => family === 'IPv4')
        .map(({ address, netmask, internal }) => {
          const mask = toNumber(netmask);
          return [address, { network: (toNumber(address) & mask) >>> 0, mask, loopback: internal }];
        }),
    );
  }

  /** All addresses, those that other hosts can reach first. */
  get addresses(): string[] {
    const all = [...this.#addresses];
    return [
      ...all.filter(([, { loopback }]) => !loopback),
      ...all.filter(([, { loopback }]) => loopback),
    ].map(([address]) => address);
  }

  /** Whether a datagram from or to this address does not leave the host. */
  isOwn(address: string): boolean {
    return isLoopback(address) || this.#addresses.has(address);
  }

  /** Whether an interface of this host is on the address's network. */
  isNeighbour(address: string): boolean {
    const number = toNumber(address);
    return [...this.#addresses.values()].some(({ network, mask }) => (number & mask) >>> 0 === network);
  }
}

export function isLoopback(address: string): boolean {
  return address.startsWith('127.');
}

function toNumber(address: string): number {
  return address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
}
