import type { Outbox } from './outbox';
import { SendRate } from './send-rate';

/** Something that has datagrams to send to the flow's destination. */
export interface PacedSource {
  readonly isEmpty: boolean;
  /** How long to wait, in milliseconds, because too much of it is under way; 0: not at all. */
  readonly waitMs: number;
  /** Gives the next datagram to the outbox, and returns its octets. */
  sendNext(): number;
}

const TICK_MS = 1;
/** What a tick that is late may make up for. */
const BURST_MS = 1.2;

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

  /** The source need not wait any longer. */
  resume(source: PacedSource): void {
    if (!this.#sources.has(source)) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#outbox.beforeFlush(this.#pumpAtFlush);
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
    let wait = TICK_MS;
    while (this.#credit > 0) {
      const source = this.#nextReady();
      if (source === undefined) {
        wait = Math.min(...[...this.#sources].map(({ waitMs }) => waitMs));
        break;
      }
      this.#sources.delete(source);
      this.#credit -= source.sendNext();
      if (!source.isEmpty) this.#sources.add(source);
    }
    if (this.#sources.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, wait);
  }

  #nextReady(): PacedSource | undefined {
    for (const source of this.#sources) if (source.waitMs === 0) return source;
    return undefined;
  }
}
