import type { ConnectionOutput } from './connection-output';
import { countLatency } from './latency-histogram';
import type { BrokerStatistics } from './statistics';
import type { Store } from './store/store';

/**
 * Gathers the outputs that have something to write and flushes each once per turn of the event loop, after the changes
 * of that turn were committed to the store. Those that wait for the store are held until it is ready.
 */
export class FlushSchedule {
  readonly #store: Store;
  readonly #clock: () => number;
  readonly #statistics: BrokerStatistics;
  readonly #held = new Set<ConnectionOutput>();
  #due: ConnectionOutput[] = [];
  #startedAt = 0;
  /** Before the turn. */
  #messagesSent = 0;

  constructor(store: Store, statistics: BrokerStatistics) {
    this.#store = store;
    this.#clock = store.clock;
    this.#statistics = statistics;
  }

  /** Changes of the store that are kept whatever happens. */
  get durable(): number {
    return this.#store.durable;
  }

  commit(): void {
    this.#store.commit();
  }

  /** The output waits for the store. */
  hold(output: ConnectionOutput): void {
    this.#held.add(output);
  }

  /** The store has gone on, or has failed: then who waits for it will never get what waits there. */
  release(): void {
    for (const output of this.#held) {
      if (output.barrier <= this.#store.durable) {
        this.#held.delete(output);
        output.flush();
      } else if (this.#store.fault !== undefined) {
        this.#held.delete(output);
        output.abandon(this.#store.fault);
      }
    }
  }

  add(output: ConnectionOutput): void {
    if (this.#due.length === 0) {
      this.#startedAt = this.#clock();
      setImmediate(() => this.#flush());
    }
    this.#due.push(output);
  }

  #flush(): void {
    const due = this.#due;
    const startedAt = this.#startedAt;
    this.#due = [];
    this.#store.commit();
    for (const output of due) output.flush();
    const time = this.#clock() - startedAt;
    const statistics = this.#statistics;
    statistics.turns++;
    statistics.turnTime += time;
    if (time > statistics.longestTurn) statistics.longestTurn = time;
    const sent = statistics.messagesSent - this.#messagesSent;
    this.#messagesSent = statistics.messagesSent;
    if (sent > 0) countLatency(statistics.latencies, time, sent);
    if (this.#held.size > 0) this.release();
  }
}
