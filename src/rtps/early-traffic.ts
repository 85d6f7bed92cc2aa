import type { ReceivedChange } from './received-change';
import type { Statistics } from './statistics';
import type { HeartbeatSubmessage } from './submessage';

/** What a writer sent before it was discovered. */
export interface EarlyMessages {
  readonly changes: Array<{ readonly readerId: number; readonly change: ReceivedChange }>;
  heartbeat: HeartbeatSubmessage | undefined;
}

const MAX_WRITERS = 64;
const MAX_CHANGES = 256;
const MAX_BYTES = 1024 * 1024;
const MAX_AGE_MS = 5000;

/**
 * Keeps, within bounds, what writers send between their match with a reader of ours and our discovery of them: the
 * two directions of discovery are not synchronised, and a volatile writer does not send it again unasked.
 */
export class EarlyTraffic {
  readonly #statistics: Statistics;
  readonly #writers = new Map<string, EarlyMessages & { readonly since: number }>();
  #changes = 0;
  #bytes = 0;

  constructor(statistics: Statistics) {
    this.#statistics = statistics;
  }

  addChange(writerGuid: string, readerId: number, change: ReceivedChange): void {
    const messages = this.#messagesOf(writerGuid);
    const bytes = change.payload.length;
    if (messages === undefined || this.#changes >= MAX_CHANGES || this.#bytes + bytes > MAX_BYTES) {
      this.#statistics.samplesTooEarly++;
      return;
    }
    this.#changes++;
    this.#bytes += bytes;
    messages.changes.push({ readerId, change: { ...change, payload: Buffer.from(change.payload) } });
  }

  setHeartbeat(writerGuid: string, heartbeat: HeartbeatSubmessage): void {
    const messages = this.#messagesOf(writerGuid);
    if (messages !== undefined) messages.heartbeat = heartbeat;
  }

  /** What the writer sent, which is kept no longer. */
  take(writerGuid: string): EarlyMessages | undefined {
    const messages = this.#writers.get(writerGuid);
    if (messages === undefined) return undefined;
    this.#writers.delete(writerGuid);
    this.#changes -= messages.changes.length;
    for (const { change } of messages.changes) this.#bytes -= change.payload.length;
    return messages;
  }

  /** Drops what no discovery followed in time. */
  expire(): void {
    const oldest = performance.now() - MAX_AGE_MS;
    for (const [writerGuid, { since }] of this.#writers) if (since < oldest) this.take(writerGuid);
  }

  #messagesOf(writerGuid: string): EarlyMessages | undefined {
    const known = this.#writers.get(writerGuid);
    if (known !== undefined || this.#writers.size >= MAX_WRITERS) return known;
    const messages = { changes: [], heartbeat: undefined, since: performance.now() };
    this.#writers.set(writerGuid, messages);
    return messages;
  }
}
