import type { ReceivedMessage } from '../client/connection';

/** What a message takes besides its payload and topic: objects, and properties of an ordinary length. */
const OVERHEAD_BYTES = 300;

/** A message that has been kept. */
export interface KeptMessage {
  /** Counts up over all rings of a gateway. */
  sequence: number;
  /** ms since 1970. */
  at: number;
  message: ReceivedMessage;
}

/** The newest messages of a subscription, bounded by their number and by their bytes. */
export class MessageRing {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  #kept: KeptMessage[] = [];
  /** Where the oldest is. */
  #first = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#kept.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that had to make room, or for which there was none. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Keeps a copy, and drops the oldest where there is no room. */
  push(sequence: number, at: number, message: ReceivedMessage): void {
    const bytes = bytesOf(message);
    if (bytes > this.#maxBytes || this.#maxMessages === 0) {
      this.#dropped++;
      return;
    }
    while (this.size >= this.#maxMessages || this.#bytes + bytes > this.#maxBytes) this.#dropOldest();
    // What came is a part of all that was read from the network at once.
    const copy = { ...message, payload: Buffer.from(message.payload) };
    this.#kept.push({ sequence, at, message: copy });
    this.#bytes += bytes;
  }

  /** The newest first. */
  *newest(): Generator<KeptMessage> {
    for (let index = this.#kept.length - 1; index >= this.#first; index--) {
      yield this.#kept[index] as KeptMessage;
    }
  }

  #dropOldest(): void {
    this.#bytes -= bytesOf((this.#kept[this.#first] as KeptMessage).message);
    this.#dropped++;
    this.#first++;
    if (this.#first * 2 <= this.#kept.length) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }
}

function bytesOf({ topic, payload, properties }: ReceivedMessage): number {
  let bytes = OVERHEAD_BYTES + payload.length + 2 * topic.length;
  if (properties === undefined) return bytes;
  bytes += properties.correlationData?.length ?? 0;
  bytes += 2 * ((properties.contentType?.length ?? 0) + (properties.responseTopic?.length ?? 0));
  for (const [name, value] of Object.entries(properties.userProperties ?? {})) {
    for (const text of Array.isArray(value) ? value : [value]) bytes += 2 * (name.length + text.length) + 50;
  }
  return bytes;
}
