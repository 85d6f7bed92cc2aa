import { closeSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryLock } from '../../journal/directory-lock';
import { createJournalFile, frameHeader, JournalReader, syncDirectory } from '../../journal/journal-file';
import { WireReader } from '../codec/wire-reader';
import { WireWriter } from '../codec/wire-writer';
import { JOURNAL_FORMAT, type JournalRecord, readRecord, writeRecord } from './journal-record';
import type { StoredState } from './stored-state';

/** Bytes of a snapshot that are encoded and written in one step. */
const SNAPSHOT_FRAME_BYTES = 128 * 1024;
const NAME = /^(\d{10})\.(journal|snapshot)$/;

/**
 * The files of a journal. Those with the same number belong together: `<number>.snapshot` says all that was before
 * `<number>.journal` began. A snapshot has its name only once it is complete.
 */
export class JournalDirectory {
  readonly path: string;
  readonly #lock: DirectoryLock;
  readonly #damaged = new Set<string>();
  /** What was put aside before. */
  #earlierDamage: string[] = [];
  #lastNumber = 0;

  constructor(path: string) {
    this.path = path;
    this.#lock = new DirectoryLock(path);
  }

  /**
   * Creates the directory where it is not there, and holds it until `close`.
   * @throws StoreInUseError
   * @throws Error of the file system
   */
  async open(): Promise<void> {
    try {
      mkdirSync(this.path, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new Error(`the storage directory ${this.path} cannot be created: ${(error as Error).message}`);
    }
    await this.#lock.acquire();
  }

  async close(): Promise<void> {
    await this.#lock.release();
  }

  get lastNumber(): number {
    return this.#lastNumber;
  }

  journalPath(number: number): string {
    return join(this.path, `${String(number).padStart(10, '0')}.journal`);
  }

  snapshotPath(number: number): string {
    return join(this.path, `${String(number).padStart(10, '0')}.snapshot`);
  }

  /** The number of a new file. */
  nextNumber(): number {
    return ++this.#lastNumber;
  }

  /**
   * Reads all that is there into a state. What follows damage in a file is left out, and the files after it are still
   * read. Returns what was damaged, in words; that the last write of a crashed process is not complete is no damage.
   * @throws StoreVersionError
   * @throws Error of the file system
   */
  load(state: StoredState): string[] {
    for (const name of readdirSync(this.path)) {
      if (name.endsWith('.temporary')) rmSync(join(this.path, name));
    }
    const notices: string[] = [];
    this.#earlierDamage = readdirSync(this.path).filter((name) => name.endsWith('.damaged'));
    for (const name of this.#withoutHeader()) {
      // It must not pass for a snapshot that makes others superfluous, nor give its number away.
      renameSync(join(this.path, name), join(this.path, `${name}.damaged`));
      notices.push(`${name}: the header is damaged; put aside as ${name}.damaged`);
    }
    const files = this.#files();
    this.#lastNumber = files.at(-1)?.number ?? 0;
    const base = Math.max(0, ...files.filter(({ kind }) => kind === 'snapshot').map(({ number }) => number));
    for (const { name, number } of files) {
      if (number < base) continue;
      const notice = withReader(join(this.path, name), (reader) => readInto(state, reader));
      if (notice === undefined) continue;
      this.#damaged.add(name);
      notices.push(`${name}: ${notice}`);
    }
    state.removeUnnamed();
    return notices;
  }

  /**
   * Writes a snapshot, bit by bit.
   * @param stopped asked now and then; when it says true nothing is left of the snapshot
   * @returns whether it was completed
   * @throws Error of the file system; nothing is left of the snapshot
   */
  async writeSnapshot(
    number: number,
    records: Iterable<JournalRecord>,
    stopped: () => boolean,
  ): Promise<boolean> {
    const temporary = `${this.snapshotPath(number)}.temporary`;
    try {
      await rm(temporary, { force: true });
      createAndClose(temporary);
      const file = await open(temporary, 'a');
      try {
        for (const payload of framesOf(records)) {
          if (stopped()) break;
          await file.appendFile(Buffer.concat([frameHeader(payload), payload]));
        }
        await file.sync();
      } finally {
        await file.close();
      }
      if (stopped()) {
        await rm(temporary);
        return false;
      }
      // It says already what came meanwhile, and that must not be on disk without the records of the same time.
      const journal = await open(this.journalPath(number), 'r+');
      try {
        await journal.datasync();
      } finally {
        await journal.close();
      }
      await rename(temporary, this.snapshotPath(number));
      syncDirectory(this.path);
      return true;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw error;
    }
  }

  /** Removes a journal whose records count for nothing; where that fails it stays, as they do no harm. */
  removeJournal(number: number): void {
    try {
      rmSync(this.journalPath(number), { force: true });
    } catch {}
  }

  /** Removes what a snapshot has made superfluous. A damaged file is put aside; only the last such are kept. */
  removeBefore(number: number): void {
    if (this.#damaged.size > 0) {
      for (const name of this.#earlierDamage) rmSync(join(this.path, name), { force: true });
      this.#earlierDamage = [];
    }
    for (const file of this.#files()) {
      if (file.number >= number) continue;
      const path = join(this.path, file.name);
      if (this.#damaged.has(file.name)) renameSync(path, `${path}.damaged`);
      else rmSync(path);
    }
    this.#damaged.clear();
  }

  /**
   * Files whose header is damaged. All are looked at before anything is done: nothing may be when a version is not known.
   * @throws StoreVersionError
   */
  #withoutHeader(): string[] {
    return this.#files().flatMap(({ name }) => {
      const sound = withReader(
        join(this.path, name),
        (reader) => reader.readHeader() || reader.damage?.torn === true,
      );
      return sound ? [] : [name];
    });
  }

