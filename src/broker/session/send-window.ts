import type { OutgoingMessage } from './outgoing-queue';

/**
 * The QoS 1 and 2 messages in flight towards a client, in the order they were first sent: their packet identifiers
 * (MQTT 5.0 section 2.2.1), and how many more may be sent before one is acknowledged (section 4.9).
 */
export class SendWindow {
  readonly #messages = new Map<number, OutgoingMessage>();
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

  /** Whether a message in flight may be sent again. */
  get maySendAgain(): boolean {
    return this.#quota > 0;
  }

  values(): IterableIterator<OutgoingMessage> {
    return this.#messages.values();
  }

  get(packetId: number): OutgoingMessage | undefined {
    return this.#messages.get(packetId);
  }

  /** For a client that has just connected: nothing has been sent to it on this connection. */
  open(receiveMaximum: number, mostInFlight: number): void {
    this.#mostInFlight = mostInFlight;
    this.#initialQuota = Math.min(receiveMaximum, mostInFlight);
    this.#quota = this.#initialQuota;
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

  clear(): void {
    this.#messages.clear();
  }

  // Ends: never called with all identifiers taken, as the limit of messages in flight is less than their number.
  nextPacketId(): number {
    do {
      this.#lastPacketId = (this.#lastPacketId % 65_535) + 1;
    } while (this.#messages.has(this.#lastPacketId));
    return this.#lastPacketId;
  }
}
