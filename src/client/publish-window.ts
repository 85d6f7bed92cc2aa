import type { PublishOptions } from './connection-settings';
import { NotConnectedError, PublishError } from './errors';

/** Messages between PUBLISH and its last acknowledgement, where the broker allows that many (its Receive Maximum). */
export const MAX_IN_FLIGHT = 256;
/** What may wait for the connection or for its turn: the bound is memory, so that a flow's burst of small messages fits. */
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** What a waiting message holds beside its topic and payload, about. */
const BYTES_PER_MESSAGE = 512;
/** How long a message waits before it is refused, in ms: a reconnect is bridged, an outage is reported. */
export const MAX_WAIT_MS = 10_000;

/** One message on its way, and the promise made to its publisher. */
export class OutgoingMessage {
  readonly result: Promise<void>;
  /** Packet identifier once it was sent, at QoS 1 and 2. */
  packetId: number | undefined;
  /** It may have arrived before: to be sent with DUP [MQTT-3.3.1-1]. */
  repeated = false;
  timer: NodeJS.Timeout | undefined;
  resolve!: () => void;
  reject!: (error: Error) => void;

  constructor(
    readonly topic: string,
    readonly payload: Buffer | string,
    readonly options: PublishOptions,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get bytes(): number {
    return BYTES_PER_MESSAGE + Buffer.byteLength(this.payload) + Buffer.byteLength(this.topic);
  }
}

/**
 * Keeps what is being published within bounds: so many messages unacknowledged, so many waiting in order behind
 * them, each for a limited time. Every message ends exactly once, resolved or rejected.
 */
export class PublishWindow {
  readonly #send: (message: OutgoingMessage) => void;
  readonly #inFlight = new Set<OutgoingMessage>();
  #waiting = new Set<OutgoingMessage>();
  #waitingBytes = 0;
  #limit = 0;
  #pumping = false;
  #idle: (() => void) | undefined;

  /** `send` puts one message on the wire; its outcome comes back through `settle`. */
  constructor(send: (message: OutgoingMessage) => void) {
    this.#send = send;
  }

  /** Lets at most `limit` messages be in flight; 0 while there is no connection. */
  open(limit: number): void {
    this.#limit = Math.min(limit, MAX_IN_FLIGHT);
    this.#pump();
  }

  /** Sends the message now or when its turn comes; `reason` says why it would have to wait for a connection. */
  push(message: OutgoingMessage, reason: string | undefined): Promise<void> {
    if (this.#waiting.size === 0 && this.#inFlight.size < this.#limit) {
      this.#inFlight.add(message);
      this.#send(message);
      return message.result;
    }
    if (this.#waitingBytes + message.bytes > MAX_WAITING_BYTES) {
      const waiting = `${this.#waiting.size} messages (${this.#waitingBytes} bytes) are already waiting`;
      message.reject(
        new PublishError(message.topic, reason === undefined ? waiting : `${waiting}; ${reason}`),
      );
      return message.result;
    }
    this.#waiting.add(message);
    this.#waitingBytes += message.bytes;
    message.timer = setTimeout(() => {
      this.#unqueue(message);
      message.reject(new PublishError(message.topic, `it waited ${MAX_WAIT_MS / 1000} s to be sent`));
    }, MAX_WAIT_MS);
    return message.result;
  }

  /** The outcome of a message that was sent; only the first counts. */
  settle(message: OutgoingMessage, error?: Error): void {
    if (!this.#inFlight.delete(message)) return;
    if (error === undefined) message.resolve();
    else message.reject(error);
    this.#pump();
    if (this.#inFlight.size === 0 && this.#waiting.size === 0) this.#idle?.();
  }

  /** Puts what was sent in front of what waits, to be sent again; it has been waited for and is not refused any more. */
  requeue(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) {
      this.#inFlight.delete(message);
      message.repeated = true;
      this.#waitingBytes += message.bytes;
    }
    this.#waiting = new Set([...messages, ...this.#waiting]);
  }

  /** What was sent and not yet acknowledged, in the order of sending. */
  get inFlight(): readonly OutgoingMessage[] {
    return [...this.#inFlight];
  }

  /** Resolves when nothing is in flight or waiting, or after `ms`. */
  async drained(ms: number): Promise<void> {
    if (this.#inFlight.size === 0 && this.#waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Rejects what waits. */
  refuseWaiting(reason: string | undefined): void {
    for (const message of [...this.#waiting]) {
      this.#unqueue(message);
      message.reject(new NotConnectedError(reason));
    }
  }

  #unqueue(message: OutgoingMessage): void {
    clearTimeout(message.timer);
    this.#waiting.delete(message);
    this.#waitingBytes -= message.bytes;
  }

  #pump(): void {
    // An outcome that is known at once (QoS 0) comes back through settle() from within.
    if (this.#pumping) return;
    this.#pumping = true;
    for (const message of this.#waiting) {
      if (this.#inFlight.size >= this.#limit) break;
      this.#unqueue(message);
      this.#inFlight.add(message);
      this.#send(message);
    }
    this.#pumping = false;
  }
}
