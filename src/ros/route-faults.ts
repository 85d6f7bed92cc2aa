/** What is wrong with a route now, each in words that start with its name, by what it is about. */
export class RouteFaults {
  readonly #rosName: string;
  readonly #report: (fault: string) => void;
  readonly #faults = new Map<string, string>();

  /** `report` is told faults as they come. */
  constructor(rosName: string, report: (fault: string) => void) {
    this.#rosName = rosName;
    this.#report = report;
  }

  /** The oldest first. */
  get all(): string[] {
    return [...this.#faults.values()];
  }

  /** A fault that takes the place of another about the same; returns its words. */
  set(about: string, fault: string): string {
    const words = `${this.#rosName}: ${fault}`;
    this.#faults.set(about, words);
    return words;
  }

  /** The same, and tells of it, unless it was told and is still there. */
  report(about: string, fault: string): void {
    const before = this.#faults.get(about);
    const words = this.set(about, fault);
    if (words !== before) this.#report(words);
  }

  clear(about: string): void {
    if (this.#faults.size > 0) this.#faults.delete(about);
  }

  /** Forgets what is about none of those that are still there. */
  keep(isThere: (about: string) => boolean): void {
    for (const about of this.#faults.keys()) if (!isThere(about)) this.#faults.delete(about);
  }
}
