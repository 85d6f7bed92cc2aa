import { guidOf } from './guid';
import type { Outbox } from './outbox';
import type { ReceiveMemory } from './receive-memory';
import type { ReceivedChange } from './received-change';
import type { Statistics } from './statistics';
import { type ReaderProtocol, WriterProxy, type WriterTarget } from './writer-proxy';

/** A reader towards its matched writers: one `WriterProxy` each. Delivers as changes come, and keeps none. */
export class StatefulReader {
  readonly entityId: number;
  readonly #protocol: ReaderProtocol;
  readonly #outbox: Outbox;
  readonly #statistics: Statistics;
  readonly #deliver: (change: ReceivedChange, writer: WriterTarget) => void;
  readonly #writers = new Map<string, WriterProxy>();

  constructor(
    entityId: number,
    protocol: ReaderProtocol,
    outbox: Outbox,
    statistics: Statistics,
    deliver: (change: ReceivedChange, writer: WriterTarget) => void,
  ) {
    this.entityId = entityId;
    this.#protocol = protocol;
    this.#outbox = outbox;
    this.#statistics = statistics;
    this.#deliver = deliver;
  }

  get matchedCount(): number {
    return this.#writers.size;
  }

  /** The new proxy is not open yet: what came early can be given to it first. */
  matchWriter(target: WriterTarget, memory: ReceiveMemory): WriterProxy {
    const proxy = new WriterProxy(
      this.entityId,
      this.#protocol,
      target,
      this.#outbox,
      memory,
      this.#statistics,
      (change) => this.#deliver(change, target),
    );
    this.#writers.set(guidOf(target.prefix, target.entityId), proxy);
    return proxy;
  }

  /** Returns the closed proxy, if that writer was matched. */
  unmatchWriter(guid: string): WriterProxy | undefined {
    const proxy = this.#writers.get(guid);
    this.#writers.delete(guid);
    proxy?.close();
    return proxy;
  }

  close(): void {
    for (const proxy of this.#writers.values()) proxy.close();
    this.#writers.clear();
  }
}
