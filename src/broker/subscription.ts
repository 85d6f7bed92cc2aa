import type { QoS } from './codec/packet-type';
import type { Session } from './session/session';
import type { SharedSubscription } from './shared-subscription';

/** One topic filter of one session with its options (MQTT 5.0 section 3.8.3.1). */
export interface Subscription {
  readonly session: Session;
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** Subscription Identifier, or 0. */
  readonly identifier: number;
}

/** How a message reaches a session: the options of its subscriptions that match, joined. */
export interface Delivery {
  /** The highest of the subscriptions [MQTT-3.3.4-2]. */
  readonly qos: QoS;
  /** Set when one of the subscriptions asks for it. */
  readonly retainAsPublished: boolean;
  /** All of the subscriptions [MQTT-3.3.4-3]. */
  readonly identifiers: readonly number[];
  /** Where it goes to a session on behalf of several. */
  readonly shared?: SharedSubscription;
}

/** A session that gets one copy of what is published to a topic, however many of its filters match. */
export interface Recipient {
  readonly session: Session;
  readonly delivery: Delivery;
  /** The same for what the session's own client publishes: without No Local subscriptions; absent when none is left. */
  readonly own: Delivery | undefined;
}

/** Joins matching subscriptions to one recipient per session. */
export function recipientsOf(subscriptions: readonly Subscription[]): Recipient[] {
  const bySession = new Map<Session, Subscription[]>();
  for (const subscription of subscriptions) {
    const matching = bySession.get(subscription.session);
    if (matching === undefined) bySession.set(subscription.session, [subscription]);
    else matching.push(subscription);
  }
  return [...bySession].map(([session, matching]) => {
    const others = matching.filter(({ noLocal }) => !noLocal);
    return {
      session,
      delivery: joinDeliveries(matching),
      own: others.length === 0 ? undefined : joinDeliveries(others),
    };
  });
}

/** What matching subscriptions of one session ask for together. */
export function joinDeliveries(subscriptions: readonly Subscription[]): Delivery {
  return {
    qos: Math.max(...subscriptions.map(({ qos }) => qos)) as QoS,
    retainAsPublished: subscriptions.some(({ retainAsPublished }) => retainAsPublished),
    identifiers: [...new Set(subscriptions.map(({ identifier }) => identifier))].filter((one) => one > 0),
  };
}
