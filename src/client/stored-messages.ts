import { OutgoingJournal } from './outgoing-journal';
import type { OutgoingMessage } from './outgoing-message';

/** The part of a queue that is on the disk: which messages, and what has to wait for the disk so that nothing is lost or sent twice. */
export class StoredMessages {
  readonly #journal: OutgoingJournal;
  readonly #problem: (error: Error) => void;
  #opened: Promise<OutgoingMessage[]> | undefined;
  #fault: string | undefined;
  #closed = false;

  /** @param problem hears of messages that are lost although their publishers were told that they are safe, and of the disk */
  constructor(directory: string, problem: (error: Error) => void) {
    this.#problem = problem;
    this.#journal = new OutgoingJournal(directory, (fault) => {
      this.#fault = fault;
      if (fault !== undefined)
        problem(new Error(`queue on disk: ${fault}; messages are kept in memory only`));
    });
  }

  /** Why the disk does not have what it should. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /**
   * Resolves with what an earlier run has left; the second time with nothing.
   * Rejects with StoreInUseError, StoreVersionError or an error of the file system.
   */
  async open(): Promise<OutgoingMessage[]> {
    const again = this.#opened !== undefined;
    this.#opened ??= this.#load();
    const messages = await this.#opened;
    return again ? [] : messages;
  }

  /** Keeps a message of QoS 1 or 2 until it has ended, and accepts it when it is safe. */
  keep(message: OutgoingMessage): void {
    this.#attend(message);
    this.#journal.add(message);
    this.#journal.whenDurable(() => {
      if (this.#fault === undefined) message.accept();
    });
  }

  /**
   * The message is about to be sent under its packet identifier. At QoS 2 that waits until the disk knows the
   * identifier: after a crash a repetition under another one would be another message.
   */
  sending(message: OutgoingMessage, send: () => void): void {
    this.#journal.sent(message);
    if (message.options.qos === 2) this.#journal.whenDurable(send);
    else send();
  }

  /** PUBREC has come: PUBREL, which lets the broker forget the packet identifier, waits until the disk knows. */
  taken(message: OutgoingMessage, send: () => void): void {
    this.#journal.taken(message);
    this.#journal.whenDurable(send);
  }

  /** What has not ended stays on the disk. */
  async close(): Promise<void> {
    await this.#opened?.catch(() => {});
    await this.#journal.close();
    this.#closed = true;
  }

  async #load(): Promise<OutgoingMessage[]> {
    const { messages, damage } = await this.#journal.open();
    if (damage !== undefined) this.#problem(new Error(`queue on disk: ${damage}`));
    for (const message of messages) {
      message.result.catch(() => {});
      message.accept();
      this.#attend(message);
    }
    return messages;
  }

  #attend(message: OutgoingMessage): void {
    message.onEnd = (outcome, accepted) => {
      if (this.#closed) return;
      this.#journal.done(message);
      if (accepted && outcome instanceof Error) this.#problem(outcome);
    };
  }
}
