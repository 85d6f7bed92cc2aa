import type { IPublishPacket } from 'mqtt';
import { kept } from './lent-bytes';

/** Bytes of messages that may wait at the gate before nothing more is read from the network. */
const MAX_BYTES = 16 * 1024 * 1024;
/** What a message holds beside its payload, about. */
const BYTES_PER_MESSAGE = 512;

/**
 * Keeps messages back, in order, while as many as are allowed are unanswered. MQTT 5 brokers are told the number, the
 * Receive Maximum, but some exceed it; older versions know none. Reading goes on meanwhile, because a listener may wait
 * for the acknowledgement of something that it publishes before it acknowledges, up to a bound of memory.
 */
export class IncomingGate {
  readonly #limit: number;
  readonly #unanswered: () => number;
  readonly #pass: (packet: IPublishPacket) => void;
  #waiting: IPublishPacket[] = [];
  #bytes = 0;
  #opening = false;

  /**
   * @param unanswered how many messages are unanswered now
   * @param pass takes a message in, after which it may count as unanswered
   */
  constructor(limit: number, unanswered: () => number, pass: (packet: IPublishPacket) => void) {
    this.#limit = limit;
    this.#unanswered = unanswered;
    this.#pass = pass;
  }

  /** Whether so much waits that nothing more should be read. */
  get full(): boolean {
    return this.#bytes > MAX_BYTES;
  }

  push(packet: IPublishPacket): void {
    if (this.#waiting.length === 0 && this.#unanswered() < this.#limit) {
      this.#pass(packet);
    } else {
      packet.payload = kept(packet.payload as Buffer);
      this.#waiting.push(packet);
      this.#bytes += bytesOf(packet);
    }
  }

  /** Something has been answered: lets through what there is room for. */
  open(): void {
    // Passing a message that is answered at once comes back here.
    if (this.#opening) return;
    this.#opening = true;
    while (this.#waiting.length > 0 && this.#unanswered() < this.#limit) {
      const [packet] = this.#waiting.splice(0, 1) as [IPublishPacket];
      this.#bytes -= bytesOf(packet);
      this.#pass(packet);
    }
    this.#opening = false;
  }

  /** The connection has ended: what waits at QoS 1 and 2 was never taken in, and is sent again; the rest passes. */
  lost(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    for (const packet of waiting) if (packet.qos === 0) this.#pass(packet);
  }
}

const bytesOf = ({ payload }: IPublishPacket): number => BYTES_PER_MESSAGE + payload.length;
