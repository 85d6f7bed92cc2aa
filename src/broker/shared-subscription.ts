import type { Session } from './session/session';
import { type Delivery, joinDeliveries, type Subscription } from './subscription';

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
    return (
      this.#nextOf(topic, (session) => session.ready) ??
      this.#nextOf(topic, (session) => session.connected) ??
      this.#nextOf(topic, () => true)
    );
  }

  #nextOf(topic: string, suits: (session: Session) => boolean): SharedRecipient | undefined {
    const { length } = this.#members;
    for (let count = 0; count < length; count++) {
      const index = (this.#next + count) % length;
      const member = this.#members[index] as SharedRecipient;
      const { session } = member.subscription;
      if (!suits(session) || !session.permissions.mayReceive(topic)) continue;
      this.#next = index + 1;
      return member;
    }
    return undefined;
  }
}
