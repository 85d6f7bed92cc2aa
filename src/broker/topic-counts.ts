/** What was published to a topic since the broker started. */
export interface TopicCount {
  readonly topic: string;
  messages: number;
  /** Of the payloads. */
  bytes: number;
  /** On the broker's clock, ms. */
  lastAt: number;
}

/** Topics that are counted one by one, and bytes of their names; further topics are counted together. */
const MOST_TOPICS = 10_000;
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * The topics that were published to, in the order in which they first were: whoever has read some of them finds new ones
 * behind. Their number is bounded; those that came too late are counted as one, whose name is empty.
 */
export class TopicCounts {
  readonly #counts = new Map<string, TopicCount>();
  readonly #others: TopicCount = newCount('');
  #bytes = 0;

  /** Where messages to this topic are counted. */
  of(topic: string): TopicCount {
    const known = this.#counts.get(topic);
    if (known !== undefined) return known;
    if (this.#counts.size >= MOST_TOPICS || this.#bytes + topic.length > MOST_BYTES) return this.#others;
    const count = newCount(topic);
    this.#counts.set(topic, count);
    this.#bytes += topic.length;
    return count;
  }

  get size(): number {
    return this.#counts.size;
  }

  /** Those that are counted one by one. */
  [Symbol.iterator](): IterableIterator<TopicCount> {
    return this.#counts.values();
  }
}

function newCount(topic: string): TopicCount {
  return { topic, messages: 0, bytes: 0, lastAt: 0 };
}
