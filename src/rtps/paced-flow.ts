import type { Outbox } from './outbox';
import { SendRate } from './send-rate';

/** Something that has datagrams to send to the flow's destination. */
export interface PacedSource {
  readonly isEmpty: boolean;
  /** Gives the next datagram to the outbox, and returns its octets. */
  sendNext(): number;
}

const TICK_MS = 1;
/** A timer is often late by about half of its time. */
const BURST_MS = 1.5;

/**
 * Sends to one destination no faster than it bears, a datagram of each source in turn. Only what is too large for one
 * datagram, and what must not overtake that, goes this way.
 */
export class PacedFlow {
  readonly rate = new SendRate();
  readonly #outbox: Outbox;
  /** In turn. */
  readonly #sources = new Set<PacedSource>();
  readonly #pumpAtFlush = () => this.#pump();
  #credit = 0;
  #creditAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** The source has something to send. */
  add(source: PacedSource): void {
    this.#sources.add(source);
    if (this.#timer === undefined) this.#outbox.beforeFlush(this.#pumpAtFlush);
  }

  remove(source: PacedSource): void {
    this.#sources.delete(source);
    if (this.#sources.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pump(): void {
    if (this.#timer !== undefined) return;
    const now = performance.now();
    const { bytesPerMs } = this.rate;
    const earned = (now - this.#creditAt) * bytesPerMs;
    this.#credit = Math.min(this.#credit + earned, BURST_MS * bytesPerMs);
    this.#creditAt = now;
    while (this.#credit > 0) {
      const source = this.#sources.values().next().value;
      if (source === undefined) return;
      this.#sources.delete(source);
      this.#credit -= source.sendNext();
      if (!source.isEmpty) this.#sources.add(source);
    }
    if (this.#sources.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, TICK_MS);
  }
}
