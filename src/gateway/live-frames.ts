import type { Duplex } from 'node:stream';
import type { ReaderCounts } from './live-reader';

/** Whole frames that any number of readers are sent, which are in memory until the last of them has taken them. */
export class LiveFrames {
  readonly #counts: Pick<ReaderCounts, 'held'>;
  /** Readers that they wait for. */
  #waiting = 0;

  /**
   * @param messages how many these are
   * @param missed how many others the frames say that all have missed
   */
  constructor(
    readonly bytes: Buffer,
    counts: Pick<ReaderCounts, 'held'>,
    readonly messages = 0,
    readonly missed = 0,
  ) {
    this.#counts = counts;
  }

  writeTo(network: Duplex): void {
    if (this.#waiting++ === 0) this.#counts.held += this.bytes.length;
    network.write(this.bytes, this.#taken);
  }

  /** Also called for a connection that has ended. */
  readonly #taken = (): void => {
    if (--this.#waiting === 0) this.#counts.held -= this.bytes.length;
  };
}
