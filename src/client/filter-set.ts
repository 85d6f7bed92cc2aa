import { parseFilter } from '../topic/topic-filter';
import { wildcardParts } from '../topic/topic-match';
import type { Connection, ReceivedMessage, SubscribeOptions, Subscription } from './connection';
import { SubscribeError } from './errors';

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
  /** What topic names are compared with. */
  readonly topicFilter: string;
  readonly levels: readonly string[];
  readonly shared: boolean;
  readonly options: SubscribeOptions;
  readonly result: FilterResult;
  subscription?: Subscription;
  state: 'asked' | 'granted' | 'refused';
}

/** A filter of a set, for those who ask. */
export interface SetFilter {
  filter: string;
  options: SubscribeOptions;
  granted: boolean;
}

/**
 * Several filters of one subscriber, which gets each message once however many of them match: through the one with the
 * highest QoS. Shared subscriptions are the exception that MQTT makes: a message that comes through one is another
 * than the same through the next, unless an unshared filter brings all of them anyway.
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
    this.remove(filter);
    const { filter: topicFilter, group } = parseFilter(filter);
    const levels = topicFilter.split('/');
    const shared = group !== undefined;
    const entry: Entry = { filter, topicFilter, levels, shared, options, result, state: 'asked' };
    this.#entries.set(filter, entry);
    const { owner } = this.#listener;
    entry.subscription = this.#connection.subscribe(filter, options, {
      ...(owner !== undefined && { owner }),
      message: (message) => this.#pass(entry, message),
      result: (error) => {
        if (this.#entries.get(filter) !== entry) return;
        entry.state = error === undefined ? 'granted' : 'refused';
        result(error);
      },
      unacknowledged: (message) => this.#listener.unacknowledged?.(message),
    });
  }

  /** Leaves a filter; `false` when it is not in the set. */
  remove(filter: string): boolean {
    const entry = this.#entries.get(filter);
    if (entry === undefined) return false;
    this.#entries.delete(filter);
    entry.subscription?.close();
    if (entry.state === 'asked') entry.result(new SubscribeError(filter, 'left before the broker answered'));
    return true;
  }

  /** Leaves all filters without a word about those that the broker has not answered. */
  close(): void {
    for (const { subscription } of this.#entries.values()) subscription?.close();
    this.#entries.clear();
  }

  #pass(entry: Entry, message: ReceivedMessage): void {
    const params = partsOf(entry, message.topic);
    if (params === undefined || this.#comesThroughAnother(entry, message.topic)) message.acknowledge?.();
    else this.#listener.message(message, params);
  }

  // The broker takes SUBSCRIBE packets in order: what comes through one comes through those before it as well, which
  // need not have been answered; only one that asks for more QoS has to show that it was granted.
  #comesThroughAnother(entry: Entry, topic: string): boolean {
    if (this.#entries.size === 1) return false;
    let after = false;
    for (const other of this.#entries.values()) {
      if (other === entry) {
        after = true;
        continue;
      }
      if (other.shared || other.state === 'refused' || partsOf(other, topic) === undefined) continue;
      const more = other.options.qos - entry.options.qos;
      const covers = after
        ? (entry.shared || more > 0) && other.state === 'granted'
        : entry.shared || more >= 0 || entry.state === 'asked';
      if (covers) return true;
    }
    return false;
  }
}

// Most filters have no wildcards: that is seen without a look at the levels.
const partsOf = ({ topicFilter, levels }: Entry, topic: string): string[] | undefined =>
  topicFilter === topic ? [] : wildcardParts(levels, topic);
