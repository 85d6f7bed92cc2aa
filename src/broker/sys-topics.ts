import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from './latency-histogram';
import type { BrokerStatistics } from './statistics';

const { version } = JSON.parse(readFileSync(join(__dirname, '../../../package.json'), 'utf8')) as {
  version: string;
};

/** Spans of the load averages, in minutes, with their names. */
const SPANS = [
  [1, '1min'],
  [5, '5min'],
  [15, '15min'],
] as const;

/** What a load average is kept of: events per minute, under mosquitto's names. */
const LOADS: ReadonlyArray<readonly [name: string, total: (statistics: BrokerStatistics) => number]> = [
  ['messages/received', ({ packetsReceived }) => packetsReceived],
  ['messages/sent', ({ packetsSent }) => packetsSent],
  ['publish/received', ({ messagesReceived }) => messagesReceived],
  ['publish/sent', ({ messagesSent }) => messagesSent],
  ['publish/dropped', ({ dropped }) => dropped],
  ['bytes/received', ({ bytesReceived }) => bytesReceived],
  ['bytes/sent', ({ bytesSent }) => bytesSent],
  ['sockets', ({ connectionsOpened }) => connectionsOpened],
  ['connections', ({ clientsAccepted }) => clientsAccepted],
];

/** What the statistics alone do not say. */
export interface SysFigures {
  /** Sessions whose client is away. */
  clientsAway: number;
  sharedSubscriptions: number;
  /** Messages that the broker holds: retained, and one for each session that one waits in or is in flight to. */
  heldMessages: number;
  heldBytes: number;
  /** Bytes in use of the memory of the broker's thread. */
  heap: number;
}

/** A topic below `$SYS` with its value. */
export type SysTopic = readonly [topic: string, value: string];

/**
 * What the broker tells of itself below `$SYS/broker/`, under the names that mosquitto gave (mosquitto(8), "Broker
 * Status"), and as ours `latency/`, `connections/refused`, `publish/messages/expired`, `publish/messages/refused`,
 * `memory/held`, `clients/throttled` and `clients/throttled time`. Times and latencies are in milliseconds, latencies, from the first packet of a
 * turn of the event loop to the end of its writes, over the interval: the mean and the longest of turns, percentiles of
 * messages.
 */
export class SysTopics {
  readonly #interval: number;
  readonly #published = new Map<string, string>();
  readonly #averages = new Map<string, number>();
  readonly #totals = new Map<string, number>();
  #startedAt: number | undefined;
  #nextAt = Number.NEGATIVE_INFINITY;
  #lastAt = 0;
  #mostClients = 0;
  #mostHeap = 0;
  #turns = 0;
  #turnTime = 0;
  #latenciesBefore: readonly number[] = [];

  /** @param interval between two looks at the figures, s; 0 for none at all */
  constructor(interval: number) {
    this.#interval = interval;
  }

  /** Whether it is time to look at the figures again. */
  isDue(now: number): boolean {
    return this.#interval > 0 && now >= this.#nextAt;
  }

  /** The topics whose value has changed since the last look; all at the first. Times in ms. */
  changes(statistics: BrokerStatistics, figures: SysFigures, now: number): SysTopic[] {
    const startedAt = this.#startedAt ?? now;
    this.#startedAt = startedAt;
    this.#nextAt = now + this.#interval * 1000;
    this.#mostClients = Math.max(this.#mostClients, statistics.clients);
    const { clientsAway, sharedSubscriptions, heldMessages, heldBytes, heap } = figures;
    this.#mostHeap = Math.max(this.#mostHeap, heap);
    const { clients } = statistics;
    const values: Array<readonly [name: string, value: number | string]> = [
      ['version', `node-red-mqtt-ros version ${version}`],
      ['uptime', `${Math.floor((now - startedAt) / 1000)} seconds`],
      ['clients/total', clients + clientsAway],
      ['clients/connected', clients],
      ['clients/active', clients],
      ['clients/disconnected', clientsAway],
      ['clients/inactive', clientsAway],
      ['clients/maximum', this.#mostClients],
      ['clients/expired', statistics.sessionsExpired],
      ['messages/received', statistics.packetsReceived],
      ['messages/sent', statistics.packetsSent],
      ['publish/messages/received', statistics.messagesReceived],
      ['publish/messages/sent', statistics.messagesSent],
      ['publish/messages/dropped', statistics.dropped],
      ['bytes/received', statistics.bytesReceived],
      ['bytes/sent', statistics.bytesSent],
      ['publish/bytes/received', statistics.payloadBytesReceived],
      ['publish/bytes/sent', statistics.payloadBytesSent],
      ['store/messages/count', heldMessages],
      ['store/messages/bytes', heldBytes],
      ['messages/stored', heldMessages],
      ['heap/current', heap],
      ['heap/maximum', this.#mostHeap],
      ['retained messages/count', statistics.retained],
      ['subscriptions/count', statistics.subscriptions],
      ['shared_subscriptions/count', sharedSubscriptions],
      ['publish/messages/expired', statistics.expired],
      ['publish/messages/refused', statistics.publishRefused],
      ['memory/held', statistics.heldBytes],
      ['connections/refused', statistics.connectionsRefused],
      ['clients/throttled', statistics.throttled],
      ['clients/throttled time', Math.round(statistics.throttledTime)],
      ...this.#latencies(statistics),
      ...this.#loads(statistics, now),
    ];
    const changed: SysTopic[] = [];
    for (const [name, value] of values) {
      const topic = `$SYS/broker/${name}`;
      const text = String(value);
      if (this.#published.get(topic) === text) continue;
      this.#published.set(topic, text);
      changed.push([topic, text]);
    }
    return changed;
  }

  #latencies(statistics: BrokerStatistics): Array<[string, string]> {
    const turns = statistics.turns - this.#turns;
    const mean = turns === 0 ? 0 : (statistics.turnTime - this.#turnTime) / turns;
    this.#turns = statistics.turns;
    this.#turnTime = statistics.turnTime;
    const longest = statistics.longestTurn;
    statistics.longestTurn = 0;
    const latencies = statistics.latencies.map((count, index) => count - (this.#latenciesBefore[index] ?? 0));
    this.#latenciesBefore = [...statistics.latencies];
    return [
      ['latency/mean', mean.toFixed(3)],
      ['latency/p50', percentile(latencies, 0.5).toFixed(3)],
      ['latency/p99', percentile(latencies, 0.99).toFixed(3)],
      ['latency/maximum', longest.toFixed(3)],
    ];
  }

  /** Averages that older minutes count less in, as the load of a Unix system. */
  #loads(statistics: BrokerStatistics, now: number): Array<[string, string]> {
    const minutes = (now - this.#lastAt) / 60_000;
    const first = this.#totals.size === 0;
    this.#lastAt = now;
    return LOADS.flatMap(([name, totalOf]) => {
      const total = totalOf(statistics);
      const rate = first ? 0 : (total - (this.#totals.get(name) ?? 0)) / minutes;
      this.#totals.set(name, total);
      return SPANS.map(([span, label]): [string, string] => {
        const key = `load/${name}/${label}`;
        const average = rate + Math.exp(-minutes / span) * ((this.#averages.get(key) ?? 0) - rate);
        this.#averages.set(key, average);
        return [key, average.toFixed(2)];
      });
    });
  }
}
