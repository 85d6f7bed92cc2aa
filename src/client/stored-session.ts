import type { OutgoingMessage } from './outgoing-message';
import { type LeftSession, SessionJournal } from './session-journal';

/** Messages of an earlier run that are taken up before the event loop has its turn. */
const AT_A_STRETCH = 1000;

/**
 * The part of a session that is on the disk: which messages, and what has to wait for the disk so that nothing is lost,
 * sent or delivered twice.
 */
export class StoredSession {
  readonly #journal: SessionJournal;
  readonly #problem: (error: Error) => void;
  #opened: Promise<LeftSession> | undefined;
  #fault: string | undefined;
  #closed = false;

  /** @param problem hears of messages that are lost although their publishers were told that they are safe, and of the disk */
  constructor(directory: string, problem: (error: Error) => void) {
    this.#problem = problem;
    this.#journal = new SessionJournal(directory, (fault) => {
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
  async open(): Promise<Pick<LeftSession, 'messages' | 'received'>> {
    const again = this.#opened !== undefined;
    this.#opened ??= this.#load();
    const left = await this.#opened;
    return again ? { messages: [], received: [] } : left;
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

  /**
   * A received message of QoS 2 has been delivered. PUBREC, after which the broker does not send it again, waits until
   * the disk knows.
   */
  delivered(packetId: number, send: () => void): void {
    this.#journal.received(packetId);
    this.#journal.whenDurable(send);
  }

  /**
   * PUBREL has come. PUBCOMP, after which the packet identifier may stand for another message, waits until the disk
   * knows.
   */
  released(packetId: number, send: () => void): void {
    this.#journal.released(packetId);
    this.#journal.whenDurable(send);
  }

  /** The broker does not have the session any more in which messages were received. */
  releaseAll(): void {
    this.#journal.releaseAll();
  }

  /** What has not ended stays on the disk. */
  async close(): Promise<void> {
    await this.#opened?.catch(() => {});
    await this.#journal.close();
    this.#closed = true;
  }

  async #load(): Promise<LeftSession> {
    const left = await this.#journal.open();
    if (left.damage !== undefined) this.#problem(new Error(`queue on disk: ${left.damage}`));
    for (const [at, message] of left.messages.entries()) {
      message.result.catch(() => {});
      message.accept();
      this.#attend(message);
      if (at % AT_A_STRETCH === AT_A_STRETCH - 1) await new Promise(setImmediate);
    }
    return left;
  }

  #attend(message: OutgoingMessage): void {
    message.onEnd = (outcome, accepted) => {
      if (this.#closed) return;
      this.#journal.done(message);
      if (accepted && outcome instanceof Error) this.#problem(outcome);
    };
  }
}
