import { Multimap } from '../rtps/multimap';

/** What is found in a ROS domain: each has a GUID, and many may have one name. */
export class FoundEndpoints<Endpoint extends { readonly guid: string; readonly rosName: string }> {
  readonly #all = new Map<string, Endpoint>();
  readonly #guids = new Multimap<string, string>();

  get(guid: string): Endpoint | undefined {
    return this.#all.get(guid);
  }

  /** @param rosName the name of those that are wanted; all where absent */
  *of(rosName?: string): Iterable<Endpoint> {
    if (rosName === undefined) yield* this.#all.values();
    else for (const guid of this.#guids.get(rosName)) yield this.#all.get(guid) as Endpoint;
  }

  /** Adds one, or what has become of it: it may have got another name. */
  set(endpoint: Endpoint): void {
    const { guid, rosName } = endpoint;
    if (this.#all.get(guid)?.rosName !== rosName) this.delete(guid);
    this.#all.set(guid, endpoint);
    this.#guids.add(rosName, guid);
  }

  /** Returns what was there. */
  delete(guid: string): Endpoint | undefined {
    const endpoint = this.#all.get(guid);
    if (endpoint === undefined) return undefined;
    this.#all.delete(guid);
    this.#guids.delete(endpoint.rosName, guid);
    return endpoint;
  }

  clear(): void {
    this.#all.clear();
    this.#guids.clear();
  }
}
