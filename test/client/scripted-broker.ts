import { createServer, type Server, type Socket } from 'node:net';

/** One MQTT control packet as it came: type (high nibble), flags (low nibble), body without the fixed header. */
export interface RawPacket {
  type: number;
  flags: number;
  body: Buffer;
}

export const CONNECT = 1;
export const PUBLISH = 3;
export const SUBSCRIBE = 8;
export const UNSUBSCRIBE = 10;

/** Builds a packet whose body is shorter than 128 bytes. */
export const packet = (type: number, flags: number, ...body: (number | Buffer)[]): Buffer => {
  const bytes = Buffer.concat(body.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)));
  return Buffer.concat([Buffer.from([(type << 4) | flags, bytes.length]), bytes]);
};

export const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
};

/** The client id of a CONNECT packet (MQTT 5 with no or one byte of properties' length). */
export const clientIdOf = ({ body }: RawPacket): string => {
  const version = body[6];
  const start = version === 5 ? 11 + (body[10] ?? 0) : 10;
  return body.subarray(start + 2, start + 2 + body.readUInt16BE(start)).toString();
};

/** A TCP server that answers each packet as the test says: for what no well-behaved broker can be made to do. */
export class ScriptedBroker {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly received: RawPacket[] = [];
  #wake: (() => void)[] = [];

  private constructor(answer: (packet: RawPacket, socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      let buffered = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        buffered = Buffer.concat([buffered, chunk]);
        for (;;) {
          const length = buffered[1];
          // Scripts keep packets below 128 bytes: one byte of remaining length.
          if (length === undefined || buffered.length < 2 + length) return;
          const first = buffered[0] ?? 0;
          const received = { type: first >> 4, flags: first & 15, body: buffered.subarray(2, 2 + length) };
          buffered = buffered.subarray(2 + length);
          this.received.push(received);
          answer(received, socket);
          for (const wake of this.#wake.splice(0)) wake();
        }
      });
    });
  }

  static async start(answer: (packet: RawPacket, socket: Socket) => void): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(answer);
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve));
    return broker;
  }

  get url(): string {
    const address = this.#server.address();
    return `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  }

  of(type: number): RawPacket[] {
    return this.received.filter((received) => received.type === type);
  }

  async until(passes: (broker: this) => boolean): Promise<void> {
    while (!passes(this)) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
