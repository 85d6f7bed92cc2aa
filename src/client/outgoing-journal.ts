import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { DirectoryLock } from '../journal/directory-lock';
import {
  appendFrame,
  createJournalFile,
  FILE_HEADER_BYTES,
  type JournalFormat,
  JournalReader,
  syncDirectory,
} from '../journal/journal-file';
import type { OutgoingMessage } from './outgoing-message';
import { applyRecords, type OutgoingRecord, writeRecord } from './outgoing-record';

const FORMAT: JournalFormat = { magic: 'MQTTROSQ', version: 1 };
const NAME = /^(\d{10})\.queue$/;
/** The file is written anew when it has this many bytes more than twice what is still needed of it. */
const SLACK_BYTES = 4 * 1024 * 1024;
const FRAME_BYTES = 1024 * 1024;
const HIGHEST_ID = 0xffffffff;
/** After an error of the file system, how long until writing is tried again, in ms. */
const RETRY_MS = 5000;

/**
 * Keeps messages of QoS 1 and 2 in a file, with as much of their state as they need to go on after a restart, until
 * they are done. What is noted during one turn of the event loop is written as one frame; one `fdatasync` at a time
 * follows and covers all that was written before it.
 *
 * When the file system fails the messages go on in memory, which `fault` says, and the file is written anew as soon as
 * that succeeds.
 */
export class OutgoingJournal {
  readonly #directory: string;
  readonly #lock: DirectoryLock;
  readonly #faultChanged: (fault: string | undefined) => void;
  readonly #live = new Map<number, OutgoingMessage>();
  readonly #ids = new WeakMap<OutgoingMessage, number>();
  #liveBytes = 0;
  #lastId = 0;
  #lastFile = 0;
  #descriptor: number | undefined;
  #size = 0;
  #records: Buffer[] = [];
  #scheduled = false;
  #syncing = false;
  /** Calls for when the disk has what was noted until then. */
  #waiting: (() => void)[] = [];
  #fault: string | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param faultChanged hears why the disk does not have what it should, and `undefined` when it has again */
  constructor(directory: string, faultChanged: (fault: string | undefined) => void) {
    this.#directory = directory;
    this.#lock = new DirectoryLock(directory);
    this.#faultChanged = faultChanged;
  }

  /**
   * Reads what an earlier run has left, in the order in which it was published.
   * @returns also what was damaged in the file, in words; what follows the damage is left out
   * @throws StoreInUseError, StoreVersionError, Error of the file system
   */
  async open(): Promise<{ messages: OutgoingMessage[]; damage: string | undefined }> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    await this.#lock.acquire();
    try {
      const { messages, damage } = this.#load();
      const early = [...this.#live.values()];
      this.#live.clear();
      this.#liveBytes = 0;
      for (const message of [...messages, ...early]) this.#number(message);
      this.#writeAnew();
      this.#callBack();
      return { messages, damage };
    } catch (error) {
      await this.#lock.release();
      throw error;
    }
  }

  /** Takes a message in; it is kept until `done`. */
  add(message: OutgoingMessage): void {
    const id = this.#number(message);
    this.#note({ type: 'message', id, message });
  }

  /** The message is about to be sent under the packet identifier that it has. */
  sent(message: OutgoingMessage): void {
    const id = this.#ids.get(message);
    if (id !== undefined && message.packetId !== undefined) {
      this.#note({ type: 'sent', id, packetId: message.packetId });
    }
  }

  /** The broker has taken the message over. */
  taken(message: OutgoingMessage): void {
    const id = this.#ids.get(message);
    if (id !== undefined) this.#note({ type: 'taken', id });
  }

