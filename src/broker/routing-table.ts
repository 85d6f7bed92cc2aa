import { SubscriptionTrie } from '../topic/subscription-trie';
import { parseFilter } from '../topic/topic-filter';
import { topicNameFault } from '../topic/topic-name';
import { ProtocolError } from './codec/protocol-error';
import { ReasonCode } from './codec/reason-code';
import { checkUtf8 } from './codec/utf8';
import { type HeldMemory, subscriptionBytes } from './held-memory';
import type { Limits } from './limits';
import type { Session } from './session/session';
import { SharedSubscription } from './shared-subscription';
import { type Recipient, recipientsOf, type Subscription } from './subscription';
import type { TopicCount } from './topic-counts';

/** A topic name that was found valid, and who gets what is published to it. */
export interface TopicEntry {
  readonly topic: string;
  /** For the broker alone to publish to. */
  readonly reserved: boolean;
  /** What is published to it is shown to the application. */
  readonly watched: boolean;
  recipients: readonly Recipient[];
  /** Sessions with a matching subscription that may not receive it. */
  withheld: number;
  /** Each passes a message on to one of its members. */
  shared: readonly SharedSubscription[];
  /** Of the table when `recipients` was found. */
  version: number;
  /** Found when something is published to it first. */
  count: TopicCount | undefined;
}

/** Bytes of topic names and recipients that are remembered before the cache starts over. */
const CACHED_BYTES = 16 * 1024 * 1024;
/** What an entry costs beyond its name, and each recipient of it, roughly. */
const ENTRY_BYTES = 128;
const RECIPIENT_BYTES = 256;

/**
 * The subscriptions of all sessions, and the topics lately published to with their recipients: decoding and checking a
 * name, walking the trie and joining overlapping filters happen once per topic, not once per message.
 */
export class RoutingTable {
  readonly #trie = new SubscriptionTrie<Subscription | SharedSubscription>();
  readonly #shared = new Map<string, SharedSubscription>();
  readonly #limits: Limits;
  readonly #memory: HeldMemory;
  readonly #watched: (topic: string) => boolean;
  // By the name's bytes as latin1, which takes no decoding.
  readonly #entries = new Map<string, TopicEntry>();
  /** Added to the cache since it started over, also in place of what was there. */
  #cachedBytes = 0;
  /** The last name that was asked for, in the chunk it came in, and its entry. */
  #lastBytes: Buffer = Buffer.alloc(0);
  #lastStart = 0;
  #lastEnd = 0;
  #lastEntry: TopicEntry | undefined;
  #version = 0;
  #size = 0;

  /** @param watched whether what is published to a topic is shown to the application */
  constructor(limits: Limits, memory: HeldMemory, watched: (topic: string) => boolean) {
    this.#limits = limits;
    this.#memory = memory;
    this.#watched = watched;
  }

  /** How many subscriptions there are, each member of a shared one counted. */
  get size(): number {
    return this.#size;
  }

  /** How many shared subscriptions there are, whatever their members. */
  get shared(): number {
    return this.#shared.size;
  }

  /** How many subscriptions match a topic name, a shared one counted once. */
  subscriptionsTo(topic: string): number {
    return this.#trie.match(topic).length;
  }

  add(subscription: Subscription): void {
    this.#size++;
    this.#memory.add(subscriptionBytes(subscription.filter));
    const { group, filter } = parseFilter(subscription.filter);
    if (group === undefined) {
      this.#trie.add(filter, subscription);
      this.#version++;
      return;
    }
    let shared = this.#shared.get(subscription.filter);
    if (shared === undefined) {
      shared = new SharedSubscription(subscription.filter);
      this.#shared.set(subscription.filter, shared);
      this.#trie.add(filter, shared);
      this.#version++;
    }
    shared.add(subscription);
  }

