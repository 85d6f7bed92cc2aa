import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Listener, type ListenerHost, type ListenerLimits } from '../../src/broker/listeners/listener';
import type { ListenerAddress, ListenerSettings } from '../../src/broker/listeners/listener-settings';
import type { Peer } from '../../src/broker/peer';

interface ListeningEvents {
  served: [{ stream: Duplex; peer: Peer }];
  refused: [{ peer: Peer; reason: string }];
  credentials: [{ listener: string; failure: string | undefined }];
}

/** A listener without a broker: what comes out of it is an event. */
export class Listening extends EventEmitter<ListeningEvents> implements ListenerHost {
  readonly #listener: Listener;
  readonly #open = new Set<Duplex>();
  #address: ListenerAddress | undefined;
  /** Whether there is room for connections. */
  admits = true;
  readonly admitted: Peer[] = [];

  constructor(settings: Partial<ListenerSettings>, limits: Partial<ListenerLimits> = {}) {
    super();
    this.#listener = new Listener(
      { host: '127.0.0.1', port: 0, ...settings },
      { connectTimeout: 10_000, packetSize: 100_000, ...limits },
      this,
    );
  }

  static async open(
    settings: Partial<ListenerSettings>,
    limits?: Partial<ListenerLimits>,
  ): Promise<Listening> {
    const listening = new Listening(settings, limits);
    listening.#address = await listening.#listener.open(false);
    return listening;
  }

  get port(): number {
    return (this.#address as ListenerAddress).port;
  }

  async socket(): Promise<Socket> {
    const socket = connect(this.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  async served(): Promise<{ stream: Duplex; peer: Peer }> {
    const [served] = await once(this, 'served');
    return served;
  }

  /** The reason of the next refusal. */
  async refusal(): Promise<string> {
    const [{ reason }] = await once(this, 'refused');
    return reason;
  }

  close(): void {
    this.#listener.close();
    for (const stream of this.#open) stream.destroy();
  }

  admit(stream: Duplex, peer: Peer): boolean {
    this.admitted.push(peer);
    this.#open.add(stream);
    if (!this.admits) stream.destroy();
    return this.admits;
  }

  serve(stream: Duplex, peer: Peer): void {
    stream.on('error', () => {});
    this.emit('served', { stream, peer });
  }

  refused(peer: Peer, _reasonCode: number, reason: string): void {
    this.emit('refused', { peer, reason });
  }

  credentialsChanged(listener: string, failure?: string): void {
    this.emit('credentials', { listener, failure });
  }
}
