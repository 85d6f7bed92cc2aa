import type { EndpointData } from './endpoint-data';

/** What is kept of the endpoints of one participant, by GUID. */
export class KnownEndpoints {
  readonly #endpoints = new Map<string, { readonly data: EndpointData; readonly bytes: number }>();
  #bytes = 0;

  /** Of all announcements. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#endpoints.size;
  }

  get(guid: string): EndpointData | undefined {
    return this.#endpoints.get(guid)?.data;
  }

  /** The bytes of the endpoint's announcement; 0 when it is not known. */
  bytesOf(guid: string): number {
    return this.#endpoints.get(guid)?.bytes ?? 0;
  }

  set(data: EndpointData, bytes: number): void {
    this.#bytes += bytes - this.bytesOf(data.guid);
    this.#endpoints.set(data.guid, { data, bytes });
  }

  delete(guid: string): void {
    this.#bytes -= this.bytesOf(guid);
    this.#endpoints.delete(guid);
  }

  *values(): IterableIterator<EndpointData> {
    for (const { data } of this.#endpoints.values()) yield data;
  }
}
