import { FragmentedSample } from './fragmented-sample';
import type { ReceiveMemory } from './receive-memory';
import type { SampleInfo } from './received-change';
import type { Statistics } from './statistics';
import type { DataFragSubmessage } from './submessage';

/** The samples of one writer that one reader has received in part. */
export class Reassembly {
  readonly #prefix: string;
  readonly #memory: ReceiveMemory;
  readonly #statistics: Statistics;
  readonly #samples = new Map<number, FragmentedSample>();

  constructor(prefix: string, memory: ReceiveMemory, statistics: Statistics) {
    this.#prefix = prefix;
    this.#memory = memory;
    this.#statistics = statistics;
  }

  get size(): number {
    return this.#samples.size;
  }

  get(sequence: number): FragmentedSample | undefined {
    return this.#samples.get(sequence);
  }

  /** In the order in which they began to come. */
  sequences(): number[] {
    return [...this.#samples.keys()];
  }

  /**
   * Makes place for the sample of a first fragment.
   *
   * @returns `undefined` when there is no memory for it
   */
  begin(fragment: DataFragSubmessage, info: SampleInfo): FragmentedSample | undefined {
    if (!this.#memory.reserve(this.#prefix, FragmentedSample.bytesFor(fragment, info))) return undefined;
    const sample = new FragmentedSample(fragment, info);
    this.#samples.set(fragment.sequence, sample);
    return sample;
  }

  /** The complete sample, which is kept no longer. */
  take(sequence: number): FragmentedSample {
    const sample = this.#samples.get(sequence) as FragmentedSample;
    this.#samples.delete(sequence);
    this.#memory.release(this.#prefix, sample.bytes);
    return sample;
  }

  /** Frees what has come of this sample, if anything. */
  drop(sequence: number): void {
    if (!this.#samples.has(sequence)) return;
    this.take(sequence);
    this.#statistics.samplesIncomplete++;
  }

  /** Frees the samples before this one. */
  dropBelow(sequence: number): void {
    if (this.#samples.size > 0) this.#dropWhere((other) => other < sequence);
  }

  /** Frees the samples of which nothing has come for so long, in milliseconds. */
  expire(age: number): void {
    const oldest = performance.now() - age;
    this.#dropWhere((_sequence, { lastArrival }) => lastArrival < oldest);
  }

  clear(): void {
    this.#dropWhere(() => true);
  }

  #dropWhere(condition: (sequence: number, sample: FragmentedSample) => boolean): void {
    for (const [sequence, sample] of this.#samples) if (condition(sequence, sample)) this.drop(sequence);
  }
}
