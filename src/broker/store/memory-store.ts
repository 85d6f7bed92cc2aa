import type { Message } from '../message';
import type { SessionStore, Store, StoredSession } from './store';

/** Keeps nothing beyond the broker's own memory: all ends with the broker. */
export class MemoryStore implements Store {
  readonly position = 0;
  readonly durable = 0;
  readonly fault = undefined;
  readonly full = false;
  readonly clock: () => number;

  constructor(clock: () => number = () => performance.now()) {
    this.clock = clock;
  }

  async open(): Promise<string[]> {
    return [];
  }

  async close(): Promise<void> {}

  sessions(): Iterable<StoredSession> {
    return [];
  }

  retainedMessages(): Iterable<Message> {
    return [];
  }

  newSession(): SessionStore | undefined {
    return undefined;
  }

  retained(): void {}

  retainedRemoved(): void {}

  commit(): void {}

  tend(): void {}
}
