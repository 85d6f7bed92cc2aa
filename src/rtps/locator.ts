/** A UDPv4 address and port. `key` is `address:port`. */
export interface Locator {
  readonly address: string;
  readonly port: number;
  readonly key: string;
}

const KIND_UDPV4 = 1;
export const LOCATOR_BYTES = 24;

export function locatorOf(address: string, port: number): Locator {
  return { address, port, key: `${address}:${port}` };
}

/** The 24 octets of a locator, little endian (RTPS 9.3.2.6): kind, port, and the address in the last four octets. */
export function encodeLocator(locator: Locator): Buffer {
  const bytes = Buffer.alloc(LOCATOR_BYTES);
  bytes.writeInt32LE(KIND_UDPV4, 0);
  bytes.writeUInt32LE(locator.port, 4);
  for (const [index, octet] of locator.address.split('.').entries()) bytes[20 + index] = Number(octet);
  return bytes;
}

/** The unicast UDPv4 locator in the octets; `undefined` for another kind (shared memory, UDPv6, TCP) or address. */
export function decodeLocator(bytes: Buffer, littleEndian: boolean): Locator | undefined {
  if (bytes.length < LOCATOR_BYTES) return undefined;
  const kind = littleEndian ? bytes.readInt32LE(0) : bytes.readInt32BE(0);
  const port = littleEndian ? bytes.readUInt32LE(4) : bytes.readUInt32BE(4);
  if (kind !== KIND_UDPV4 || port === 0 || port > 65535) return undefined;
  // Neither 0.0.0.0 nor multicast and broadcast: nobody shall turn us against a whole network.
  const first = bytes.readUInt8(20);
  if (first === 0 || first >= 224) return undefined;
  return locatorOf(bytes.subarray(20, 24).join('.'), port);
}
