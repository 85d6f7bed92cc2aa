/** A part of a list that may be long. */
export interface PageRequest {
  /** Entries to leave out before. */
  offset: number;
  /** Entries at most. */
  limit: number;
}

/** What was asked for of a list, and where it goes on. */
export interface Page<T> {
  entries: T[];
  /** The offset of the next page; absent when this is the last one. */
  next?: number;
}

/** Bytes that the entries of a page have together, apart from a last one. */
const PAGE_BYTES = 1024 * 1024;

/** The wanted page of all entries that there are: no more of them is looked at than its end needs. */
export function pageOf<T>(
  all: Iterable<T>,
  { offset, limit }: PageRequest,
  sizeOf: (entry: T) => number,
): Page<T> {
  const entries: T[] = [];
  let index = 0;
  let bytes = 0;
  for (const entry of all) {
    if (index++ < offset) continue;
    if (entries.length === limit || bytes >= PAGE_BYTES) return { entries, next: offset + entries.length };
    entries.push(entry);
    bytes += sizeOf(entry);
  }
  return { entries };
}
