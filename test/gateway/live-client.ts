import { once } from 'node:events';
import type { Socket } from 'node:net';
import WebSocket from 'ws';

/** A WebSocket client that keeps what it is sent. */
export class LiveClient {
  // biome-ignore lint/suspicious/noExplicitAny: JSON, which the tests look into
  readonly events: any[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: (() => void)[] = [];

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.events.push(JSON.parse(String(data)));
      for (const wake of this.#wake.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    socket.on('error', () => {});
  }

  /** Resolves when it is open. */
  static async open(url: string, options: WebSocket.ClientOptions = {}): Promise<LiveClient> {
    const client = new LiveClient(new WebSocket(url, options));
    await once(client.socket, 'open');
    return client;
  }

  /** Resolves when there are so many events of a type. */
  async until(type: string, count = 1): Promise<typeof this.events> {
    for (;;) {
      const found = this.events.filter((event) => event.type === type);
      if (found.length >= count) return found;
      await this.next();
    }
  }

  /** Resolves at the next event. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  /** The payloads of the messages. */
  get payloads(): unknown[] {
    return this.events.filter(({ type }) => type === 'message').map(({ payload }) => payload);
  }

  /** Stops and goes on reading from the network. */
  get network(): Socket {
    return (this.socket as unknown as { _socket: Socket })._socket;
  }

  async close(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

/** What a request to upgrade is answered with where it is refused. */
export async function refusal(
  url: string,
  options: WebSocket.ClientOptions = {},
): Promise<{ status: number; code: string; message: string }> {
  const socket = new WebSocket(url, options);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const { error } = JSON.parse(String(Buffer.concat(chunks)));
  return { status: response.statusCode, ...error };
}
