import { SubscriptionTrie } from '../../topic/subscription-trie';
import { topicNameFault } from '../../topic/topic-name';
import { joined, leading } from './upstream-route';

/** From which filter to which prefix. */
export interface MappingRule {
  /** With its prefix. */
  filter: string;
  prefix: string;
  /** In place of `prefix`. */
  newPrefix: string;
}

/** Topic names that are remembered before the memory starts over, and the longest one that is. */
const REMEMBERED = 4096;
const LONGEST_REMEMBERED = 256;

/**
 * What topics are called on the other side. The first rule whose filter matches decides. A name that is not valid there
 * has none; nor has one that would begin with `$` unless the rule itself says so: such topics are each broker's own.
 */
export class TopicMapping {
  readonly #rules: readonly MappingRule[];
  readonly #trie = new SubscriptionTrie<number>();
  // By the name's bytes as latin1, which takes no decoding.
  readonly #known = new Map<string, Buffer | undefined>();

  constructor(rules: readonly MappingRule[]) {
    this.#rules = rules;
    for (const [index, { filter }] of rules.entries()) this.#trie.add(filter, index);
  }

  /** The name on the other side of the topic whose name stands in this buffer. */
  map(bytes: Buffer, start: number, end: number): Buffer | undefined {
    if (end - start > LONGEST_REMEMBERED) return this.#find(bytes.toString('utf8', start, end));
    const key = bytes.toString('latin1', start, end);
    const known = this.#known.get(key);
    if (known !== undefined || this.#known.has(key)) return known;
    const found = this.#find(bytes.toString('utf8', start, end));
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }

  #find(topic: string): Buffer | undefined {
    const matching = this.#trie.match(topic);
    if (matching.length === 0) return undefined;
    const rule = this.#rules[Math.min(...matching)] as MappingRule;
    const prefix = leading(rule.prefix);
    const newPrefix = leading(rule.newPrefix);
    // "plant/#" matches "plant" as well, whose prefix has no slash.
    const mapped = topic.startsWith(prefix)
      ? newPrefix + topic.slice(prefix.length)
      : newPrefix.replace(/\/$/, '');
    if (topicNameFault(mapped) !== undefined) return undefined;
    const named = joined(rule.newPrefix, rule.filter.slice(prefix.length)).startsWith('$');
    return mapped.startsWith('$') && !named ? undefined : Buffer.from(mapped);
  }
}
