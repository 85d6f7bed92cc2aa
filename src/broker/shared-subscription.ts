import { type Delivery, joinDeliveries, type Subscription } from './subscription';

/** Of more members than these not all are looked at for each message while none suits. */
const MANY = 100;

/** A member of a shared subscription that is to get a message, and how. */
export interface SharedRecipient {
  readonly subscription: Subscription;
  readonly delivery: Delivery;
}

/**
 * The sessions that share what is published to one filter under one group name, each message going to one of them
 * (MQTT 5.0 section 4.8.2).
 */
export class SharedSubscription {
  /** `$share/<group>/<filter>`. */
  readonly filter: string;
  #members: SharedRecipient[] = [];
  #next = 0;
  /** For so many messages no member is looked for that suits better than the best when all were looked at. */
  #assumed = 0;
  /** 1: connected, but none that takes messages at once; 0: none connected. */
  #bestFound: 0 | 1 = 0;

  constructor(filter: string) {
    this.filter = filter;
  }

  get size(): number {
    return this.#members.length;
  }

  add(subscription: Subscription): void {
    const delivery = { ...joinDeliveries([subscription]), shared: this };
    this.#members.push({ subscription, delivery });
  }

  remove(subscription: Subscription): void {
    this.#members = this.#members.filter((member) => member.subscription !== subscription);
  }

  /** Whether a member is connected. */
  get connected(): boolean {
    return this.#members.some(({ subscription }) => subscription.session.connected);
  }

  /** Whether a member's client takes a message at once. */
  get ready(): boolean {
    return this.#members.some(({ subscription }) => subscription.session.ready);
  }

  /** Whether a message at QoS 1 or 2 may have to be kept for a member. */
  get stored(): boolean {
    return this.#members.some(
      ({ subscription: { session, qos } }) => qos > 0 && session.stored !== undefined,
    );
  }

  /**
   * The member that gets the next message of a topic, in turns: of those whose client takes messages at once, else of
   * those that are connected, else of all, as the sessions of absent clients keep messages as well.
   */
  next(topic: string): SharedRecipient | undefined {
    const members = this.#members;
    const { length } = members;
    const enough = this.#assumed > 0 ? this.#bestFound : 2;
    let best: SharedRecipient | undefined;
    let bestRank = -1;
    let bestIndex = 0;
    for (let count = 0; count < length && bestRank < enough; count++) {
      const index = (this.#next + count) % length;
      const member = members[index] as SharedRecipient;
      const { session } = member.subscription;
      const rank = session.ready ? 2 : session.connected ? 1 : 0;
      if (rank <= bestRank || !session.permissions.mayReceive(topic)) continue;
      best = member;
      bestRank = rank;
      bestIndex = index;
    }
    if (best === undefined) return undefined;
    this.#next = bestIndex + 1;
    if (this.#assumed > 0) {
      this.#assumed--;
    } else if (bestRank < 2 && length > MANY) {
      this.#bestFound = bestRank as 0 | 1;
      this.#assumed = length;
    }
    return best;
  }
}
