import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP link to a broker that the test can cut, or hold up. */
export class NetworkLink {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Those at the broker's side. */
  readonly #far = new Set<Socket>();
  #cutAfter = Number.POSITIVE_INFINITY;
  cuts = 0;

  private constructor(target: number) {
    this.#server = createServer((near) => {
      const far = connect(target, '127.0.0.1');
      this.#far.add(far);
      far.on('close', () => this.#far.delete(far));
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#open.add(from);
        from.on('data', (chunk: Buffer) => this.#pass(chunk, to));
        from.on('error', () => {});
        from.on('close', () => {
          this.#open.delete(from);
          to.destroy();
        });
      }
    });
  }

  static async to(port: number): Promise<NetworkLink> {
    const link = new NetworkLink(port);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts the link again and again, each time in the middle of a packet when so many bytes have passed. */
  cutEvery(bytes: number, times: number): void {
    this.#cutAfter = bytes;
    this.cuts = -times;
  }

  /** Keeps back what the broker sends from now on. Returns what lets it through. */
  hold(): () => void {
    const held = [...this.#far];
    for (const far of held) far.pause();
    return () => {
      for (const far of held) far.resume();
    };
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #passed = 0;
  #pass(chunk: Buffer, to: Socket): void {
    this.#passed += chunk.length;
    if (this.cuts < 0 && this.#passed > this.#cutAfter) {
      this.cuts++;
      this.#passed = 0;
      to.write(chunk.subarray(0, chunk.length >> 1), () => this.cut());
      return;
    }
    to.write(chunk);
  }
}
