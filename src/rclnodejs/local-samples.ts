import { createHash } from 'node:crypto';
import type { Qos } from './process-messages';

/** For how long a sample of ours is awaited at our own subscriptions, in ms. */
const AWAITED_FOR = 5000;
/** Samples of ours that one subscription may await; beyond, the oldest are taken for lost. */
const MAX_AWAITED = 10_000;
/** Samples that late subscriptions of ours are sent of one transient-local publisher of ours. */
const MAX_KEPT = 1000;

interface Awaited {
  digest: string;
  via: readonly string[];
  until: number;
}

export interface LocalPublisher {
  /** The node that made it. */
  owner: object;
  topic: string;
  type: string;
  qos: Qos;
}

export interface LocalSubscription extends LocalPublisher {}

/** A sample that one of our own nodes published. */
export interface LocalSample {
  publisher: LocalPublisher;
  via: readonly string[];
}

/**
 * Tells the samples that this process published from those of others, which raw subscriptions receive alike and without
 * their publishers' GUIDs: by digests of what our publishers sent and our subscriptions have not received yet.
 */
export class LocalSamples {
  /** What late subscriptions are sent of each transient-local publisher. */
  readonly #kept = new Map<LocalPublisher, Awaited[]>();
  readonly #awaited = new Map<LocalSubscription, Map<LocalPublisher, Awaited[]>>();

  addPublisher(publisher: LocalPublisher): void {
    if (publisher.qos.durability === 'transient-local') this.#kept.set(publisher, []);
  }

  removePublisher(publisher: LocalPublisher): void {
    this.#kept.delete(publisher);
  }

  addSubscription(subscription: LocalSubscription): void {
    const awaited = new Map<LocalPublisher, Awaited[]>();
    this.#awaited.set(subscription, awaited);
    if (subscription.qos.durability !== 'transient-local') return;
    const until = performance.now() + AWAITED_FOR;
    for (const [publisher, kept] of this.#kept) {
      if (matches(publisher, subscription)) {
        awaited.set(
          publisher,
          kept.map((sample) => ({ ...sample, until })),
        );
      }
    }
  }

  removeSubscription(subscription: LocalSubscription): void {
    this.#awaited.delete(subscription);
  }

  /** One of our publishers is about to send a sample that the bridges in `via` have carried. */
  published(publisher: LocalPublisher, cdr: Buffer, via: readonly string[]): void {
    const until = performance.now() + AWAITED_FOR;
    let sample: Awaited | undefined;
    const kept = this.#kept.get(publisher);
    if (kept !== undefined) {
      sample = { digest: digestOf(cdr), via, until };
      kept.push(sample);
      if (kept.length > Math.min(publisher.qos.depth, MAX_KEPT)) kept.shift();
    }
    for (const [subscription, awaited] of this.#awaited) {
      if (!matches(publisher, subscription)) continue;
      sample ??= { digest: digestOf(cdr), via, until };
      const list = awaited.get(publisher) ?? [];
      if (list.length >= MAX_AWAITED) list.shift();
      list.push(sample);
      awaited.set(publisher, list);
    }
  }

  /** Whether what a subscription received is a sample of ours, which is then awaited no longer. */
  received(subscription: LocalSubscription, cdr: Buffer): LocalSample | undefined {
    const awaited = this.#awaited.get(subscription);
    if (awaited === undefined || awaited.size === 0) return undefined;
    const now = performance.now();
    let digest: string | undefined;
    for (const [publisher, list] of awaited) {
      const expired = list.findIndex(({ until }) => until > now);
      list.splice(0, expired === -1 ? list.length : expired);
      if (list.length > 0) {
        digest ??= digestOf(cdr);
        const index = list.findIndex((sample) => sample.digest === digest);
        if (index !== -1) {
          const { via } = list[index] as Awaited;
          // A publisher's samples come in their order: those before it were lost.
          list.splice(0, index + 1);
          return { publisher, via };
        }
      }
      if (list.length === 0) awaited.delete(publisher);
    }
    return undefined;
  }
}

function matches(publisher: LocalPublisher, subscription: LocalSubscription): boolean {
  return (
    publisher.topic === subscription.topic &&
    publisher.type === subscription.type &&
    (publisher.qos.reliability === 'reliable' || subscription.qos.reliability === 'best-effort') &&
    (publisher.qos.durability === 'transient-local' || subscription.qos.durability === 'volatile')
  );
}

/** Of the data alone: on their way the header's options and the padding at the end may change. */
export function digestOf(cdr: Buffer): string {
  let end = cdr.length;
  while (end > 4 && cdr[end - 1] === 0) end--;
  return createHash('sha1').update(cdr.subarray(4, end)).digest('base64');
}
