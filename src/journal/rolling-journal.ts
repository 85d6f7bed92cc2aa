import { closeSync, ftruncateSync, mkdirSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryLock } from './directory-lock';
import {
  appendFrame,
  createJournalFile,
  FILE_HEADER_BYTES,
  type JournalFormat,
  JournalReader,
  syncFile,
  syncNames,
  writeFrame,
} from './journal-file';

/** The state is written anew when the files have this many bytes more than twice what is still needed of them. */
const SLACK_BYTES = 4 * 1024 * 1024;
/** Records of a frame, about: what is read, or written anew, at a stretch. */
const FRAME_BYTES = 64 * 1024;
/** How long reading may keep the event loop at a stretch, in ms. */
const READING_MS = 5;
/** After an error of the file system, how long until writing is tried again, in ms. */
const RETRY_MS = 5000;
const TEMPORARY = '.temporary';

/** The state of which a journal has the changes. */
export interface JournalState {
  /** Makes the changes of a frame, which is valid during the call only; throws when its bytes are no records. */
  apply(frame: Buffer): void;
  /** Records that make the present state from nothing; those of what changes while they are asked for may be left out or have the change. */
  snapshot(): Iterable<Buffer>;
  /** Bytes that such records take, about. */
  bytes(): number;
}

export interface RollingJournalOptions {
  format: JournalFormat;
  /** Of the files' names. */
  extension: string;
  state: JournalState;
  /** Hears why the disk does not have what it should, and `undefined` when it has again. */
  faultChanged(fault: string | undefined): void;
}

interface JournalFile {
  readonly name: string;
  readonly number: number;
  readonly isSnapshot: boolean;
}

/**
 * A state on the disk, as changes of it: what is appended during one turn of the event loop is written at its end, and
 * one `fdatasync` at a time follows and covers all that was written before it.
 *
 * The changes are in numbered files. When they have grown, a new file takes those that follow, and meanwhile the state is
 * written as a snapshot, bit by bit, with the number between that file and those before: a snapshot stands for all files
 * with lower numbers. Until it is complete and has its name they stay, so that a crash at any point finds either.
 *
 * When the file system fails nothing is kept any more, which `faultChanged` tells, and a snapshot is begun as soon as
 * that succeeds. The records have to be such that applying one again, or one about what is not there, does no harm.
 */
export class RollingJournal {
  readonly #directory: string;
  readonly #options: RollingJournalOptions;
  readonly #lock: DirectoryLock;
  #lastNumber = 0;
  /** Takes the changes. */
  #descriptor: number | undefined;
  /** Bytes in it, and in all files. */
  #size = 0;
  #total = 0;
  /** Files that take no more, and are to be synced before the present one counts. */
  #earlier: number[] = [];
  /** Files to be closed when no sync is under way. */
  #finished: number[] = [];
  /** The directory may not have the name of the file yet. */
  #isNew = false;
  #records: Buffer[] = [];
  #scheduled = false;
  #syncing: Promise<void> | undefined;
  #rewriting: Promise<void> | undefined;
  readonly #damaged = new Set<string>();
  /** Calls for when the disk has what was appended until then. */
  #waiting: (() => void)[] = [];
  #fault: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param directory of the journal's own, made if it is not there */
  constructor(directory: string, options: RollingJournalOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#lock = new DirectoryLock(directory);
  }

