import { Connection } from './connection';
import type { ConnectionSettings } from './connection-settings';

interface Entry {
  readonly connection: Connection;
  users: number;
  closing: NodeJS.Timeout | undefined;
}

/** Connections by key, shared: opened by the first user, closed after the last. */
export class ConnectionPool {
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Map<string, Promise<void>>();
  readonly #lingerMs: number;

  /** @param lingerMs how long a connection without users is kept for one that comes back, in ms */
  constructor(lingerMs = 0) {
    this.#lingerMs = lingerMs;
  }

  /**
   * The key's connection, made with these settings if this is its first user, and opened then; with `open` false only
   * its queue on disk.
   */
  acquire(key: string, settings: ConnectionSettings, open = true): Connection {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const connection = new Connection(settings);
      entry = { connection, users: 0, closing: undefined };
      this.#entries.set(key, entry);
      const begin = () => (open ? connection.open() : connection.openQueue());
      // Two connections with one client id would throw each other out, and only one can have the queue.
      const predecessor = this.#closing.get(key);
      if (predecessor === undefined) begin();
      else void predecessor.then(begin);
    }
    clearTimeout(entry.closing);
    entry.users++;
    return entry.connection;
  }

  /**
   * One user of the connection less. After the last it is closed, at once or when the linger time is over. Resolves
   * when it is closed, or at once when it lives on. A connection that the pool has already given up is left alone.
   */
  async release(key: string, connection: Connection): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry?.connection !== connection || entry.users === 0) return;
    entry.users--;
    if (entry.users > 0) return;
    if (this.#lingerMs === 0) await this.close(key);
    else entry.closing = setTimeout(() => void this.close(key), this.#lingerMs);
  }

  /** Closes the key's connection now, whoever uses it; resolves when it is closed. */
  async close(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      clearTimeout(entry.closing);
      this.#entries.delete(key);
      const closed = Promise.all([this.#closing.get(key), entry.connection.close()]).then(() => {
        if (this.#closing.get(key) === closed) this.#closing.delete(key);
      });
      this.#closing.set(key, closed);
    }
    await this.#closing.get(key);
  }
}
