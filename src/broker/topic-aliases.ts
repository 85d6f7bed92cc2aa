import type { MessageParts, TopicSpelling } from './codec/publish-packet';

/** A longer topic name is always spelled out: as keys such names would take more memory than they save. */
const MAX_NAME_BYTES = 256;

/**
 * The numbers that the broker has given to topics on one connection (MQTT 5.0 section 3.3.2.3.4): the first topics get
 * one each and keep it, as far as the client's maximum and ours allow.
 */
export class TopicAliases {
  readonly #maximum: number;
  // By the name's bytes as latin1, which takes no decoding.
  readonly #numbers = new Map<string, TopicSpelling>();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** How to say the topic; one that is to be named with a number has it only when `keep` says so. */
  find(parts: MessageParts): TopicSpelling | undefined {
    if (parts.topicEnd - parts.topicStart > MAX_NAME_BYTES) return undefined;
    const known = this.#numbers.get(keyOf(parts));
    if (known !== undefined) return known;
    const number = this.#numbers.size + 1;
    return number > this.#maximum ? undefined : { number, named: true }; // [MQTT-3.3.2-11]
  }

  /** The topic was sent with the number that `find` proposed. */
  keep(parts: MessageParts): void {
    this.#numbers.set(keyOf(parts), { number: this.#numbers.size + 1, named: false });
  }
}

/** Those of a connection whose client accepts so many; `undefined` for none. */
export function topicAliases(clientMaximum: number, ourMaximum: number): TopicAliases | undefined {
  const maximum = Math.min(clientMaximum, ourMaximum);
  return maximum > 0 ? new TopicAliases(maximum) : undefined;
}

function keyOf({ bytes, topicStart, topicEnd }: MessageParts): string {
  return bytes.toString('latin1', topicStart, topicEnd);
}
