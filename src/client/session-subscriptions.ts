import type { IPublishPacket } from 'mqtt';
import { SubscriptionTrie } from '../topic/subscription-trie';
import { SubscribeError } from './errors';
import { filtersOverlap } from './filter-overlap';
import { type FilterSubscription, type Member, slotOf } from './filter-subscription';
import type { Hold } from './incoming-exchanges';
import type { MqttSession } from './mqtt-session';

/**
 * The subscriptions of one session: makes them, makes them again when the broker has lost them, and routes what comes.
 *
 * With subscription identifiers each copy of a message names the subscriptions it is for, so that overlapping filters
 * are safe whether the broker sends one copy or one per filter. Without them the caller keeps overlapping filters out
 * of one session (`overlaps`): copies cannot be told from genuine repetitions.
 */
export class SessionSubscriptions {
  readonly session: MqttSession;
  readonly #subscriptions = new Set<FilterSubscription>();
  readonly #bySlot = new Map<number, FilterSubscription>();
  readonly #trie = new SubscriptionTrie<FilterSubscription>();
  readonly #identified: () => boolean;
  /** Filters that were left, and the broker has not said that it knows. */
  readonly #left = new Set<string>();
  /** Messages for subscriptions that the broker still has from an earlier run, and nobody wants. */
  unrouted = 0;

  constructor(session: MqttSession, identified: () => boolean) {
    this.session = session;
    this.#identified = identified;
  }

  get all(): ReadonlySet<FilterSubscription> {
    return this.#subscriptions;
  }

  overlaps(topicFilter: string): boolean {
    for (const other of this.#subscriptions) if (filtersOverlap(other.topicFilter, topicFilter)) return true;
    return false;
  }

  add(subscription: FilterSubscription): void {
    this.#subscriptions.add(subscription);
    this.#left.delete(subscription.filter);
    this.#bySlot.set(subscription.slot, subscription);
    this.#trie.add(subscription.topicFilter, subscription);
  }

  delete(subscription: FilterSubscription): void {
    this.#subscriptions.delete(subscription);
    this.#bySlot.delete(subscription.slot);
    this.#trie.delete(subscription.topicFilter, subscription);
  }

  /** Deletes a subscription, also at the broker; resolves when that has answered, or cannot now. */
  leave(subscription: FilterSubscription): Promise<void> {
    this.delete(subscription);
    if (this.session.connected || subscription.acknowledged) this.#left.add(subscription.filter);
    return this.#unsubscribe(subscription.filter);
  }

  /** The session is connected: what it does not have is subscribed. */
  ready(resumed: boolean): void {
    if (resumed) for (const filter of this.#left) void this.#unsubscribe(filter);
    else this.#left.clear();
    for (const subscription of this.#subscriptions) {
      if (!resumed || !subscription.acknowledged) {
        subscription.acknowledged = false;
        for (const member of subscription.members) member.generation = undefined;
      }
      if (subscription.pending) continue;
      subscription.pending = true;
      // At once: what waits to be published may be meant for our own subscriptions.
      void this.#subscribe(subscription);
    }
  }

  /** Asks for a SUBSCRIBE with the QoS that the members want by now. */
  renew(subscription: FilterSubscription): void {
    subscription.outdated = true;
    this.request(subscription);
  }

  /** Asks for a SUBSCRIBE that covers the members who have had none; those who join during one turn of the loop share it. */
  request(subscription: FilterSubscription): void {
    if (subscription.pending || !this.session.connected) return;
    subscription.pending = true;
    void this.#replayed(subscription).then(() => this.#subscribe(subscription));
  }

  /**
   * Resolves when the retained messages have come that an earlier SUBSCRIBE for the filter has brought: without
   * subscription identifiers they would be taken for those of the next.
   */
  async #replayed({ acknowledged }: FilterSubscription): Promise<void> {
    if (acknowledged && !this.#identified()) await this.session.ping().catch(() => {});
  }

  route(packet: IPublishPacket, hold: Hold): void {
    const identifiers = packet.properties?.subscriptionIdentifier;
    const matching = this.#trie.match(packet.topic);
    let routed = false;
    if (identifiers === undefined) {
      for (const subscription of matching) {
        routed = true;
        subscription.deliver(packet, undefined, hold);
      }
    } else {
      for (const identifier of Array.isArray(identifiers) ? identifiers : [identifiers]) {
        const subscription = this.#bySlot.get(slotOf(identifier));
        // A session from an earlier run may use the number for another filter.
        if (subscription === undefined || !matching.includes(subscription)) continue;
        routed = true;
        subscription.deliver(packet, identifier, hold);
      }
    }
    if (!routed) this.unrouted++;
  }

  async #unsubscribe(filter: string): Promise<void> {
    if (await this.session.unsubscribe(filter)) this.#left.delete(filter);
  }

  async #subscribe(subscription: FilterSubscription): Promise<void> {
    const joining = [...subscription.members].filter((member) => member.generation === undefined);
    if (joining.length === 0 && !subscription.outdated) {
      subscription.pending = false;
      return;
    }
    subscription.outdated = false;
    const options = subscription.nextGeneration(joining);
    const identifier = this.#identified() ? subscription.identifier : undefined;
    let error: Error | undefined;
    try {
      await this.session.subscribe(subscription.filter, options, identifier);
      subscription.acknowledged = true;
    } catch (thrown) {
      if (thrown instanceof SubscribeError) error = thrown;
      // The connection ended; ready() comes again.
      else {
        subscription.outdated = true;
        for (const member of joining) member.generation = undefined;
      }
      if (error === undefined) joining.length = 0;
    }
    subscription.pending = false;
    const concerned = error !== undefined && joining.length === 0 ? subscription.members : joining;
    for (const member of concerned) report(member, error);
    this.request(subscription);
  }
}

function report(member: Member, error: Error | undefined): void {
  if (error === undefined) member.listener.result?.();
  else member.listener.result?.(error);
}
