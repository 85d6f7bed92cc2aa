import { PublishError } from './errors';
import type { OutgoingMessage } from './outgoing-message';
import type { OutgoingQueue } from './outgoing-queue';

/** Messages between PUBLISH and its last acknowledgement, where neither the settings nor the broker (its Receive Maximum) want fewer. */
export const MAX_IN_FLIGHT = 256;
/** Connections in a row that the broker ends before it has acknowledged anything: what was in flight is then suspect. */
const BARREN_CONNECTIONS = 2;
/** Connections that the broker may end while one message alone is in flight, before that is given up. */
const STRIKES = 3;

/**
 * Keeps so many messages unacknowledged at a time, the others in order behind them. After a lost connection the
 * unacknowledged ones come first, in the order of their first sending. Every message ends exactly once.
 *
 * A message over which the broker ends the connection each time would keep all others from it for ever. When
 * connections end again and again without any progress, what was in flight is sent one by one, so that it is seen
 * which one it is.
 */
export class PublishWindow {
  readonly #queue: OutgoingQueue;
  readonly #send: (message: OutgoingMessage) => void;
  readonly #inFlight = new Set<OutgoingMessage>();
  /** Was in flight when a connection ended. */
  #unacknowledged: OutgoingMessage[] = [];
  readonly #suspects = new Set<OutgoingMessage>();
  #limit = 0;
  /** What waits at QoS 1 and 2 stays where it is. */
  #held = false;
  #barren = 0;
  #pumping = false;
  #drained: ((drained: boolean) => void) | undefined;

  /** `send` puts one message on the wire; its outcome comes back through `settle`. */
  constructor(queue: OutgoingQueue, send: (message: OutgoingMessage) => void) {
    this.#queue = queue;
    this.#send = send;
  }

