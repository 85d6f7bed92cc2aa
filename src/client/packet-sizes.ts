/** Bytes of the Remaining Length at most [MQTT-1.5.5-1]. */
const LENGTH_BYTES = 4;

/**
 * Follows a stream of packets by their fixed headers (MQTT 5.0 section 2.1), so that one that is too large is known
 * before it has come, let alone been put together in memory.
 */
export class PacketSizes {
  readonly #limit: number;
  /** Bytes of the present packet that are still to come, when its header is known. */
  #rest = 0;
  /** Bytes of the present header that have come. */
  #header = 0;
  #length = 0;

  /** @param limit bytes that a packet may have, its fixed header included */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The size of the first packet in the chunk that exceeds the limit; `undefined` where none does. */
  exceeding(chunk: Buffer): number | undefined {
    for (let at = 0; at < chunk.length; ) {
      if (this.#rest > 0) {
        const passed = Math.min(this.#rest, chunk.length - at);
        this.#rest -= passed;
        at += passed;
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.#header++ === 0) continue;
      const position = this.#header - 2;
      this.#length += (byte & 0x7f) * 0x80 ** position;
      // One that goes on after its last byte is the parser's to refuse.
      if (byte >= 0x80 && position + 1 < LENGTH_BYTES) continue;
      const size = this.#header + this.#length;
      if (size > this.#limit) return size;
      this.#rest = this.#length;
      this.#header = 0;
      this.#length = 0;
    }
    return undefined;
  }
}
