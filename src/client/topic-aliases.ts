/** Memory for topics is bounded: no more aliases are used, whatever the broker allows, */
const MOST = 1024;
/** and no more topics are remembered that have come once. */
const MOST_ONCE = 256;

/**
 * The topic aliases of one connection for what is published (MQTT 5.0 section 3.3.2.3.4). A topic gets one when it
 * comes the second time; when there are no more, the topic that has not been used for longest loses its own.
 */
export class TopicAliases {
  readonly #maximum: number;
  /** In the order of their last use. */
  readonly #aliases = new Map<string, number>();
  readonly #once = new Set<string>();

  /** @param maximum Topic Alias Maximum of the broker; 0 for none */
  constructor(maximum: number) {
    this.#maximum = Math.min(maximum, MOST);
  }

  /** What PUBLISH is to say in place of the topic name; it has to be sent, and in this order. */
  replace(topic: string): { topic: string; alias: number | undefined } {
    if (this.#maximum === 0) return { topic, alias: undefined };
    const known = this.#aliases.get(topic);
    if (known !== undefined) {
      this.#aliases.delete(topic);
      this.#aliases.set(topic, known);
      return { topic: '', alias: known };
    }
    if (!this.#once.delete(topic)) {
      if (this.#once.size === MOST_ONCE) this.#once.clear();
      this.#once.add(topic);
      return { topic, alias: undefined };
    }
    const alias = this.#free();
    this.#aliases.set(topic, alias);
    return { topic, alias };
  }

  #free(): number {
    if (this.#aliases.size < this.#maximum) return this.#aliases.size + 1;
    const [[oldest, alias] = ['', 1]] = this.#aliases;
    this.#aliases.delete(oldest);
    return alias;
  }
}
