/** Most nodes of deep filters have one child: a map for it would take four times the memory of all the rest. */
interface TrieNode<T> {
  /** The only child and its level, while there is one. */
  level: string | undefined;
  child: TrieNode<T> | undefined;
  /** The children, once there were several. */
  children: Map<string, TrieNode<T>> | undefined;
  values: Set<T> | undefined;
}

const newNode = <T>(): TrieNode<T> => ({
  level: undefined,
  child: undefined,
  children: undefined,
  values: undefined,
});

function childOf<T>(node: TrieNode<T>, level: string): TrieNode<T> | undefined {
  if (node.children !== undefined) return node.children.get(level);
  return node.level === level ? node.child : undefined;
}

function addChild<T>(node: TrieNode<T>, level: string): TrieNode<T> {
  const child = newNode<T>();
  if (node.children !== undefined) {
    node.children.set(level, child);
  } else if (node.child === undefined) {
    node.level = level;
    node.child = child;
  } else {
    node.children = new Map([
      [node.level as string, node.child],
      [level, child],
    ]);
    node.level = undefined;
    node.child = undefined;
  }
  return child;
}

function removeChild<T>(node: TrieNode<T>, level: string): void {
  if (node.children === undefined) {
    node.level = undefined;
    node.child = undefined;
    return;
  }
  node.children.delete(level);
  if (node.children.size === 0) node.children = undefined;
}

const isUnused = ({ child, children, values }: TrieNode<unknown>) =>
  child === undefined && children === undefined && values === undefined;

/** Matches of this many distinct topic names are remembered before the cache starts over. */
const MAX_CACHED_TOPICS = 10_000;
/** And of this many matches in all: many topics that many filters match would fill the memory as well. */
const MAX_CACHED_VALUES = 200_000;
/** A longer topic name is matched anew each time, so that hostile ones cannot fill the memory by way of the cache. */
const MAX_CACHED_LENGTH = 512;

/**
 * Values by topic filter, found by topic name: wildcards `+` and `#`, empty levels, and `$`-topics hidden from
 * leading wildcards [MQTT-4.7.2-1]. Matching does not depend on how many filters there are.
 */
export class SubscriptionTrie<T> {
  readonly #root = newNode<T>();
  readonly #cache = new Map<string, readonly T[]>();
  #cachedValues = 0;
  #size = 0;

  /** How many (filter, value) pairs are held. */
  get size(): number {
    return this.#size;
  }

  /** Adds a value under a valid filter; a value already there is kept once. */
  add(filter: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split('/')) node = childOf(node, level) ?? addChild(node, level);
    node.values ??= new Set();
    if (node.values.has(value)) return;
    node.values.add(value);
    this.#size++;
    this.#forget();
  }

  /** Removes a value from a filter and says whether it was there. */
  delete(filter: string, value: T): boolean {
    const levels = filter.split('/');
    const path = [this.#root];
    let leaf = this.#root;
    for (const level of levels) {
      const child = childOf(leaf, level);
      if (child === undefined) return false;
      path.push(child);
      leaf = child;
    }
    if (leaf.values?.delete(value) !== true) return false;
    this.#size--;
    this.#forget();
    if (leaf.values.size === 0) leaf.values = undefined;
    for (let depth = levels.length; depth > 0 && isUnused(path[depth] as TrieNode<T>); depth--) {
      removeChild(path[depth - 1] as TrieNode<T>, levels[depth - 1] as string);
    }
    return true;
  }

  /** Each value whose filters match the topic name, once. The array is shared with the cache: do not change it. */
  match(topic: string): readonly T[] {
    const cached = this.#cache.get(topic);
    if (cached !== undefined) return cached;
    const found = new Set<T>();
    let nodes = [this.#root];
    // Level by level instead of recursively: a topic may have 65,535 levels.
    for (const [index, level] of topic.split('/').entries()) {
      const wildcards = index > 0 || !topic.startsWith('$');
      const next: TrieNode<T>[] = [];
      for (const node of nodes) {
        if (wildcards) addAll(childOf(node, '#')?.values, found);
        const exact = childOf(node, level);
        if (exact !== undefined) next.push(exact);
        const plus = wildcards ? childOf(node, '+') : undefined;
        if (plus !== undefined) next.push(plus);
      }
      nodes = next;
      if (nodes.length === 0) break;
    }
    for (const node of nodes) {
      addAll(node.values, found);
      // "sport/#" also matches "sport" itself [MQTT-4.7.1-2].
      addAll(childOf(node, '#')?.values, found);
    }
    const result = [...found];
    if (topic.length > MAX_CACHED_LENGTH) return result;
    if (this.#cache.size >= MAX_CACHED_TOPICS || this.#cachedValues >= MAX_CACHED_VALUES) this.#forget();
    this.#cache.set(topic, result);
    this.#cachedValues += result.length;
    return result;
  }

  #forget(): void {
    this.#cache.clear();
    this.#cachedValues = 0;
  }
}

function addAll<T>(values: Set<T> | undefined, found: Set<T>): void {
  if (values !== undefined) for (const value of values) found.add(value);
}
