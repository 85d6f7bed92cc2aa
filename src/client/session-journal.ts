import type { JournalFormat } from '../journal/journal-file';
import { RollingJournal } from '../journal/rolling-journal';
import type { OutgoingMessage } from './outgoing-message';
import { applyRecords, type JournalledSession, type SessionRecord, writeRecord } from './session-record';

const FORMAT: JournalFormat = { magic: 'MQTTROSQ', version: 1 };
const HIGHEST_ID = 0xffffffff;

/** What an earlier run has left. */
export interface LeftSession {
  /** In the order in which they were published. */
  messages: OutgoingMessage[];
  /** Packet identifiers of QoS 2 that were received, and that the broker has not released. */
  received: number[];
  /** What was damaged on the disk, in words. */
  damage: string | undefined;
}

/**
 * Keeps on the disk what of a session has to outlive the process: messages of QoS 1 and 2 that are published, with as
 * much of their state as they need to go on after a restart, until they are done; and the packet identifiers of the
 * messages of QoS 2 that were received, until they are released.
 *
 * When the file system fails both go on in memory, which `faultChanged` tells, until all of it is on the disk again.
 */
export class SessionJournal {
  readonly #journal: RollingJournal;
  readonly #live = new Map<number, OutgoingMessage>();
  readonly #received = new Set<number>();
  /** Added before the journal was open: they come after what an earlier run has left. */
  #early: Set<OutgoingMessage> | undefined = new Set();
  #liveBytes = 0;
  #lastId = 0;

  /** @param faultChanged hears why the disk does not have what it should, and `undefined` when it has again */
  constructor(directory: string, faultChanged: (fault: string | undefined) => void) {
    const session: JournalledSession = { messages: this.#live, received: this.#received };
    this.#journal = new RollingJournal(directory, {
      format: FORMAT,
      extension: 'queue',
      state: {
        apply: (frame) => applyRecords(frame, session),
        snapshot: () => this.#snapshot(),
        bytes: () => this.#liveBytes,
      },
      faultChanged,
    });
  }

  /** @throws StoreInUseError, StoreVersionError, Error of the file system */
  async open(): Promise<LeftSession> {
    const damage = await this.#journal.open();
    const messages = [...this.#live.values()];
    for (const [id, message] of this.#live) {
      message.journalId = id;
      this.#liveBytes += message.bytes;
      this.#lastId = id;
    }
    const received = [...this.#received];
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.add(message);
    return { messages, received, damage };
  }

  /** Takes a message in; it is kept until `done`. */
  add(message: OutgoingMessage): void {
    if (this.#early !== undefined) {
      this.#early.add(message);
      return;
    }
    do this.#lastId = this.#lastId === HIGHEST_ID ? 1 : this.#lastId + 1;
    while (this.#live.has(this.#lastId));
    const id = this.#lastId;
    message.journalId = id;
    this.#live.set(id, message);
    this.#liveBytes += message.bytes;
    this.#note({ type: 'message', id, message });
  }

  /** The message is about to be sent under the packet identifier that it has. */
  sent(message: OutgoingMessage): void {
    const { journalId: id, packetId } = message;
    if (id !== undefined && packetId !== undefined) this.#note({ type: 'sent', id, packetId });
  }

  /** The broker has taken the message over. */
  taken(message: OutgoingMessage): void {
    const { journalId: id } = message;
    if (id !== undefined) this.#note({ type: 'taken', id });
  }

  done(message: OutgoingMessage): void {
    this.#early?.delete(message);
    const { journalId: id } = message;
    if (id === undefined || !this.#live.delete(id)) return;
    this.#liveBytes -= message.bytes;
    this.#note({ type: 'done', id });
  }

  /** A message of QoS 2 has been delivered. When this returns it is known also if the process is killed. */
  received(packetId: number): void {
    this.#received.add(packetId);
    this.#note({ type: 'received', id: packetId });
    this.#journal.write();
  }

  /** The packet identifier may stand for another message from now on. */
  released(packetId: number): void {
    if (this.#received.delete(packetId)) this.#note({ type: 'released', id: packetId });
  }

  /** The broker has another session, in which no packet identifier stands for anything. */
  releaseAll(): void {
    for (const packetId of this.#received) this.released(packetId);
  }

  /** Calls back when the disk has all that was noted so far, or cannot have it. */
  whenDurable(callback: () => void): void {
    this.#journal.whenDurable(callback);
  }

  /** What is not done stays for the next run. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  #note(record: SessionRecord): void {
    this.#journal.append(writeRecord(record));
  }

  #snapshot(): Iterable<Buffer> {
    const received = [...this.#received];
    const messages = [...this.#live];
    const live = this.#live;
    return (function* () {
      for (const id of received) yield writeRecord({ type: 'received', id });
      for (const [id, message] of messages)
        if (live.has(id)) yield writeRecord({ type: 'message', id, message });
    })();
  }
}