  remove(subscription: Subscription): void {
    this.#size--;
    this.#memory.remove(subscriptionBytes(subscription.filter));
    const { group, filter } = parseFilter(subscription.filter);
    if (group === undefined) {
      this.#trie.delete(filter, subscription);
      this.#version++;
      return;
    }
    const shared = this.#shared.get(subscription.filter) as SharedSubscription;
    shared.remove(subscription);
    if (shared.size > 0) return;
    this.#shared.delete(subscription.filter);
    this.#trie.delete(filter, shared);
    this.#version++;
  }

  /**
   * The entry of a topic name that stands in a packet, with its recipients up to date.
   * @throws ProtocolError the name is not valid or beyond the limits
   */
  entryAt(bytes: Buffer, start: number, end: number): TopicEntry {
    const entry = this.#sameAgain(bytes, start, end) ?? this.#entryOf(bytes, start, end);
    this.refresh(entry);
    return entry;
  }

  /** What some session may receive has changed. */
  permissionsChanged(): void {
    this.#version++;
  }

  /** Brings an entry's recipients up to date. */
  refresh(entry: TopicEntry): void {
    if (entry.version === this.#version) return;
    const matching = this.#trie.match(entry.topic);
    const shared: SharedSubscription[] = [];
    const subscriptions: Subscription[] = [];
    const withheldFrom = new Set<Session>();
    for (const one of matching) {
      if (one instanceof SharedSubscription) shared.push(one);
      else if (one.session.permissions.mayReceive(entry.topic)) subscriptions.push(one);
      else withheldFrom.add(one.session);
    }
    entry.shared = shared;
    entry.recipients = recipientsOf(subscriptions);
    entry.withheld = withheldFrom.size;
    entry.version = this.#version;
    this.#cachedBytes += RECIPIENT_BYTES * entry.recipients.length;
  }

  // Most messages are to the topic of the one before, which takes less to see than to look a name up.
  #sameAgain(bytes: Buffer, start: number, end: number): TopicEntry | undefined {
    const last = this.#lastBytes;
    if (end - start !== this.#lastEnd - this.#lastStart) return undefined;
    for (let at = start, lastAt = this.#lastStart; at < end; at++, lastAt++) {
      if (bytes[at] !== last[lastAt]) return undefined;
    }
    return this.#lastEntry;
  }

  #entryOf(bytes: Buffer, start: number, end: number): TopicEntry {
    const key = bytes.toString('latin1', start, end);
    const entry = this.#entries.get(key) ?? this.#newEntry(key, bytes, start, end);
    this.#lastBytes = bytes;
    this.#lastStart = start;
    this.#lastEnd = end;
    this.#lastEntry = entry;
    return entry;
  }

  #newEntry(key: string, bytes: Buffer, start: number, end: number): TopicEntry {
    checkUtf8(bytes, start, end, 'topic name');
    const topic = bytes.toString('utf8', start, end);
    const fault = topicNameFault(topic) ?? topicSizeFault('topic name', topic, end - start, this.#limits);
    if (fault !== undefined) throw new ProtocolError(ReasonCode.topicNameInvalid, fault);
    const reserved = topic === '$SYS' || topic.startsWith('$SYS/');
    const watched = this.#watched(topic);
    const entry: TopicEntry = {
      topic,
      reserved,
      watched,
      recipients: [],
      withheld: 0,
      shared: [],
      version: -1,
      count: undefined,
    };
    if (this.#cachedBytes > CACHED_BYTES) {
      this.#entries.clear();
      this.#cachedBytes = 0;
    }
    this.#entries.set(key, entry);
    this.#cachedBytes += ENTRY_BYTES + 2 * key.length;
    return entry;
  }
}

/** Says which limit a topic name or filter exceeds, or `undefined`. */
export function topicSizeFault(
  kind: string,
  text: string,
  bytes: number,
  limits: Limits,
): string | undefined {
  if (bytes > limits.topicLength) {
    return `${kind} of ${bytes} bytes is longer than the limit of ${limits.topicLength}`;
  }
  let levels = 1;
  for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1)) levels++;
  return levels > limits.topicLevels
    ? `${kind} of ${levels} levels has more than the limit of ${limits.topicLevels}`
    : undefined;
}
