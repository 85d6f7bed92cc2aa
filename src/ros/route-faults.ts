/** A GUID, which a fault is about that an endpoint of others has. */
const GUID = /^[0-9a-f]{32}$/;

/** What is wrong with a route now, each in words that start with its name, by what it is about. */
export class RouteFaults {
  readonly #rosName: string;
  readonly #report: (fault: string, isOfEndpoint: boolean) => void;
  readonly #faults = new Map<string, string>();

  /** `report` is told faults as they come, and whether each is about an endpoint of others. */
  constructor(rosName: string, report: (fault: string, isOfEndpoint: boolean) => void) {
    this.#rosName = rosName;
    this.#report = report;
  }

  /** The oldest. */
  get first(): string | undefined {
    for (const fault of this.#faults.values()) return fault;
    return undefined;
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
    if (words !== before) this.#report(words, GUID.test(about));
  }

  clear(about: string): void {
    if (this.#faults.size > 0) this.#faults.delete(about);
  }

  /** The first about an endpoint of others. */
  get ofEndpoint(): string | undefined {
    for (const [about, fault] of this.#faults) if (GUID.test(about)) return fault;
    return undefined;
  }

  /** Forgets what is about endpoints that have gone. */
  keepEndpoints(isThere: (guid: string) => boolean): void {
    for (const about of this.#faults.keys())
      if (GUID.test(about) && !isThere(about)) this.#faults.delete(about);
  }
}
