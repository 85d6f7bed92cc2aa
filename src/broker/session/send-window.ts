import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import type { OutgoingMessage } from './outgoing-queue';

/**
 * The QoS 1 and 2 messages in flight towards a client, in the order they were first sent: their packet identifiers
 * (MQTT 5.0 section 2.2.1), which of them are sent again after a reconnect (section 4.4), and how many more may be sent
 * before one is acknowledged (section 4.9).
 */
export class SendWindow {
  readonly #messages = new Map<number, OutgoingMessage>();
  /** What was in flight when the client came back and is still to be sent again. */
  #resend: OutgoingMessage[] = [];
  #lastPacketId = 0;
  /** PUBLISH packets that may still be sent before one is acknowledged. */
  #quota = 0;
  #initialQuota = 0;
  #mostInFlight = 0;

  /** Messages that the client has got and not acknowledged to the end. */
  get size(): number {
    return this.#messages.size;
  }

  /** Whether a message may be sent for the first time. */
  get maySend(): boolean {
    return this.#quota > 0 && this.#messages.size < this.#mostInFlight;
  }

  /** Whether messages in flight are still to be sent again, before any other [MQTT-4.6.0-1]. */
  get resending(): boolean {
    return this.#resend.length > 0;
  }

  /** Whether one of them may be sent now. */
  get maySendAgain(): boolean {
    return this.#quota > 0;
  }

  values(): IterableIterator<OutgoingMessage> {
    return this.#messages.values();
  }

  /**
   * The message that an acknowledgement is for; absent when it was acknowledged before [MQTT-4.3.2-5]: the identifier
   * may be free for long.
   * @throws ProtocolError the message is of another QoS, or PUBREC has to come before
   */
  answered(packet: 'PUBACK' | 'PUBREC' | 'PUBCOMP', packetId: number): OutgoingMessage | undefined {
    const outgoing = this.#messages.get(packetId);
    if (outgoing === undefined) return undefined;
    const right =
      packet === 'PUBCOMP' ? outgoing.message === undefined : outgoing.qos === (packet === 'PUBACK' ? 1 : 2);
    if (!right) throw wrongAcknowledgement(packet, outgoing);
    return outgoing;
  }

  /** For a client that has just connected: nothing has been sent to it on this connection. */
  open(receiveMaximum: number, mostInFlight: number): void {
    this.#mostInFlight = mostInFlight;
    this.#initialQuota = Math.min(receiveMaximum, mostInFlight);
    this.#quota = this.#initialQuota;
    this.#resend = [...this.#messages.values()].filter(({ message }) => message !== undefined);
  }

  /** The client is gone. */
  close(): void {
    this.#resend = [];
  }

  /** A message that was in flight before a restart. */
  restore(outgoing: OutgoingMessage): void {
    this.#messages.set(outgoing.packetId, outgoing);
    this.#lastPacketId = outgoing.packetId;
  }

  sent(outgoing: OutgoingMessage, packetId: number): void {
    outgoing.packetId = packetId;
    this.#messages.set(packetId, outgoing);
    this.#quota--;
  }

  /** Takes the next that is to be sent again; absent when it has been acknowledged meanwhile. */
  takeResend(): OutgoingMessage | undefined {
    const outgoing = this.#resend.shift();
    if (outgoing?.message === undefined) return undefined;
    return this.#messages.get(outgoing.packetId) === outgoing ? outgoing : undefined;
  }

  sentAgain(): void {
    this.#quota--;
  }

  /** The client has said that it is done with the message. */
  acknowledged(packetId: number): void {
    this.#messages.delete(packetId);
    // A PUBREL sent again after a reconnect took nothing from the quota (section 4.9).
    if (this.#quota < this.#initialQuota) this.#quota++;
  }

  /** Forgets a message without an acknowledgement. */
  delete(packetId: number): void {
    this.#messages.delete(packetId);
  }

  /** Takes out all that the predicate says. */
  removeWhere(predicate: (outgoing: OutgoingMessage) => boolean): OutgoingMessage[] {
    const removed: OutgoingMessage[] = [];
    for (const outgoing of this.#messages.values()) {
      if (!predicate(outgoing)) continue;
      this.#messages.delete(outgoing.packetId);
      removed.push(outgoing);
    }
    return removed;
  }

  // Ends: never called with all identifiers taken, as the limit of messages in flight is less than their number.
  nextPacketId(): number {
    do {
      this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    } while (this.#messages.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}

function wrongAcknowledgement(packet: string, { packetId, qos, message }: OutgoingMessage): ProtocolError {
  const state = qos === 1 ? 'in flight' : message === undefined ? 'after PUBREC' : 'before PUBREC';
  return new ProtocolError(
    ReasonCode.protocolError,
    `${packet} for packet identifier ${packetId}, a QoS ${qos} message ${state}`,
  );
}
