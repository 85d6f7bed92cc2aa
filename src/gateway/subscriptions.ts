import { randomUUID } from 'node:crypto';
import { wildcardParts } from '../topic/topic-match';
import { ApiError } from './api-error';
import type { GatewayBroker } from './gateway-broker';
import { GatewaySubscription, type SubscriptionSettings } from './gateway-subscription';
import type { KeptMessage } from './message-ring';

/** A message of the history, and where it has come. */
interface HistoryEntry extends KeptMessage {
  brokerId: string;
  subscriptionId: string;
}

interface HistoryRequest {
  /** What the topic names match; all where absent. */
  filter?: string | undefined;
  brokerId?: string | undefined;
  subscriptionId?: string | undefined;
  /** ms since 1970; those that came before are left out. */
  since?: number | undefined;
  limit: number;
}

/** The subscriptions that callers have made, bounded in number and in what their histories may take. */
export class Subscriptions {
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #all = new Map<string, GatewaySubscription>();
  #sequence = 0;

  /** @param mostBytes that all histories may take together */
  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  /** The oldest first. */
  all(): Iterable<GatewaySubscription> {
    return this.#all.values();
  }

  /** @throws ApiError there is none */
  get(id: string): GatewaySubscription {
    const found = this.#all.get(id);
    if (found === undefined) {
      throw new ApiError('not_found', `there is no subscription "${id.slice(0, 60)}"`);
    }
    return found;
  }

  /** @throws ApiError there are too many, or the broker cannot be used */
  add(broker: GatewayBroker, settings: Omit<SubscriptionSettings, 'id' | 'brokerId'>): GatewaySubscription {
    if (this.#all.size >= this.#most) {
      throw new ApiError('limit_reached', `there are ${this.#most} subscriptions already`);
    }
    let taken = settings.historyBytes;
    for (const { settings: other } of this.#all.values()) taken += other.historyBytes;
    if (taken > this.#mostBytes) {
      const left = this.#mostBytes - taken + settings.historyBytes;
      throw new ApiError('limit_reached', `the histories of all subscriptions have ${left} bytes left`, {
        field: 'history_bytes',
      });
    }
    const subscription = new GatewaySubscription({ ...settings, id: randomUUID(), brokerId: broker.id });
    try {
      subscription.open(broker.link, () => this.#sequence++);
    } catch (error) {
      throw new ApiError('not_connected', (error as Error).message);
    }
    this.#all.set(subscription.settings.id, subscription);
    return subscription;
  }

  /** @throws ApiError there is none */
  remove(id: string): void {
    this.get(id).close();
    this.#all.delete(id);
  }

  /** Ends those of a broker that has been removed. */
  removeOf(brokerId: string): void {
    for (const { settings } of [...this.#all.values()]) {
      if (settings.brokerId === brokerId) this.remove(settings.id);
    }
  }

  /** What the subscriptions have kept, the newest first. */
  history({ filter, brokerId, subscriptionId, since = 0, limit }: HistoryRequest): HistoryEntry[] {
    const levels = filter?.split('/');
    const found: HistoryEntry[] = [];
    for (const { ring, settings } of this.#all.values()) {
      if (subscriptionId !== undefined && settings.id !== subscriptionId) continue;
      if (brokerId !== undefined && settings.brokerId !== brokerId) continue;
      let taken = 0;
      for (const kept of ring.newest()) {
        if (kept.at < since || taken === limit) break;
        if (levels !== undefined && wildcardParts(levels, kept.message.topic) === undefined) continue;
        found.push({ ...kept, brokerId: settings.brokerId, subscriptionId: settings.id });
        taken++;
      }
    }
    return found.sort((a, b) => b.sequence - a.sequence).slice(0, limit);
  }

  close(): void {
    for (const id of [...this.#all.keys()]) this.remove(id);
  }
}
