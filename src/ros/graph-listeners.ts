import { Multimap } from '../rtps/multimap';

type Listener = () => void;

/** Who is told that a ROS graph has changed: of all changes, or of those of what has one name. */
export class GraphListeners {
  readonly #ofAll = new Set<Listener>();
  readonly #ofNames = new Multimap<string, Listener>();

  /** @param rosName absent: all changes. @returns what ends it */
  add(listener: Listener, rosName?: string): () => void {
    if (rosName === undefined) {
      this.#ofAll.add(listener);
      return () => this.#ofAll.delete(listener);
    }
    this.#ofNames.add(rosName, listener);
    return () => this.#ofNames.delete(rosName, listener);
  }

  /** @param rosNames of the publishers, subscriptions and services that have come, changed or gone */
  tell(rosNames: Iterable<string> = []): void {
    for (const rosName of rosNames) for (const listener of [...this.#ofNames.get(rosName)]) listener();
    for (const listener of [...this.#ofAll]) listener();
  }

  clear(): void {
    this.#ofAll.clear();
    this.#ofNames.clear();
  }
}