  /** Messages that were sent and are not acknowledged, in the order of sending. */
  get unacknowledged(): readonly OutgoingMessage[] {
    return [...this.#inFlight, ...this.#unacknowledged];
  }

  /** Takes up messages of an earlier run, in order: before all others, and those that were sent before those that were not. */
  restore(messages: readonly OutgoingMessage[]): void {
    this.#unacknowledged.push(...messages.filter(({ repeated }) => repeated));
    this.#queue.restore(messages.filter(({ repeated }) => !repeated));
  }

  /** There is a connection: lets at most `limit` messages be in flight. */
  open(limit: number): void {
    this.#limit = limit;
    this.#held = false;
    this.#pump();
  }

  /** Sends nothing more for now. */
  pause(): void {
    this.#limit = 0;
  }

  /** Sends the message now or when its turn comes; `reason` says why it would have to wait for a connection. */
  push(message: OutgoingMessage, reason: string | undefined): void {
    const free = !this.#held && this.#queue.size === 0 && this.#unacknowledged.length === 0;
    if (free && this.#hasRoom()) {
      this.#inFlight.add(message);
      this.#send(message);
    } else {
      this.#queue.add(message, reason);
    }
  }

  /** Has the message sent before those that wait. */
  pushFirst(message: OutgoingMessage): void {
    if (this.#held && this.#hasRoom()) {
      this.#inFlight.add(message);
      this.#send(message);
      return;
    }
    this.#queue.putBack([message]);
    this.#pump();
  }

  /** The message was sent and has its outcome. */
  settle(message: OutgoingMessage, outcome: Parameters<OutgoingMessage['end']>[0]): void {
    if (!this.#inFlight.delete(message)) return;
    if (message.options.qos > 0) this.#barren = 0;
    this.#suspects.delete(message);
    message.end(outcome);
    this.#pump();
    if (this.#isIdle) this.#drained?.(true);
  }

  /**
   * The connection has ended. What was in flight at QoS 0 is rejected with the reason, the rest waits for the next.
   * `overPacket`: it was the broker who ended it, perhaps over what was in flight.
   * @returns the message that is given up, which has been rejected
   */
  lost(reason: string, overPacket: boolean): OutgoingMessage | undefined {
    this.#limit = 0;
    this.#drained?.(false);
    const inFlight = [...this.#inFlight];
    this.#inFlight.clear();
    for (const message of inFlight) {
      if (message.options.qos === 0) message.end(new PublishError(message.topic, reason));
      else message.repeated = true;
    }
    const acknowledgeable = inFlight.filter(({ options }) => options.qos > 0);
    this.#unacknowledged = [...acknowledgeable, ...this.#unacknowledged];
    return overPacket && acknowledgeable.length > 0 ? this.#suspect(acknowledgeable, reason) : undefined;
  }

  /**
   * The broker has forgotten the session. What was unacknowledged at QoS 1 is published again, a repetition being
   * allowed. At QoS 2 it is not: a message that the broker has taken over (PUBREC) is done, of any other the fate is
   * unknown.
   */
  forget(): void {
    const again: OutgoingMessage[] = [];
    for (const message of this.#unacknowledged) {
      const { packetId } = message;
      message.packetId = undefined;
      if (message.options.qos === 1) {
        again.push(message);
        continue;
      }
      this.#suspects.delete(message);
      if (message.released) message.end(packetId === undefined ? {} : { packetId });
      else {
        const reason = 'the broker lost the session; whether the message arrived is not known';
        message.end(new PublishError(message.topic, reason));
      }
    }
    this.#unacknowledged = again;
  }

  /** From here on until open() nothing of what waits is sent, but for messages of QoS 0, which are sent now. */
  hold(): void {
    this.#held = true;
    for (const message of this.#queue.takeQoS0()) {
      this.#inFlight.add(message);
      this.#send(message);
    }
  }

  /**
   * Resolves when nothing is in flight, nor anything waits that may be sent (`true`); when the connection ends, or after
   * `ms` (`false`).
   */
  async drained(ms: number): Promise<boolean> {
    if (this.#isIdle) return true;
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => this.#drained?.(false), ms);
      this.#drained = (drained) => {
        clearTimeout(timer);
        this.#drained = undefined;
        resolve(drained);
      };
    });
  }

  /** Rejects all that was sent and is not acknowledged. */
  abandon(reason: string): void {
    const messages = this.unacknowledged;
    this.#inFlight.clear();
    this.#unacknowledged = [];
    for (const message of messages) message.end(new PublishError(message.topic, reason));
  }

  get #isIdle(): boolean {
    if (this.#inFlight.size > 0) return false;
    return this.#held || (this.#unacknowledged.length === 0 && this.#queue.size === 0);
  }

  #suspect(inFlight: readonly OutgoingMessage[], reason: string): OutgoingMessage | undefined {
    const [only] = inFlight;
    if (only !== undefined && inFlight.length === 1 && this.#suspects.has(only)) {
      if (++only.strikes < STRIKES) return undefined;
      this.#suspects.delete(only);
      this.#unacknowledged = this.#unacknowledged.filter((message) => message !== only);
      const text = `given up: the broker has ended the connection each time it was sent, ${STRIKES} times while nothing else was under way; ${reason}`;
      only.end(new PublishError(only.topic, text));
      return only;
    }
    if (++this.#barren >= BARREN_CONNECTIONS) for (const message of inFlight) this.#suspects.add(message);
    return undefined;
  }

  #hasRoom(): boolean {
    return this.#inFlight.size < (this.#suspects.size > 0 ? Math.min(1, this.#limit) : this.#limit);
  }

  #pump(): void {
    // An outcome that is known at once (QoS 0) comes back through settle() from within.
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#held && this.#hasRoom()) {
      const message = this.#unacknowledged.shift() ?? this.#queue.take();
      if (message === undefined) break;
      this.#inFlight.add(message);
      this.#send(message);
    }
    this.#pumping = false;
  }
}
