import { BlockList, isIPv6 } from 'node:net';

/** Who is at the other end of a connection, as far as the network says. */
export interface Peer {
  /** `host:port`, or `in-process`. */
  address: string;
  /** IP address of the client, behind a trusted proxy the one that the proxy says; absent in process. */
  host?: string;
  /** Common name of the client's certificate, when the listener's certificate authority has signed it. */
  certificateName?: string;
  /** Bytes that may wait for it where that is to be less than the limits allow: of what it does not read more is dropped. */
  outputBytes?: number;
}

/** A connection from this process. */
export const IN_PROCESS: Peer = { address: 'in-process' };

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether only this machine can have the address; IPv4 addresses may be mapped into IPv6. */
export function isLoopback(address: string): boolean {
  return loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Whether the client is in this process or on this machine. */
export function isLocal({ host }: Peer): boolean {
  return host === undefined || isLoopback(host);
}

/** A peer of the network; IPv4 addresses that the system has mapped into IPv6 are written as what they are. */
export function networkPeer(host: string, port: number, certificateName?: string): Peer {
  const plain = host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host;
  return {
    address: `${isIPv6(plain) ? `[${plain}]` : plain}:${port}`,
    host: plain,
    ...(certificateName !== undefined && { certificateName }),
  };
}

/** The address, or of an IPv6 address its /64 network: that is the least that a single customer has. */
export function networkOf(host: string): string {
  if (!isIPv6(host)) return host;
  const [before = '', after] = host.split('::');
  const groups = before === '' ? [] : before.split(':');
  const later = after === undefined || after === '' ? [] : after.split(':');
  while (groups.length + later.length < 8) groups.push('0');
  return [...groups, ...later].slice(0, 4).join(':');
}