  /** Snapshots before journals, in the order of their numbers. */
  #files(): Array<{ name: string; number: number; kind: string }> {
    const files = readdirSync(this.path).flatMap((name) => {
      const match = NAME.exec(name);
      return match === null ? [] : [{ name, number: Number(match[1]), kind: match[2] as string }];
    });
    return files.sort((a, b) => a.number - b.number || (a.kind === 'snapshot' ? -1 : 1));
  }
}

function createAndClose(path: string): void {
  closeSync(createJournalFile(path, JOURNAL_FORMAT));
}

function withReader<T>(path: string, use: (reader: JournalReader) => T): T {
  const reader = new JournalReader(path, JOURNAL_FORMAT);
  try {
    return use(reader);
  } finally {
    reader.close();
  }
}

function readInto(state: StoredState, reader: JournalReader): string | undefined {
  if (reader.readHeader()) {
    for (let payload = reader.next(); payload !== undefined; payload = reader.next()) {
      try {
        for (const record of recordsOf(payload)) state.apply(record);
      } catch (error) {
        reader.reject(error instanceof Error ? error.message : String(error));
        break;
      }
    }
  }
  const { damage } = reader;
  return damage === undefined || damage.torn
    ? undefined
    : `${damage.reason} at byte ${damage.offset} of ${reader.size}; the rest is not used`;
}

/** All records of a frame, or none. */
function recordsOf(payload: Buffer): JournalRecord[] {
  const reader = new WireReader(payload, 0, payload.length);
  const records: JournalRecord[] = [];
  while (reader.remaining > 0) records.push(readRecord(reader));
  return records;
}

function* framesOf(records: Iterable<JournalRecord>): Generator<Buffer> {
  let writer = new WireWriter();
  for (const record of records) {
    writeRecord(writer, record);
    if (writer.length < SNAPSHOT_FRAME_BYTES) continue;
    yield writer.finish();
    writer = new WireWriter();
  }
  if (writer.length > 0) yield writer.finish();
}
