import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodePacket } from '../../src/broker/codec/packet';
import type { ProtocolVersion, QoS } from '../../src/broker/codec/packet-type';

/** One shape of traffic; every message has the same size. */
export interface LoadCase {
  name: string;
  version: ProtocolVersion;
  qos: QoS;
  publishers: number;
  subscribers: number;
  /** Messages that one publisher may have under way; at QoS 2 mosquitto all but stops at more than 20. */
  window: number;
}

const PAYLOAD = Buffer.alloc(100, 'x');
const TOPIC = 'bench/topic';

async function open(port: number, { version }: LoadCase): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const properties = {};
  socket.write(
    encodePacket(
      { type: 'connect', protocolVersion: version, clientId: '', cleanStart: true, keepAlive: 0, properties },
      version,
    ),
  );
  await once(socket, 'data');
  return socket;
}

/** Cuts what a socket receives into packets: their first byte, and where the body begins. */
function eachPacket(
  socket: Socket,
  take: (header: number, bytes: Buffer, body: number, end: number) => void,
): void {
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
    rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      // All packets of this load are shorter than 16 kB.
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

/** Answers gathered while a chunk is handled and written at once. */
class Answers {
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

/** Publishes as fast as its window allows; `freed` counts what need not be waited for any longer. */
class Publisher {
  readonly #socket: Socket;
  readonly #load: LoadCase;
  readonly #message: Buffer;
  readonly #idOffset: number;
  #packetId = 0;
  #open = 0;

  constructor(socket: Socket, load: LoadCase) {
    this.#socket = socket;
    this.#load = load;
    const { qos, version } = load;
    this.#message = encodePacket(
      {
        type: 'publish',
        topic: TOPIC,
        payload: PAYLOAD,
        qos,
        dup: false,
        retain: false,
        packetId: qos > 0 ? 1 : 0,
        properties: {},
      },
      version,
    );
    this.#idOffset = 2 + 2 + TOPIC.length;
    if (qos > 0) {
      const answers = new Answers(socket);
      eachPacket(socket, (header, bytes, body) => {
        if (header >> 4 === 5) answers.add(0x62, bytes[body] as number, bytes[body + 1] as number);
        else this.freed(1);
      });
    }
  }

  freed(count: number): void {
    this.#open -= count;
    // Half a window at a time, so that batches form as they do where there is much to send.
    if (this.#open <= this.#load.window / 2) this.fill();
  }

  fill(): void {
    const count = this.#load.window - this.#open;
    if (count <= 0 || this.#socket.destroyed) return;
    this.#open += count;
    const size = this.#message.length;
    const batch = Buffer.allocUnsafe(size * count);
    for (let index = 0; index < count; index++) {
      this.#message.copy(batch, index * size);
      if (this.#load.qos === 0) continue;
      this.#packetId = (this.#packetId % 65_535) + 1;
      batch.writeUInt16BE(this.#packetId, index * size + this.#idOffset);
    }
    this.#socket.write(batch);
  }
}

/**
 * Puts a load on the broker at this port.
 * @param measure is called when the load is running; the messages delivered until its promise resolves are counted
 */
export async function putLoad(
  port: number,
  load: LoadCase,
  measure: () => Promise<void>,
): Promise<{ delivered: number; seconds: number }> {
  let delivered = 0;
  const sockets: Socket[] = [];
  const publishers: Publisher[] = [];
  for (let index = 0; index < load.subscribers; index++) {
    const socket = await open(port, load);
    sockets.push(socket);
    const request = { filter: TOPIC, qos: load.qos, noLocal: false, retainAsPublished: false };
    socket.write(
      encodePacket(
        {
          type: 'subscribe',
          packetId: 1,
          subscriptions: [{ ...request, retainHandling: 0 }],
          properties: {},
        },
        load.version,
      ),
    );
    await once(socket, 'data');
    const answers = new Answers(socket);
    const idOffset = 2 + TOPIC.length;
    let heard = 0;
    eachPacket(socket, (header, bytes, body) => {
      if (header >> 4 === 6) {
        answers.add(0x70, bytes[body] as number, bytes[body + 1] as number);
        return;
      }
      delivered++;
      if (load.qos > 0) {
        const at = body + idOffset;
        answers.add(load.qos === 1 ? 0x40 : 0x50, bytes[at] as number, bytes[at + 1] as number);
      } else if (index === 0) {
        // Nothing is acknowledged at QoS 0: what the first subscriber hears opens the publishers' windows.
        publishers[heard++ % publishers.length]?.freed(1);
      }
    });
  }
  for (let index = 0; index < load.publishers; index++) {
    const socket = await open(port, load);
    sockets.push(socket);
    publishers.push(new Publisher(socket, load));
  }
  for (const publisher of publishers) publisher.fill();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = delivered;
  const start = performance.now();
  await measure();
  const result = { delivered: delivered - before, seconds: (performance.now() - start) / 1000 };
  await Promise.all(
    sockets.map((socket) => {
      const closed = once(socket, 'close');
      socket.destroy();
      return closed;
    }),
  );
  return result;
}
