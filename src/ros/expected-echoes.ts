import { createHash } from 'node:crypto';
import { SubscriptionTrie } from '../topic/subscription-trie';

/** Echoes of acknowledged messages that are awaited at once; beyond it the oldest are forgotten. */
const MAX_AWAITED = 10_000;
/** How long an echo is awaited after the broker has its message, in ms: one may never come. */
const PATIENCE = 60_000;
/** Of the digest: two messages do not share so many by chance. */
const DIGEST_BYTES = 16;

/** One echo. */
export interface ExpectedEcho {
  readonly digest: string;
  /** Since when the broker has the message (`performance.now()`). */
  since: number;
  hasCome: boolean;
}

export interface ExpectedEchoesOptions {
  /** ms; see `PATIENCE`. */
  now?: () => number;
  /** Called when there was no room for one more, the first time since `lost`. */
  onFull?: () => void;
}

/**
 * What a client of MQTT 3.1.1 has published and gets back, since that has neither No Local nor user properties: a broker
 * sends one copy for each of its subscriptions. Copies are told by what they are, so one that is the same as another
 * client's message may be taken for that, and that for the copy: of the two one is taken, either way.
 */
export class ExpectedEchoes {
  readonly #now: () => number;
  readonly #onFull: () => void;
  /** Each in an object, because a filter may be there twice for a moment. */
  readonly #subscriptions = new SubscriptionTrie<{ readonly filter: string }>();
  readonly #byDigest = new Map<string, ExpectedEcho[]>();
  /** Of messages that the broker has not acknowledged, also where they have come: it may be told those again. */
  readonly #underWay = new Set<ExpectedEcho>();
  /** Those of others, the longest awaited first. */
  readonly #awaited = new Set<ExpectedEcho>();
  #isFull = false;

  constructor({ now = () => performance.now(), onFull = () => {} }: ExpectedEchoesOptions = {}) {
    this.#now = now;
    this.#onFull = onFull;
  }

  /** There is a subscription with a valid filter. Returns what is called when it has been closed. */
  subscribe(filter: string): () => void {
    const subscription = { filter };
    this.#subscriptions.add(filter, subscription);
    return () => void this.#subscriptions.delete(filter, subscription);
  }

  /**
   * A message is published: one echo comes for each subscription, because those that overlap have a session each. The
   * caller bounds how many are under way.
   */
  expect(topic: string, payload: string | Buffer): readonly ExpectedEcho[] {
    return this.#subscriptions.match(topic).map(({ filter }) => {
      const echo = { digest: digestOf(filter, topic, payload), since: 0, hasCome: false };
      this.#underWay.add(echo);
      this.#note(echo);
      return echo;
    });
  }

  /** The broker has the message, or never will; its echoes may yet come. */
  settle(echoes: readonly ExpectedEcho[]): void {
    this.#forgetOld();
    for (const echo of echoes) if (this.#underWay.delete(echo) && !echo.hasCome) this.#await(echo);
  }

  /** Whether a message that has come by a subscription is an echo, which is then awaited no more. */
  take(filter: string, topic: string, payload: Buffer): boolean {
    this.#forgetOld();
    if (this.#byDigest.size === 0) return false;
    const echo = this.#byDigest.get(digestOf(filter, topic, payload))?.[0];
    if (echo === undefined) return false;
    echo.hasCome = true;
    this.#forget(echo);
    return true;
  }

  /** The connection has ended: no echo comes but of what is under way, which is published again. */
  lost(): void {
    this.#isFull = false;
    this.#awaited.clear();
    this.#byDigest.clear();
    for (const echo of this.#underWay) {
      echo.hasCome = false;
      this.#note(echo);
    }
  }

  #await(echo: ExpectedEcho): void {
    echo.since = this.#now();
    if (this.#awaited.size >= MAX_AWAITED) {
      const [oldest] = this.#awaited;
      if (oldest !== undefined) this.#forget(oldest);
      if (!this.#isFull) this.#onFull();
      this.#isFull = true;
    }
    this.#awaited.add(echo);
  }

  #note(echo: ExpectedEcho): void {
    const same = this.#byDigest.get(echo.digest);
    if (same === undefined) this.#byDigest.set(echo.digest, [echo]);
    else same.push(echo);
  }

  #forgetOld(): void {
    const until = this.#now() - PATIENCE;
    for (const echo of this.#awaited) {
      if (echo.since > until) return;
      this.#forget(echo);
    }
  }

  #forget(echo: ExpectedEcho): void {
    this.#awaited.delete(echo);
    const same = this.#byDigest.get(echo.digest);
    if (same === undefined) return;
    if (same.length === 1) this.#byDigest.delete(echo.digest);
    else same.splice(same.indexOf(echo), 1);
  }
}

function digestOf(filter: string, topic: string, payload: string | Buffer): string {
  // No topic has U+0000 [MQTT-4.7.3-2].
  const hash = createHash('sha256').update(`${filter}\0${topic}\0`).update(payload);
  return hash.digest().toString('latin1', 0, DIGEST_BYTES);
}
