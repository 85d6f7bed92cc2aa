/** Receivers that may wait at a time. */
const MAX_RECEIVERS = 1000;
/** Bytes of payloads that may wait, whatever their number. */
const MAX_BYTES = 16 * 1024 * 1024;

export interface ReceiveQueueSettings {
  /** Items that may wait for somebody to ask. */
  maxWaiting: number;
  /** Which goes, and is counted, when one more comes or 16 MiB are exceeded. */
  overflow: 'drop-oldest' | 'drop-newest';
}

interface Receiver<T> {
  readonly count: number;
  readonly items: T[];
  readonly timer: NodeJS.Timeout;
  finish(): void;
}

interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
}

/** What has come and nobody has asked for, and who asked for what has not come: in order on both sides. */
export class ReceiveQueue<T> {
  readonly #settings: ReceiveQueueSettings;
  #waiting: Waiting<T>[] = [];
  #bytes = 0;
  readonly #receivers: Receiver<T>[] = [];
  /** Items that were dropped because too many waited. */
  dropped = 0;

  constructor(settings: ReceiveQueueSettings) {
    this.#settings = settings;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @param bytes what the item counts for */
  push(item: T, bytes: number): void {
    const [receiver] = this.#receivers;
    if (receiver !== undefined) {
      receiver.items.push(item);
      if (receiver.items.length === receiver.count) receiver.finish();
      return;
    }
    this.#waiting.push({ item, bytes });
    this.#bytes += bytes;
    const { maxWaiting, overflow } = this.#settings;
    while (this.#waiting.length > maxWaiting || this.#bytes > MAX_BYTES) {
      const dropped = overflow === 'drop-oldest' ? this.#waiting.shift() : this.#waiting.pop();
      this.#bytes -= dropped?.bytes ?? 0;
      this.dropped++;
    }
  }

  /**
   * Resolves with the next `count` items, or with the fewer that have come within `timeout` seconds.
   * @throws RangeError too many wait already
   */
  receive(count: number, timeout: number): Promise<T[]> {
    const items = this.#receivers.length > 0 ? [] : this.#waiting.splice(0, count);
    for (const { bytes } of items) this.#bytes -= bytes;
    const ready = items.map(({ item }) => item);
    if (ready.length === count) return Promise.resolve(ready);
    if (this.#receivers.length >= MAX_RECEIVERS) {
      return Promise.reject(new RangeError(`${MAX_RECEIVERS} others wait for messages`));
    }
    return new Promise((resolve) => {
      const receiver: Receiver<T> = {
        count,
        items: ready,
        timer: setTimeout(() => receiver.finish(), timeout * 1000),
        finish: () => {
          clearTimeout(receiver.timer);
          this.#receivers.splice(this.#receivers.indexOf(receiver), 1);
          resolve(receiver.items);
        },
      };
      this.#receivers.push(receiver);
    });
  }

  /** Who waits gets what has come; nothing is kept. */
  close(): void {
    for (const receiver of [...this.#receivers]) receiver.finish();
    this.#waiting = [];
    this.#bytes = 0;
  }
}
