import type { Acknowledgement, ReceivedMessage } from './connection-settings';

/** Implementation specific error: what MQTT 5 is told of a message whose listener has not acknowledged it in time. */
const NOT_ACKNOWLEDGED = 0x83;
/** Bounds of what waits at QoS 0, where the settings say nothing. */
const MAX_WAITING = 1000;
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** A message, and what tells the broker that it has been dealt with once all who received it have called theirs. */
export interface Unfinished {
  readonly message: Omit<ReceivedMessage, 'acknowledge'>;
  readonly release: (reasonCode?: number) => void;
}

/** Who is given the messages. */
export interface AcknowledgingListener {
  message(message: ReceivedMessage): void;
  unacknowledged?(message: ReceivedMessage): void;
}

/**
 * Hands messages to a listener that says itself when it is done with each, so many at a time; the others wait in order.
 * At QoS 1 and 2 the broker keeps their number within the Receive Maximum, as they are not acknowledged. At QoS 0
 * nothing keeps it, so that beyond a bound the oldest is dropped and counted.
 */
export class AcknowledgedDelivery {
  readonly #settings: Acknowledgement;
  readonly #listener: AcknowledgingListener;
  readonly #failed: (error: Error) => void;
  /** Given to the listener, and the time that it has for each. */
  readonly #active = new Map<Unfinished, NodeJS.Timeout | undefined>();
  #waiting: Unfinished[] = [];
  #waitingQoS0 = 0;
  #waitingQoS0Bytes = 0;
  /** Messages of QoS 0 that were dropped because too many waited. */
  dropped = 0;

  /** @param failed hears what the listener throws */
  constructor(settings: Acknowledgement, listener: AcknowledgingListener, failed: (error: Error) => void) {
    this.#settings = settings;
    this.#listener = listener;
    this.#failed = failed;
  }

  deliver(unfinished: Unfinished): void {
    if (this.#waiting.length === 0 && this.#hasRoom()) {
      this.#handOver(unfinished);
      return;
    }
    this.#waiting.push(unfinished);
    this.#count(unfinished, 1);
    const { maxWaiting = MAX_WAITING } = this.#settings;
    while (this.#waitingQoS0 > maxWaiting || this.#waitingQoS0Bytes > MAX_WAITING_BYTES) this.#dropOldest();
  }

  /** Hands over nothing more. Returns what the listener has not acknowledged, and what it was not given, in order. */
  close(): Unfinished[] {
    for (const timer of this.#active.values()) clearTimeout(timer);
    const unfinished = [...this.#active.keys(), ...this.#waiting];
    this.#active.clear();
    this.#waiting = [];
    return unfinished;
  }

  #hasRoom(): boolean {
    return this.#active.size < (this.#settings.concurrency ?? Number.POSITIVE_INFINITY);
  }

  #handOver(unfinished: Unfinished): void {
    const { timeout } = this.#settings;
    const acknowledge = (code = 0): void => this.#end(unfinished, code);
    const message = { ...unfinished.message, acknowledge };
    const late = (): void => {
      this.#end(unfinished, NOT_ACKNOWLEDGED);
      this.#listener.unacknowledged?.(message);
    };
    this.#active.set(unfinished, timeout === undefined ? undefined : setTimeout(late, timeout * 1000));
    try {
      this.#listener.message(message);
    } catch (error) {
      this.#end(unfinished, NOT_ACKNOWLEDGED);
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(unfinished: Unfinished, code: number): void {
    const timer = this.#active.get(unfinished);
    if (!this.#active.delete(unfinished)) return;
    clearTimeout(timer);
    unfinished.release(code);
    // Not from within: a listener that acknowledges at once would sink ever deeper.
    if (this.#waiting.length > 0) setImmediate(() => this.#next());
  }

  #next(): void {
    const next = this.#hasRoom() ? this.#waiting.shift() : undefined;
    if (next === undefined) return;
    this.#count(next, -1);
    this.#handOver(next);
  }

  #dropOldest(): void {
    const at = this.#waiting.findIndex(({ message }) => message.qos === 0);
    const [oldest] = this.#waiting.splice(at, 1);
    if (oldest === undefined) return;
    this.#count(oldest, -1);
    this.dropped++;
    oldest.release();
  }

  #count({ message }: Unfinished, sign: 1 | -1): void {
    if (message.qos > 0) return;
    this.#waitingQoS0 += sign;
    this.#waitingQoS0Bytes += sign * message.payload.length;
  }
}
