/** Values by keys, of which each may have several; they come in the order in which they were added. */
export class Multimap<Key, Value> {
  readonly #sets = new Map<Key, Set<Value>>();

  /** How many keys have values. */
  get size(): number {
    return this.#sets.size;
  }

  /** The values of a key; what is added or deleted meanwhile is met as in a Set. */
  get(key: Key): Iterable<Value> {
    return this.#sets.get(key) ?? [];
  }

  add(key: Key, value: Value): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([value]));
    else set.add(value);
  }

  /** Returns whether the key had it. */
  delete(key: Key, value: Value): boolean {
    const set = this.#sets.get(key);
    if (set?.delete(value) !== true) return false;
    if (set.size === 0) this.#sets.delete(key);
    return true;
  }

  clear(): void {
    this.#sets.clear();
  }
}
