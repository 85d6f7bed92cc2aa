/** Memory for topics is bounded: no more aliases are remembered, whatever the broker allows, */
const MOST = 1024;
/** and no more topics that have come once. */
const MOST_ONCE = 256;

/** What PUBLISH says in place of a topic name: nothing with an alias that stands for it. */
export interface ShortTopic {
  topic: string;
  alias: number | undefined;
}

/**
 * The topic aliases of one connection for what is published (MQTT 5.0 section 3.3.2.3.4): those that messages ask for,
 * and automatic ones. Automatically a topic gets one when it comes the second time; when there are no more, the topic
 * that has not been used for longest loses its own. No topic has two at a time, and no alias two topics.
 */
export class TopicAliases {
  readonly #maximum: number;
  readonly #automatic: boolean;
  /** In the order of their last use. */
  readonly #aliases = new Map<string, number>();
  readonly #topics = new Map<number, string>();
  readonly #once = new Set<string>();

  /** @param maximum Topic Alias Maximum of the broker; 0 for none */
  constructor(maximum: number, automatic: boolean) {
    this.#maximum = maximum;
    this.#automatic = automatic;
  }

  /**
   * What PUBLISH is to say in place of the topic name; it has to be sent, and in this order.
   * @param wanted the alias that the message asks for; left out where it is more than the maximum
   */
  replace(topic: string, wanted?: number): ShortTopic {
    const asked = wanted !== undefined && wanted <= this.#maximum ? wanted : undefined;
    if (asked === undefined && !this.#automatic) return { topic, alias: undefined };
    const known = this.#aliases.get(topic);
    if (known !== undefined && (asked ?? known) === known) {
      this.#aliases.delete(topic);
      this.#aliases.set(topic, known);
      return { topic: '', alias: known };
    }
    const alias = asked ?? this.#next(topic);
    if (alias !== undefined) this.#set(topic, alias);
    return { topic, alias };
  }

  /** The alias that is due to a topic without one, if it is due. */
  #next(topic: string): number | undefined {
    if (this.#maximum === 0) return undefined;
    if (!this.#once.delete(topic)) {
      if (this.#once.size === MOST_ONCE) this.#once.clear();
      this.#once.add(topic);
      return undefined;
    }
    if (this.#aliases.size >= Math.min(this.#maximum, MOST)) return this.#forgetOldest();
    for (let alias = 1; ; alias++) if (!this.#topics.has(alias)) return alias;
  }

  #set(topic: string, alias: number): void {
    const before = this.#aliases.get(topic);
    if (before !== undefined) this.#topics.delete(before);
    const other = this.#topics.get(alias);
    if (other !== undefined) this.#aliases.delete(other);
    this.#aliases.delete(topic);
    if (this.#aliases.size === MOST) this.#forgetOldest();
    this.#aliases.set(topic, alias);
    this.#topics.set(alias, topic);
  }

  #forgetOldest(): number | undefined {
    for (const [topic, alias] of this.#aliases) {
      this.#aliases.delete(topic);
      this.#topics.delete(alias);
      return alias;
    }
    return undefined;
  }
}
