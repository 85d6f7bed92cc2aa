import type { SampleInfo } from './received-change';
import { type DataFragSubmessage, SET_SPAN } from './submessage';

/** What one takes besides its octets, at most: it may be of a few octets only. */
const SAMPLE_OVERHEAD_BYTES = 512;

/** A sample of which some fragments have come. */
export class FragmentedSample {
  readonly fragmentBytes: number;
  readonly payload: Buffer;
  readonly info: SampleInfo;
  /** The memory that it takes. */
  readonly bytes: number;
  /** Of `performance.now()`. */
  lastArrival = 0;
  readonly #total: number;
  /** A bit per fragment, that of fragment 1 lowest. */
  readonly #arrived: Uint8Array;
  #count = 0;
  #firstMissing = 1;
  #highest = 0;
  #requestedUpTo = 0;
  #requestedAt = 0;
  #awaitsAnswer = false;
  #hasAnswer = false;

  /** The memory that the sample of this fragment takes. */
  static bytesFor({ sampleBytes, fragmentBytes }: DataFragSubmessage, { annotation }: SampleInfo): number {
    const bitmapBytes = Math.ceil(sampleBytes / fragmentBytes / 8);
    return SAMPLE_OVERHEAD_BYTES + sampleBytes + bitmapBytes + (annotation?.length ?? 0);
  }

  constructor(fragment: DataFragSubmessage, info: SampleInfo) {
    this.fragmentBytes = fragment.fragmentBytes;
    this.info = info;
    this.bytes = FragmentedSample.bytesFor(fragment, info);
    this.#total = Math.ceil(fragment.sampleBytes / fragment.fragmentBytes);
    this.#arrived = new Uint8Array(Math.ceil(this.#total / 8));
    this.payload = Buffer.allocUnsafeSlow(fragment.sampleBytes);
  }

  get isComplete(): boolean {
    return this.#count === this.#total;
  }

  /** Whether all has come that was asked for, and more is missing. */
  get isAnswered(): boolean {
    return this.#requestedUpTo > 0 && this.#firstMissing > this.#requestedUpTo && !this.isComplete;
  }

  /** How long the first fragment asked for took to come, in milliseconds; once, when it has come. */
  takeRoundTrip(): number | undefined {
    if (!this.#hasAnswer) return undefined;
    this.#hasAnswer = false;
    return this.lastArrival - this.#requestedAt;
  }

  /** Returns `false` for fragments that are not of this sample. */
  add({ first, count, fragmentBytes, sampleBytes, payload }: DataFragSubmessage): boolean {
    if (fragmentBytes !== this.fragmentBytes || sampleBytes !== this.payload.length) return false;
    this.lastArrival = performance.now();
    let isNew = false;
    for (let number = first; number < first + count; number++) {
      const at = (number - 1) >>> 3;
      const bit = 1 << ((number - 1) & 7);
      const arrived = this.#arrived[at] as number;
      if ((arrived & bit) !== 0) continue;
      this.#arrived[at] = arrived | bit;
      this.#count++;
      isNew = true;
    }
    if (!isNew) return true;
    if (this.#awaitsAnswer && first <= this.#requestedUpTo) {
      this.#awaitsAnswer = false;
      this.#hasAnswer = true;
    }
    payload.copy(this.payload, (first - 1) * fragmentBytes);
    this.#highest = Math.max(this.#highest, first + count - 1);
    while (this.#firstMissing <= this.#total && this.#has(this.#firstMissing)) this.#firstMissing++;
    return true;
  }

  /** The writer says that it has sent up to this fragment. */
  sentUpTo(number: number): void {
    this.#highest = Math.max(this.#highest, Math.min(number, this.#total));
  }

  /**
   * The fragments to ask for now, ascending, within 256 numbers: of all, or of those before one that has come.
   *
   * @param limit so many at most
   * @param repeatMs what was asked for is not asked for again before
   */
  request(all: boolean, limit: number, repeatMs: number): number[] {
    const now = performance.now();
    const repeat = this.#requestedUpTo < this.#firstMissing || now - this.#requestedAt >= repeatMs;
    const missing: number[] = [];
    let number = repeat ? this.#firstMissing : this.#requestedUpTo + 1;
    const end = all ? this.#total : this.#highest;
    for (; number <= end && missing.length < limit; number++) {
      if (this.#has(number)) continue;
      if (missing.length > 0 && number - (missing[0] as number) >= SET_SPAN) break;
      missing.push(number);
    }
    if (missing.length > 0) {
      this.#requestedUpTo = missing.at(-1) as number;
      if (repeat) {
        this.#requestedAt = now;
        this.#awaitsAnswer = true;
      }
    }
    return missing;
  }

  #has(number: number): boolean {
    return ((this.#arrived[(number - 1) >>> 3] as number) & (1 << ((number - 1) & 7))) !== 0;
  }
}
