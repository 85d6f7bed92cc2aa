/** A participant's share holds two of the largest samples, and at least this. */
const LEAST_PER_PARTICIPANT = 16 * 1024 * 1024;

/**
 * What samples may take that have come but cannot be delivered yet: those of which fragments are missing, and those
 * behind a missing one. Each remote participant has a share, so that none can use up what others need.
 */
export class ReceiveMemory {
  /** A larger sample is not received. */
  readonly maxSampleBytes: number;
  readonly #perParticipant: number;
  readonly #total: number;
  readonly #held = new Map<string, number>();
  #heldInTotal = 0;

  constructor(maxSampleBytes: number) {
    this.maxSampleBytes = maxSampleBytes;
    this.#perParticipant = Math.max(LEAST_PER_PARTICIPANT, 2 * maxSampleBytes);
    this.#total = 4 * this.#perParticipant;
  }

  /** Bytes held at present. */
  get held(): number {
    return this.#heldInTotal;
  }

  /** Whether there was room for so much more of this participant, which is its own then until `release`. */
  reserve(prefix: string, bytes: number): boolean {
    const held = (this.#held.get(prefix) ?? 0) + bytes;
    if (held > this.#perParticipant || this.#heldInTotal + bytes > this.#total) return false;
    this.#held.set(prefix, held);
    this.#heldInTotal += bytes;
    return true;
  }

  release(prefix: string, bytes: number): void {
    const held = (this.#held.get(prefix) ?? 0) - bytes;
    if (held > 0) this.#held.set(prefix, held);
    else this.#held.delete(prefix);
    this.#heldInTotal -= bytes;
  }
}
