/** Fits the receive buffer of an unconfigured Linux, 212,992 bytes, when the receiver is quick. */
const FIRST = 64 * 1024;
const LOWEST = 32 * 1024;
const HIGHEST = 4 * 1024 * 1024;
const FIRST_STEP = 4 * 1024;
const LEAST_LOSS = 1 / 16;
const MOST_LOSS = 1 / 2;

/**
 * How much a destination is sent at a time, learned from what it asks for again: UDP tells nothing of a receive
 * buffer that overflows. It doubles until the first loss, then shrinks by the part that was lost and grows by steps,
 * the larger the longer nothing was lost. Without reliable readers, which alone tell, it stays where it begins.
 */
export class SendRate {
  #bytesPerMs = FIRST;
  #step: number | undefined;

  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  /** All of a large sample has arrived at once. */
  grow(): void {
    this.#bytesPerMs = Math.min(this.#bytesPerMs + (this.#step ?? this.#bytesPerMs), HIGHEST);
    if (this.#step !== undefined) this.#step = Math.min(2 * this.#step, this.#bytesPerMs / 16);
  }

  /** This part of a large sample was lost, from 0 to 1. */
  shrink(part: number): void {
    const kept = 1 - Math.min(Math.max(part, LEAST_LOSS), MOST_LOSS);
    this.#bytesPerMs = Math.max(this.#bytesPerMs * kept, LOWEST);
    this.#step = FIRST_STEP;
  }
}
