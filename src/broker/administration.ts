import type { Broker } from './broker';
import { PacketFramer } from './codec/packet-framer';
import { ProtocolError } from './codec/protocol-error';
import { PublishView } from './codec/publish-packet';

/** Largest packet that MQTT has, with its fixed header. */
const LARGEST_PACKET = 268_435_460;

export interface DisconnectRequest {
  clientId: string;
  /** In words, for an MQTT 5 client and the broker's events. */
  reason: string;
  /** Whether its session ends as well, also where the client is away. */
  endSession: boolean;
}

/** What a disconnect found. */
export interface DisconnectAnswer {
  /** The client was connected. */
  disconnected: boolean;
  /** Its session ended as well. */
  sessionEnded: boolean;
}

interface Waiting {
  position: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** What the application that the broker runs in can ask of it, in one argument and one answer that can cross threads. */
export interface AdministrationCalls {
  /**
   * Publishes messages and resolves when those that must be kept are: as durable as one that a client gets acknowledged.
   * @param packets MQTT 5 PUBLISH packets, one after the other
   * @returns for each packet why it was not published, or `undefined`
   */
  publish(packets: ArrayBuffer): Promise<Array<string | undefined>>;
  /** Disconnects a client, which publishes its will. */
  disconnect(request: DisconnectRequest): Promise<DisconnectAnswer>;
}

/**
 * Executes what the application asks, as durable as what a client asks: an answer waits for the store, and fails with the
 * reason when the store does.
 */
export class Administration implements AdministrationCalls {
  readonly #broker: Broker;
  readonly #view = new PublishView();
  /** Waits for the store, in the order of positions. */
  #waiting: Waiting[] = [];

  /** @param broker its store tells changes to `storeChanged` */
  constructor(broker: Broker) {
    this.#broker = broker;
  }

  async publish(packets: ArrayBuffer): Promise<Array<string | undefined>> {
    const faults: Array<string | undefined> = [];
    const framer = new PacketFramer(LARGEST_PACKET, (_header, bytes, packetStart, start, end) => {
      faults.push(this.#publish(bytes, packetStart, start, end));
      return true;
    });
    framer.push(Buffer.from(packets));
    await this.#kept();
    return faults;
  }

  async disconnect({ clientId, reason, endSession }: DisconnectRequest): Promise<DisconnectAnswer> {
    const broker = this.#broker;
    const hadSession = broker.hasSession(clientId);
    const disconnected = broker.endClient(clientId, reason);
    if (endSession) broker.endSession(clientId, broker.store.clock());
    await this.#kept();
    return { disconnected, sessionEnded: hadSession && !broker.hasSession(clientId) };
  }

  /** The broker's store has made changes durable, or has failed. */
  storeChanged(): void {
    const { durable, fault } = this.#broker.store;
    this.#waiting = this.#waiting.filter(({ position, resolve, reject }) => {
      if (position <= durable) resolve();
      else if (fault !== undefined) reject(notKept(fault));
      else return true;
      return false;
    });
  }

  #publish(bytes: Buffer, packetStart: number, start: number, end: number): string | undefined {
    const size = end - packetStart;
    const { packetSize } = this.#broker.limits;
    if (size > packetSize) return `a packet of ${size} bytes is larger than the limit of ${packetSize}`;
    try {
      this.#view.parse(bytes, packetStart, start, end, true);
      this.#broker.publishOwn(this.#view, this.#broker.store.clock());
      return undefined;
    } catch (error) {
      if (error instanceof ProtocolError) return error.message;
      throw error;
    }
  }

  #kept(): Promise<void> {
    const { store } = this.#broker;
    store.commit();
    const { position, durable, fault } = store;
    if (position <= durable) return Promise.resolve();
    if (fault !== undefined) return Promise.reject(notKept(fault));
    return new Promise((resolve, reject) => this.#waiting.push({ position, resolve, reject }));
  }
}

function notKept(fault: string): Error {
  return new Error(`what was asked is done, but cannot be kept: ${fault}`);
}
