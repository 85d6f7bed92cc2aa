import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import { type HeldMemory, PACKET_ID_BYTES } from '../held-memory';
import type { Limits } from '../limits';
import type { Session } from './session';

/**
 * The QoS 2 messages of a session's client that have come and that PUBREL has not released yet, by packet identifier
 * (MQTT 5.0 section 4.3.3).
 */
export class ReceivedMessages {
  readonly #session: Session;
  readonly #limits: Limits;
  readonly #memory: HeldMemory;
  readonly #packetIds = new Set<number>();

  constructor(session: Session, limits: Limits, memory: HeldMemory) {
    this.#session = session;
    this.#limits = limits;
    this.#memory = memory;
  }

  /** Whether a message came before and its PUBREL has not: it must not be delivered again. */
  has(packetId: number): boolean {
    return this.#packetIds.has(packetId);
  }

  /** Whether a message would be one more than is open anyway while memory is short. */
  mayNotOpen(packetId: number): boolean {
    return !this.#packetIds.has(packetId) && this.#packetIds.size >= this.#limits.inFlight;
  }

  /** Takes on what the store has kept. */
  restore(packetIds: Iterable<number>): void {
    for (const packetId of packetIds) this.#packetIds.add(packetId);
    this.#memory.add(PACKET_ID_BYTES * this.#packetIds.size);
  }

  /**
   * Notes a new message.
   * @throws ProtocolError more than the Receive Maximum are open [MQTT-3.3.4-7]
   */
  add(packetId: number, receiveMaximum: number): void {
    if (this.#packetIds.size >= receiveMaximum) {
      throw new ProtocolError(
        ReasonCode.receiveMaximumExceeded,
        `more than ${receiveMaximum} QoS 2 messages are open`,
      );
    }
    this.#packetIds.add(packetId);
    this.#memory.add(PACKET_ID_BYTES);
    this.#session.stored?.received(packetId);
  }

  /** PUBREL of the client: false when no such message is open. */
  release(packetId: number): boolean {
    if (!this.#packetIds.delete(packetId)) return false;
    this.#memory.remove(PACKET_ID_BYTES);
    this.#session.stored?.released(packetId);
    // After PUBCOMP the client uses the identifier for the next message, which must not be taken for this one.
    this.#session.waitForStore();
    return true;
  }

  /** Forgets the messages that are open: who sent them has, or the session is over. */
  clear(): void {
    for (const packetId of this.#packetIds) this.#session.stored?.released(packetId);
    this.#memory.remove(PACKET_ID_BYTES * this.#packetIds.size);
    this.#packetIds.clear();
  }
}
