import { BlockList, isIP, type Socket } from 'node:net';
import { ListenerError } from './listener-settings';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const FIXED_BYTES = 16;
/** Addresses take 36 bytes at most; the rest is for additions such as what the proxy knows of the client's TLS. */
const MAX_VARIABLE_BYTES = 2048;

/** Whom a proxy speaks for. */
export interface ProxiedClient {
  host: string;
  port: number;
}

/**
 * The addresses and networks from which a PROXY protocol header is believed.
 * @throws ListenerError one of them is no address or network
 */
export function proxyList(proxies: readonly string[]): BlockList {
  const list = new BlockList();
  for (const proxy of proxies) {
    const [address = '', prefix, ...rest] = proxy.split('/');
    const family = isIP(address);
    const longest = family === 6 ? 128 : 32;
    const length = prefix === undefined ? longest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (family === 0 || length < 0 || length > longest || rest.length > 0) {
      throw new ListenerError(`proxy "${proxy}" is no address or network such as 192.0.2.1 or 10.0.0.0/8`);
    }
    list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

/**
 * Reads a PROXY protocol v2 header (haproxy.org, proxy-protocol.txt section 2.2) and leaves what follows in the socket.
 * Returns `undefined` when the proxy speaks for itself, as it does to see whether we live. The caller ends the wait by
 * closing the socket.
 * @throws Error what comes is no such header, or the connection is closed before its end
 */
export async function readProxyHeader(socket: Socket): Promise<ProxiedClient | undefined> {
  const fixed = await readExactly(socket, FIXED_BYTES);
  if (!fixed.subarray(0, 12).equals(SIGNATURE)) throw new Error('no PROXY protocol v2 header');
  const versionAndCommand = fixed[12] as number;
  const family = fixed[13] as number;
  const length = fixed.readUInt16BE(14);
  if (versionAndCommand >> 4 !== 2 || (versionAndCommand & 15) > 1) {
    throw new Error(`PROXY protocol version and command 0x${versionAndCommand.toString(16)} are not known`);
  }
  if (length > MAX_VARIABLE_BYTES) {
    throw new Error(
      `PROXY protocol header of ${length} bytes is longer than the limit of ${MAX_VARIABLE_BYTES}`,
    );
  }
  const variable = length === 0 ? Buffer.alloc(0) : await readExactly(socket, length);
  if ((versionAndCommand & 15) === 0) return undefined;
  if (family === 0x11 && length >= 12) {
    return { host: variable.subarray(0, 4).join('.'), port: variable.readUInt16BE(8) };
  }
  if (family === 0x21 && length >= 36) return { host: ipv6Text(variable), port: variable.readUInt16BE(32) };
  throw new Error(
    `PROXY protocol address family 0x${family.toString(16)} with ${length} bytes is no TCP client`,
  );
}

function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  // The shortest form, as the system writes it for other connections.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function readExactly(socket: Socket, count: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      socket.off('readable', look).off('end', gone).off('close', gone);
      settle();
    };
    const gone = () => finish(() => reject(new Error('closed before the end of its PROXY protocol header')));
    const look = () => {
      const bytes: Buffer | null = socket.read(count);
      // At the end of the stream `read` returns what is left.
      if (bytes !== null) finish(() => (bytes.length === count ? resolve(bytes) : gone()));
    };
    socket.on('readable', look).on('end', gone).on('close', gone);
    look();
  });
}
