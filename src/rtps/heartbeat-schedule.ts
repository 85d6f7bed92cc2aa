/** How soon readers are asked for what they have not acknowledged, in milliseconds, and how soon at last. */
const FIRST_MS = 50;
const LAST_MS = 1000;
/** After so many changes or octets they are asked sooner: what is acknowledged need not be kept. */
const MAX_UNASKED = 64;
const MAX_UNASKED_BYTES = 64 * 1024;
/** Also after this part of the history's depth, so that what leaves it has been acknowledged by then. */
const MAX_UNASKED_PART = 1 / 4;

/**
 * When the HEARTBEATs of a writer ask its readers for an answer. One that does not has its FinalFlag set (RTPS 8.3.8.6):
 * a reader answers it only if it misses something. An answer to each sample of a writer that sends steadily would cost
 * both sides more than the sample does.
 */
export class HeartbeatSchedule {
  readonly #maxUnasked: number;
  readonly #askByTime: () => boolean;
  #unasked = 0;
  #unaskedBytes = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #delay = FIRST_MS;

  /**
   * @param depth of the writer's history
   * @param askByTime asks those that have not answered; returns `false` when there are none
   */
  constructor(depth: number, askByTime: () => boolean) {
    this.#maxUnasked = Math.min(depth * MAX_UNASKED_PART, MAX_UNASKED);
    this.#askByTime = askByTime;
  }

  /** A change was written that is to be acknowledged. */
  written(bytes: number): void {
    this.#unasked++;
    this.#unaskedBytes += bytes;
    this.hasten();
  }

  /** Whether the HEARTBEAT behind what was written has to ask; behind a single change after a pause it does. */
  get isDue(): boolean {
    return (
      this.#unasked >= this.#maxUnasked ||
      this.#unaskedBytes >= MAX_UNASKED_BYTES ||
      performance.now() - this.#askedAt >= FIRST_MS
    );
  }

  /** The readers have been asked for all that was written. */
  asked(): void {
    this.#unasked = this.#unaskedBytes = 0;
    this.#askedAt = performance.now();
  }

  /**
   * After something new, of the writer or of a reader, those that have not answered are asked as soon as at first,
   * however often they were.
   */
  hasten(): void {
    if (this.#delay > FIRST_MS) {
      this.#delay = FIRST_MS;
      this.close();
    }
    this.#arm();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#askByTime()) return;
      this.asked();
      this.#delay = Math.min(2 * this.#delay, LAST_MS);
      this.#arm();
    }, this.#delay);
  }
}