  done(message: OutgoingMessage): void {
    const id = this.#ids.get(message);
    if (id === undefined || this.#closed || !this.#live.delete(id)) return;
    this.#liveBytes -= message.bytes;
    this.#note({ type: 'done', id });
  }

  /** Calls back when the disk has all that was noted so far, or cannot have it. */
  whenDurable(callback: () => void): void {
    if (this.#fault === undefined && !this.#closed) this.#waiting.push(callback);
    else callback();
    this.#schedule();
  }

  /** Writes and syncs what is left; what is not done stays for the next run. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#commit();
    this.#closed = true;
    clearTimeout(this.#retry);
    try {
      if (this.#descriptor !== undefined) fdatasyncSync(this.#descriptor);
    } catch (error) {
      this.#fail(error);
    }
    // Without a file nothing has become durable.
    if (this.#descriptor !== undefined) this.#callBack();
    if (this.#descriptor !== undefined && !this.#syncing) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    await this.#lock.release();
  }

  #number(message: OutgoingMessage): number {
    do this.#lastId = this.#lastId === HIGHEST_ID ? 1 : this.#lastId + 1;
    while (this.#live.has(this.#lastId));
    const id = this.#lastId;
    this.#ids.set(message, id);
    this.#live.set(id, message);
    this.#liveBytes += message.bytes;
    return id;
  }

  #note(record: OutgoingRecord): void {
    // Without a file there will be one that has all.
    if (this.#descriptor === undefined || this.#closed) return;
    this.#records.push(writeRecord(record));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed) return;
      this.#commit();
      if (this.#fault === undefined) this.#sync();
    });
  }

  #commit(): void {
    const records = this.#records.splice(0);
    if (this.#descriptor === undefined || records.length === 0) return;
    try {
      this.#size += appendFrame(this.#descriptor, Buffer.concat(records));
      if (this.#size > 2 * this.#liveBytes + SLACK_BYTES) this.#writeAnew();
    } catch (error) {
      this.#fail(error);
    }
  }

  #sync(): void {
    const descriptor = this.#descriptor;
    if (this.#syncing || descriptor === undefined || this.#waiting.length === 0) return;
    this.#syncing = true;
    const covered = this.#waiting.splice(0);
    fdatasync(descriptor, (error) => {
      this.#syncing = false;
      if (descriptor !== this.#descriptor) closeSync(descriptor);
      // A file that was replaced meanwhile was synced then.
      else if (error) this.#fail(error);
      for (const callback of covered) callback();
      // Who has begun to wait meanwhile waits for records that may not be written yet.
      if (!this.#closed) this.#commit();
      this.#sync();
    });
  }

  /** Begins a file that has all that is not done, and nothing else. */
  #writeAnew(): void {
    const path = join(this.#directory, `${String(this.#lastFile + 1).padStart(10, '0')}.queue`);
    rmSync(`${path}.temporary`, { force: true });
    const descriptor = createJournalFile(`${path}.temporary`, FORMAT);
    let size = FILE_HEADER_BYTES;
    try {
      for (const frame of this.#frames()) size += appendFrame(descriptor, frame);
      fdatasyncSync(descriptor);
      renameSync(`${path}.temporary`, path);
      syncDirectory(this.#directory);
    } catch (error) {
      closeSync(descriptor);
      rmSync(`${path}.temporary`, { force: true });
      throw error;
    }
    const before = this.#descriptor;
    if (before !== undefined && !this.#syncing) closeSync(before);
    this.#descriptor = descriptor;
    this.#size = size;
    this.#records = [];
    this.#lastFile++;
    for (const { name, number } of this.#files()) {
      if (number < this.#lastFile) rmSync(join(this.#directory, name), { force: true });
    }
  }

  *#frames(): Generator<Buffer> {
    let [records, bytes]: [Buffer[], number] = [[], 0];
    for (const [id, message] of this.#live) {
      const record = writeRecord({ type: 'message', id, message });
      records.push(record);
      bytes += record.length;
      if (bytes < FRAME_BYTES) continue;
      yield Buffer.concat(records);
      [records, bytes] = [[], 0];
    }
    if (bytes > 0) yield Buffer.concat(records);
  }

  #load(): { messages: OutgoingMessage[]; damage: string | undefined } {
    for (const name of readdirSync(this.#directory)) {
      if (name.endsWith('.temporary')) rmSync(join(this.#directory, name));
    }
    const last = this.#files().at(-1);
    if (last === undefined) return { messages: [], damage: undefined };
    this.#lastFile = last.number;
    const path = join(this.#directory, last.name);
    const messages = new Map<number, OutgoingMessage>();
    const reader = new JournalReader(path, FORMAT);
    try {
      if (reader.readHeader()) {
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
          try {
            applyRecords(frame, messages);
          } catch (error) {
            reader.reject(error instanceof Error ? error.message : String(error));
          }
        }
      }
    } finally {
      reader.close();
    }
    const { damage } = reader;
    if (damage === undefined || damage.torn) return { messages: [...messages.values()], damage: undefined };
    renameSync(path, `${path}.damaged`);
    const words = `${path}: ${damage.reason} at byte ${damage.offset} of ${reader.size}; the rest is not used`;
    return { messages: [...messages.values()], damage: words };
  }

  #files(): { name: string; number: number }[] {
    return readdirSync(this.#directory)
      .flatMap((name) => {
        const match = NAME.exec(name);
        return match === null ? [] : [{ name, number: Number(match[1]) }];
      })
      .sort((a, b) => a.number - b.number);
  }

  #fail(error: unknown): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor !== undefined) {
      try {
        // A part of a frame may be there, which takes room.
        ftruncateSync(descriptor, this.#size);
      } catch {}
      if (!this.#syncing) closeSync(descriptor);
    }
    this.#records = [];
    this.#setFault(error instanceof Error ? error.message : String(error));
    this.#callBack();
    if (!this.#closed) this.#retry ??= setTimeout(() => this.#tryAgain(), RETRY_MS);
  }

  #tryAgain(): void {
    this.#retry = undefined;
    try {
      this.#writeAnew();
      this.#setFault(undefined);
    } catch (error) {
      this.#fail(error);
    }
  }

  #callBack(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }

  #setFault(fault: string | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    this.#faultChanged(fault);
  }
}
