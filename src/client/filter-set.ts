import { parseFilter } from '../topic/topic-filter';
import { wildcardParts } from '../topic/topic-match';
import type { Connection, ReceivedMessage, SubscribeOptions, Subscription } from './connection';
import type { QoS } from './connection-settings';
import { SubscribeError } from './errors';
import { filtersOverlap } from './filter-overlap';

/** Who receives what matches any filter of a set. */
export interface FilterSetListener {
  /** What others on the connection are told who cannot have the same filter with other options. */
  readonly owner?: string;
  /** @param params what the wildcards of the filter stand for, see `wildcardParts` */
  message(message: ReceivedMessage, params: string[]): void;
  unacknowledged?(message: ReceivedMessage): void;
}

/** Hears what came of a filter: after each SUBACK, at first and after a reconnect. */
export type FilterResult = (error?: Error) => void;

interface Entry {
  readonly filter: string;
  readonly levels: readonly string[];
  readonly topicFilter: string;
  readonly shared: boolean;
  readonly options: SubscribeOptions;
  readonly result: FilterResult;
  /** The highest of the filters that it overlaps: whichever brings a message brings it with that. */
  qos: QoS;
  subscription?: Subscription;
  /** `granted` also while other options are asked for: the broker replaces a subscription, it does not end it [MQTT-3.8.4-3]. */
  state: 'asked' | 'granted' | 'refused';
  answered: boolean;
  left: boolean;
}

/** A filter of a set, for those who ask. */
export interface SetFilter {
  filter: string;
  options: SubscribeOptions;
  granted: boolean;
}

/**
 * Several filters of one subscriber, which gets each message once however many of them match, with the highest QoS of
 * those: through the first that was added, whatever becomes of the options of any. Were it another one at another time,
 * messages of which the copies come before and after would be lost, or come twice. So it is when a filter is left:
 * messages under way that another one matches too.
 *
 * Shared subscriptions are the exception that MQTT makes: a message that comes through one is another than the same
 * through the next, unless an unshared filter brings all of them anyway.
 */
export class FilterSet {
  readonly #connection: Connection;
  readonly #listener: FilterSetListener;
  readonly #entries = new Map<string, Entry>();

  constructor(connection: Connection, listener: FilterSetListener) {
    this.#connection = connection;
    this.#listener = listener;
  }

  get filters(): SetFilter[] {
    return [...this.#entries.values()].map(({ filter, options, state }) => ({
      filter,
      options,
      granted: state === 'granted',
    }));
  }

  /** Subscribes; a filter that is in the set gets the new options. */
  add(filter: string, options: SubscribeOptions, result: FilterResult): void {
    const before = this.#entries.get(filter);
    if (before !== undefined) this.#leave(before);
    const { filter: topicFilter, group } = parseFilter(filter);
    const entry: Entry = {
      filter,
      levels: topicFilter.split('/'),
      topicFilter,
      shared: group !== undefined,
      options,
      result,
      qos: options.qos,
      state: before?.state === 'granted' ? 'granted' : 'asked',
      answered: false,
      left: false,
    };
    // In the place that the filter had, if it had one.
    this.#entries.set(filter, entry);
    this.#raise(entry);
    const { owner } = this.#listener;
    entry.subscription = this.#connection.subscribe(
      filter,
      { ...options, qos: entry.qos },
      {
        ...(owner !== undefined && { owner }),
        message: (message) => this.#pass(entry, message),
        result: (error) => {
          if (this.#entries.get(filter) !== entry) return;
          entry.state = error === undefined ? 'granted' : 'refused';
          entry.answered = true;
          result(error);
        },
        unacknowledged: (message) => this.#listener.unacknowledged?.(message),
      },
    );
  }

  /** Leaves a filter; `false` when it is not in the set. */
  remove(filter: string): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined || entry.left) return false;
    this.#entries.delete(filter);
    this.#leave(entry);
    return true;
  }

  #leave(entry: Entry): void {
    const { filter, subscription, answered, result } = entry;
    entry.left = true;
    subscription?.close();
    if (!answered) result(new SubscribeError(filter, 'left before the broker answered'));
  }

  /** Has the entry, and those that it overlaps, subscribed with the highest QoS of them all. */
  #raise(entry: Entry): void {
    if (entry.shared) return;
    for (const other of this.#entries.values()) {
      if (other === entry || other.shared || !filtersOverlap(other.topicFilter, entry.topicFilter)) continue;
      entry.qos = Math.max(entry.qos, other.options.qos) as QoS;
      if (other.qos >= entry.options.qos) continue;
      other.qos = entry.options.qos;
      other.subscription?.raise(other.qos);
    }
  }

  /** Leaves all filters without a word about those that the broker has not answered. */
  close(): void {
    for (const { subscription } of this.#entries.values()) subscription?.close();
    this.#entries.clear();
  }

  #pass(entry: Entry, message: ReceivedMessage): void {
    const params = partsOf(entry, message.topic);
    const qos = params && this.#qosThrough(entry, message.topic);
    if (params === undefined || qos === undefined) message.acknowledge?.();
    else this.#listener.message(qos < message.qos ? { ...message, qos } : message, params);
  }

  /**
   * The QoS that is wanted of a message which has come through this filter; `undefined` when another one brings it.
   *
   * The broker takes SUBSCRIBE packets in order: what comes through one comes through those before it as well, which need
   * not have been answered.
   */
  #qosThrough(entry: Entry, topic: string): QoS | undefined {
    let { qos } = entry.options;
    if (this.#entries.size === 1) return qos;
    let after = false;
    for (const other of this.#entries.values()) {
      if (other === entry) {
        after = true;
        continue;
      }
      if (other.shared || other.state === 'refused' || partsOf(other, topic) === undefined) continue;
      if (!after || (entry.shared && other.state === 'granted')) return undefined;
      qos = Math.max(qos, other.options.qos) as QoS;
    }
    return qos;
  }
}

// Most filters have no wildcards: that is seen without a look at the levels.
const partsOf = ({ topicFilter, levels }: Entry, topic: string): string[] | undefined =>
  topicFilter === topic ? [] : wildcardParts(levels, topic);
