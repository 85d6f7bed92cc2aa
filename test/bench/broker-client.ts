import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ProtocolVersion, QoS } from '../../src/broker/codec/packet-type';
import { encodePacket } from '../broker/codec/any-packet';

/** A clean session on a raw socket: a client library would cost more than the broker does. */
export async function openClient(port: number, version: ProtocolVersion): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const connection = { protocolVersion: version, clientId: '', cleanStart: true, keepAlive: 0 };
  socket.write(encodePacket({ type: 'connect', ...connection, properties: {} }, version));
  await once(socket, 'data');
  return socket;
}

export async function subscribe(
  socket: Socket,
  filters: readonly string[],
  qos: QoS,
  version: ProtocolVersion,
): Promise<void> {
  const options = { qos, noLocal: false, retainAsPublished: false, retainHandling: 0 as const };
  const subscriptions = filters.map((filter) => ({ filter, ...options }));
  socket.write(encodePacket({ type: 'subscribe', packetId: 1, subscriptions, properties: {} }, version));
  await once(socket, 'data');
}

export function encodeMessage(
  topic: string,
  payload: Buffer,
  qos: QoS,
  packetId: number,
  version: ProtocolVersion,
): Buffer {
  const flags = { dup: false, retain: false, properties: {} };
  return encodePacket({ type: 'publish', topic, payload, qos, packetId, ...flags }, version);
}

export async function closeAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map((socket) => {
      const closed = once(socket, 'close');
      socket.destroy();
      return closed;
    }),
  );
}

/** Cuts what a socket receives into packets: their first byte, and where the body begins and ends. */
export function eachPacket(
  socket: Socket,
  take: (header: number, bytes: Buffer, body: number, end: number) => void,
): void {
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      // All packets of these loads are shorter than 16 kB.
      const first = bytes[at + 1];
      const long = first !== undefined && first > 127;
      const second = bytes[at + 2];
      if (first === undefined || (long && second === undefined)) break;
      const body = at + (long ? 3 : 2);
      const end = body + (long ? (first & 127) + ((second as number) << 7) : first);
      if (end > bytes.length) break;
      take(bytes[at] as number, bytes, body, end);
      at = end;
    }
    if (at < bytes.length) rest = bytes.subarray(at);
  });
}

/** Acknowledgements gathered while a chunk is handled and written at once. */
export class Answers {
  readonly #socket: Socket;
  #bytes = Buffer.allocUnsafe(256 * 1024);
  #used = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  add(header: number, high: number, low: number): void {
    if (this.#used === 0) setImmediate(() => this.#flush());
    if (this.#used + 4 > this.#bytes.length) this.#flush();
    const bytes = this.#bytes;
    bytes[this.#used++] = header;
    bytes[this.#used++] = 2;
    bytes[this.#used++] = high;
    bytes[this.#used++] = low;
  }

  #flush(): void {
    this.#socket.write(this.#bytes.subarray(0, this.#used));
    this.#bytes = Buffer.allocUnsafe(256 * 1024);
    this.#used = 0;
  }
}
