/** After this time a lower count is taken again: the peer may have forgotten us and begun anew. */
const FORGET_AFTER_MS = 500;

/** Tells a repeated or overtaken HEARTBEAT or ACKNACK by its count, which wraps (RTPS 8.3.7.1, 8.3.7.5). */
export class SubmessageCount {
  #last: number | undefined;
  #at = 0;

  /** Whether the submessage with this count is new. */
  accept(count: number): boolean {
    const now = performance.now();
    if (this.#last !== undefined && ((count - this.#last) | 0) <= 0 && now - this.#at < FORGET_AFTER_MS)
      return false;
    this.#last = count;
    this.#at = now;
    return true;
  }
}
