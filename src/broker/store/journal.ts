import { closeSync, fdatasync, fdatasyncSync, ftruncateSync } from 'node:fs';
import { appendFrame, createJournalFile, FILE_HEADER_BYTES, syncDirectory } from '../../journal/journal-file';
import { WireWriter } from '../codec/wire-writer';
import { JOURNAL_FORMAT, type JournalRecord, writeRecord } from './journal-record';

/** When a change counts as durable: once the system has it, which survives the death of the process, or once the disk has it. */
export type Durability = 'write' | 'strict';

/**
 * The file that records are appended to. Records gather until `commit` writes them as one frame; in strict mode one
 * `fdatasync` at a time follows and covers all that was written before it. After an error of the file system nothing
 * is written until `startFile` begins a new file, and nothing counts as durable until `recovered` says that a snapshot
 * holds what was not written.
 */
export class Journal {
  readonly #directory: string;
  readonly #strict: boolean;
  readonly #changed: () => void;
  #descriptor: number | undefined;
  /** Replaced while a sync of theirs was under way. */
  #retired: number[] = [];
  #writer = new WireWriter();
  #position = 0;
  #written = 0;
  #durable = 0;
  #size = 0;
  #bytes = 0;
  #syncing = false;
  #fault: string | undefined;

  /** @param changed called when `fault` has changed, and when `durable` has outside of a call */
  constructor(directory: string, durability: Durability, changed: () => void) {
    this.#directory = directory;
    this.#strict = durability === 'strict';
    this.#changed = changed;
  }

  /** Records appended. */
  get position(): number {
    return this.#position;
  }

  get durable(): number {
    return this.#durable;
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  /** Bytes written in all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is a file to write to. */
  get writing(): boolean {
    return this.#descriptor !== undefined;
  }

  append(record: JournalRecord): void {
    this.#position++;
    if (this.#descriptor !== undefined) writeRecord(this.#writer, record);
  }

  commit(): void {
    if (this.#writer.length === 0 || this.#descriptor === undefined) return;
    const payload = this.#writer.finish();
    this.#writer = new WireWriter();
    try {
      const bytes = appendFrame(this.#descriptor, payload);
      this.#size += bytes;
      this.#bytes += bytes;
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#written = this.#position;
    if (this.#fault !== undefined) return;
    if (this.#strict) this.#sync();
    else this.#durable = this.#written;
  }

  /**
   * Goes on in a new file.
   * @throws Error of the file system; then all is as before
   */
  startFile(path: string): void {
    this.commit();
    const descriptor = createJournalFile(path, JOURNAL_FORMAT);
    try {
      if (this.#strict) {
        fdatasyncSync(descriptor);
        syncDirectory(this.#directory);
        if (this.#descriptor !== undefined) fdatasyncSync(this.#descriptor);
      }
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    this.#retire();
    this.#descriptor = descriptor;
    this.#size = FILE_HEADER_BYTES;
    this.#bytes += FILE_HEADER_BYTES;
    this.#written = this.#position;
    if (this.#fault === undefined) this.#durable = this.#written;
  }

  /** A snapshot holds all that was noted before the present file began. */
  recovered(): void {
    this.commit();
    if (this.#fault === undefined || this.#descriptor === undefined) return;
    try {
      if (this.#strict) fdatasyncSync(this.#descriptor);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#fault = undefined;
    this.#durable = this.#written;
    this.#changed();
  }

  /** Nothing can be written. */
  fail(error: unknown): void {
    this.#fault = error instanceof Error ? error.message : String(error);
    this.#writer = new WireWriter();
    this.#cut();
    this.#changed();
  }

  /** Writes and syncs what is left. Errors change nothing any more: they were faults before. */
  close(): void {
    this.commit();
    try {
      if (this.#descriptor !== undefined) fdatasyncSync(this.#descriptor);
    } catch {}
    this.#retire();
  }

  #sync(): void {
    const descriptor = this.#descriptor;
    if (this.#syncing || descriptor === undefined) return;
    this.#syncing = true;
    const target = this.#written;
    fdatasync(descriptor, (error) => {
      this.#syncing = false;
      for (const retired of this.#retired) closeSync(retired);
      this.#retired = [];
      // A file that was replaced meanwhile was synced then.
      if (error && descriptor === this.#descriptor) this.fail(error);
      else if (this.#fault === undefined) this.#durable = Math.max(this.#durable, target);
      this.#changed();
      if (this.#fault === undefined && this.#written > this.#durable) this.#sync();
    });
  }

  #cut(): void {
    if (this.#descriptor === undefined) return;
    try {
      // A part of a frame may be there; a reader would stop at it, but it takes room.
      ftruncateSync(this.#descriptor, this.#size);
    } catch {}
    this.#retire();
  }

  #retire(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) return;
    if (this.#syncing) this.#retired.push(descriptor);
    else closeSync(descriptor);
  }
}
