import type { ConnectionOutput } from './connection-output';
import { CONNECTION_BYTES, type HeldMemory } from './held-memory';

/** What one may hold and not end for it while memory is short: begun packets, and what it does not read. */
export const SMALL_BYTES = 64 * 1024;
/** Looks in a row at which a reader that has taken nothing counts as stalled: some five seconds. */
const STALLED_CHECKS = 10;
const LARGE_PACKET = 'memory is short, and it has begun a packet that takes much';

/**
 * What one connection makes the broker hold, beside its session: itself, a packet that is not whole yet, and what its peer
 * does not read. While memory is short it says whether the connection has to end for it.
 */
export class ConnectionMemory {
  readonly #memory: HeldMemory;
  readonly #output: ConnectionOutput;
  /** Its client is in this process. */
  readonly #local: boolean;
  #packetBytes = 0;
  #writesTaken = 0;
  #checksStalled = 0;

  constructor(memory: HeldMemory, output: ConnectionOutput, local: boolean) {
    this.#memory = memory;
    this.#output = output;
    this.#local = local;
  }

  open(): void {
    this.#memory.add(CONNECTION_BYTES);
  }

  close(): void {
    this.#memory.remove(CONNECTION_BYTES + this.#packetBytes);
  }

  /** The packet that is not whole takes so many bytes now. Returns why the connection has to end, in words. */
  countPacket(bytes: number): string | undefined {
    if (bytes === this.#packetBytes) return undefined;
    this.#memory.remove(this.#packetBytes);
    this.#memory.add(bytes);
    this.#packetBytes = bytes;
    return this.#memory.level === 3 && bytes > SMALL_BYTES ? LARGE_PACKET : undefined;
  }

  /** To be called twice a second. Returns why a connection that does not get on has to end, in words. */
  check(): string | undefined {
    const { writesTaken, heldBytes } = this.#output;
    const stalled = heldBytes > SMALL_BYTES && writesTaken === this.#writesTaken;
    this.#checksStalled = stalled ? this.#checksStalled + 1 : 0;
    this.#writesTaken = writesTaken;
    const { level } = this.#memory;
    if (this.#local || level === 0) return undefined;
    if (this.#checksStalled >= STALLED_CHECKS) return 'memory is short, and it has stopped reading';
    return level >= 2 && this.#packetBytes > SMALL_BYTES ? LARGE_PACKET : undefined;
  }
}