  /**
   * Has the state made from what an earlier run has left; from then on it can be appended to.
   * @returns what was damaged in a file, in words; what follows the damage in it is left out
   * @throws StoreInUseError, StoreVersionError, Error of the file system
   */
  async open(): Promise<string | undefined> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    await this.#lock.acquire();
    try {
      const files = await this.#files();
      const last = files.filter(({ isSnapshot }) => isSnapshot).at(-1)?.number ?? 0;
      const damages: string[] = [];
      for (const file of files) {
        this.#lastNumber = file.number;
        if (file.number >= last) damages.push(...(await this.#read(file)));
      }
      if (files.length === 0) this.#begin(1);
      else this.#rewrite();
      this.#schedule();
      return damages.length === 0 ? undefined : damages.join('; ');
    } catch (error) {
      await this.#lock.release();
      throw error;
    }
  }

  /** Adds a change, which is written at the end of this turn of the event loop. */
  append(record: Buffer): void {
    // Without a file there will be a snapshot that has all.
    if (this.#descriptor === undefined || this.#closed) return;
    this.#records.push(record);
    this.#schedule();
  }

  /** Writes what was appended: the disk may not have it yet, but it survives this process. */
  write(): void {
    const records = this.#records.splice(0);
    const descriptor = this.#descriptor;
    if (descriptor === undefined || records.length === 0) return;
    try {
      for (const frame of framesOf(records)) {
        const size = appendFrame(descriptor, frame);
        this.#size += size;
        this.#total += size;
      }
      if (this.#total > 2 * this.#options.state.bytes() + SLACK_BYTES) this.#rewrite();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Calls back when the disk has all that was appended so far, or cannot have it. */
  whenDurable(callback: () => void): void {
    if (this.#fault === undefined && !this.#closed) this.#waiting.push(callback);
    else callback();
    this.#schedule();
  }

  /** Writes and syncs what is left. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.write();
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#rewriting;
    await this.#syncing;
    // Without a file nothing has become durable.
    if (this.#descriptor !== undefined) {
      await this.#sync();
      this.#callBack(this.#waiting.splice(0));
      if (this.#descriptor !== undefined) closeSync(this.#descriptor);
      this.#descriptor = undefined;
    }
    await this.#lock.release();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed) return;
      this.write();
      this.#syncWaiting();
    });
  }

  #syncWaiting(): void {
    if (this.#syncing !== undefined || this.#descriptor === undefined || this.#fault !== undefined) return;
    if (this.#waiting.length === 0) return;
    const covered = this.#waiting.splice(0);
    this.#syncing = this.#sync().then(() => {
      this.#syncing = undefined;
      this.#callBack(covered);
      if (this.#closed) return;
      // Who has begun to wait meanwhile waits for records that may not be written yet.
      this.write();
      this.#syncWaiting();
    });
  }

  /** Has the disk take all that is written. Never rejects: that it cannot is a fault. */
  async #sync(): Promise<void> {
    const earlier = this.#earlier.splice(0);
    const isNew = this.#isNew;
    this.#isNew = false;
    try {
      for (const descriptor of [...earlier, this.#descriptor as number]) await syncFile(descriptor);
      if (isNew) await syncNames(this.#directory);
    } catch (error) {
      this.#fail(error);
    }
    this.#finished.push(...earlier);
    this.#closeFinished();
  }

  #closeFinished(): void {
    for (const descriptor of this.#finished.splice(0)) closeSync(descriptor);
  }

  /** Has what follows go to another file. */
  #begin(number: number): void {
    const name = `${nameOf(number)}.${this.#options.extension}`;
    const descriptor = createJournalFile(join(this.#directory, name), this.#options.format);
    if (this.#descriptor !== undefined) this.#earlier.push(this.#descriptor);
    this.#descriptor = descriptor;
    this.#isNew = true;
    this.#lastNumber = number;
    this.#size = FILE_HEADER_BYTES;
    this.#total += FILE_HEADER_BYTES;
  }

  /** Begins another file, and to write what it stands on. */
  #rewrite(): void {
    if (this.#rewriting !== undefined) return;
    const number = this.#lastNumber + 1;
    this.#begin(number + 1);
    this.#rewriting = this.#writeSnapshot(number)
      .catch((error) => this.#fail(error))
      .then(() => {
        this.#rewriting = undefined;
      });
  }

  async #writeSnapshot(number: number): Promise<void> {
    const path = join(this.#directory, `${nameOf(number)}.snapshot`);
    const before = this.#total;
    const log = this.#descriptor;
    const givenUp = () => this.#closed || this.#descriptor !== log;
    const frames = framesOf(this.#options.state.snapshot());
    const temporary = path + TEMPORARY;
    let size = FILE_HEADER_BYTES;
    const descriptor = createJournalFile(temporary, this.#options.format);
    try {
      for (const frame of frames) {
        if (givenUp()) break;
        size += await writeFrame(descriptor, frame);
      }
      if (!givenUp()) await syncFile(descriptor);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    } finally {
      closeSync(descriptor);
    }
    if (givenUp()) return rm(temporary, { force: true });
    await rename(temporary, path);
    await syncNames(this.#directory);
    for (const file of await this.#files()) if (file.number < number) await this.#remove(file.name);
    this.#total += size - before;
    this.#setFault(undefined);
    this.#schedule();
  }

  /** @returns what is damaged, in words, if anything is */
  async #read(file: JournalFile): Promise<string[]> {
    const path = join(this.#directory, file.name);
    const reader = new JournalReader(path, this.#options.format);
    try {
      let since = performance.now();
      if (reader.readHeader()) {
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          try {
            this.#options.state.apply(frame);
          } catch (error) {
            reader.reject(errorText(error));
          }
          if (performance.now() - since < READING_MS) continue;
          await new Promise(setImmediate);
          since = performance.now();
        }
      }
    } finally {
      reader.close();
    }
    this.#total += reader.size;
    const { damage } = reader;
    if (damage === undefined || (damage.torn && !file.isSnapshot)) return [];
    this.#damaged.add(file.name);
    return [`${path}: ${damage.reason} at byte ${damage.offset} of ${reader.size}; the rest is not used`];
  }

  /** What was damaged is put aside, for those who want to look into it. */
  async #remove(name: string): Promise<void> {
    const path = join(this.#directory, name);
    if (this.#damaged.delete(name)) await rename(path, `${path}.damaged`);
    else await rm(path, { force: true });
  }

  /** In the order of their numbers; what was begun and not completed is removed. */
  async #files(): Promise<JournalFile[]> {
    const files: JournalFile[] = [];
    const pattern = new RegExp(`^(\\d{10})\\.(snapshot|${this.#options.extension})$`);
    for (const name of await readdir(this.#directory)) {
      const [, number, kind] = pattern.exec(name) ?? [];
      if (number !== undefined) files.push({ name, number: Number(number), isSnapshot: kind === 'snapshot' });
      else if (name.endsWith(TEMPORARY)) await rm(join(this.#directory, name), { force: true });
    }
    return files.sort((a, b) => a.number - b.number);
  }

  #fail(error: unknown): void {
    this.#finished.push(...this.#earlier.splice(0));
    if (this.#descriptor !== undefined) {
      try {
        // A part of a frame may be there, which takes room.
        ftruncateSync(this.#descriptor, this.#size);
      } catch {}
      this.#finished.push(this.#descriptor);
      this.#descriptor = undefined;
    }
    if (this.#syncing === undefined) this.#closeFinished();
    this.#records = [];
    this.#setFault(errorText(error));
    this.#callBack(this.#waiting.splice(0));
    if (!this.#closed) this.#retry ??= setTimeout(() => void this.#tryAgain(), RETRY_MS);
  }

  async #tryAgain(): Promise<void> {
    await this.#rewriting;
    this.#retry = undefined;
    if (this.#closed) return;
    try {
      this.#rewrite();
    } catch (error) {
      this.#fail(error);
    }
  }

  #callBack(callbacks: (() => void)[]): void {
    for (const callback of callbacks) callback();
  }

  #setFault(fault: string | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.#options.faultChanged(fault);
  }
}

const nameOf = (number: number): string => String(number).padStart(10, '0');

const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Records put together, so that a frame has some of them and no more than one that is long. */
function* framesOf(records: Iterable<Buffer>): Generator<Buffer> {
  let [frame, bytes]: [Buffer[], number] = [[], 0];
  for (const record of records) {
    frame.push(record);
    bytes += record.length;
    if (bytes < FRAME_BYTES) continue;
    yield Buffer.concat(frame);
    [frame, bytes] = [[], 0];
  }
  if (bytes > 0) yield Buffer.concat(frame);
}
