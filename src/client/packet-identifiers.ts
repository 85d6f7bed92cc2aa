import { randomInt } from 'node:crypto';

const HIGHEST = 65_535;

/**
 * The packet identifiers of a session (MQTT 5.0 section 2.2.1), handed to MQTT.js as its provider. MQTT.js forgets them
 * with each connection; here those of unacknowledged messages stay taken for as long as the session has the messages.
 */
export class PacketIdentifiers {
  readonly #taken = new Set<number>();
  /** Anywhere: a broker that keeps the session may still know some of an earlier run, and would take what comes under them for repetitions. */
  #last = randomInt(HIGHEST + 1);

  /** The session is a new one, or the connection has ended: only these are still taken. */
  reset(taken: Iterable<number>): void {
    this.#taken.clear();
    for (const identifier of taken) this.#taken.add(identifier);
  }

  /** `null`, as MQTT.js expects, when all are taken. */
  allocate(): number | null {
    if (this.#taken.size === HIGHEST) return null;
    do this.#last = this.#last === HIGHEST ? 1 : this.#last + 1;
    while (this.#taken.has(this.#last));
    this.#taken.add(this.#last);
    return this.#last;
  }

  getLastAllocated(): number {
    return this.#last;
  }

  register(identifier: number): boolean {
    if (this.#taken.has(identifier)) return false;
    this.#taken.add(identifier);
    return true;
  }

  deallocate(identifier: number): void {
    this.#taken.delete(identifier);
  }

  /** MQTT.js calls this at each CONNACK; what is taken is for the session to say. */
  clear(): void {}
}
