import type { IPublishPacket } from 'mqtt';
import { parseFilter } from '../topic/topic-filter';
import type { QoS, ReceivedMessage, SubscribeOptions } from './connection-settings';

/** Who receives the messages of a subscription. */
export interface SubscriptionListener {
  message(message: ReceivedMessage): void;
  /** After each SUBACK that concerns this listener, at first and after a reconnect; with the reason when the broker refuses, or with what message() threw. */
  result?(error?: Error): void;
}

/** One listener on a filter. */
export interface Member {
  readonly options: SubscribeOptions;
  readonly listener: SubscriptionListener;
  /** The SUBSCRIBE that it asked for; retained messages that an other one brought are not for it. */
  generation: number | undefined;
}

/** Subscription identifiers are 1 to 268,435,455 [MQTT-3.8.2.1.2]: 22 bits name the filter, 6 bits the SUBSCRIBE. */
const GENERATIONS = 64;
export const SLOTS = 2 ** 22;

/** The filter's part of a subscription identifier. */
export const slotOf = (identifier: number): number => Math.floor(identifier / GENERATIONS);

/**
 * One topic filter in one session: the listeners that share it, and the SUBSCRIBE packets made for it.
 *
 * A listener that joins a filter already subscribed gets its retained messages through another SUBSCRIBE; those that
 * were there before do not get them again. Retained messages are told from others by the RETAIN flag, which is set on
 * nothing else unless Retain As Published is on [MQTT-3.3.1-12].
 */
export class FilterSubscription {
  /** What topic names are compared with: the filter without `$share/<group>/`. */
  readonly topicFilter: string;
  readonly members = new Set<Member>();
  /** The session has acknowledged a SUBSCRIBE for this filter. */
  acknowledged = false;
  /** A SUBSCRIBE is asked for, or on its way. */
  pending = false;
  /** Ends the subscription when nobody has taken it up again. */
  lingering: NodeJS.Timeout | undefined;
  #generation = 0;

  constructor(
    readonly filter: string,
    /** Stands for the filter in subscription identifiers. */
    readonly slot: number,
  ) {
    this.topicFilter = parseFilter(filter).filter;
  }

  get identifier(): number {
    return this.slot * GENERATIONS + this.#generation;
  }

  /** Why these options cannot share the filter with the present listeners [MQTT-3.8.4-3]. */
  conflict(options: SubscribeOptions): string | undefined {
    for (const { options: present } of this.members) {
      if ((present.noLocal ?? false) !== (options.noLocal ?? false)) {
        return 'another subscription of this connection to the same filter differs in No Local';
      }
      if ((present.retainAsPublished ?? false) !== (options.retainAsPublished ?? false)) {
        return 'another subscription of this connection to the same filter differs in Retain As Published';
      }
    }
    return undefined;
  }

  /** Starts a SUBSCRIBE for the given members and says with which options. */
  nextGeneration(members: Iterable<Member>): SubscribeOptions {
    this.#generation = (this.#generation + 1) % GENERATIONS;
    let retainHandling: 0 | 1 | 2 = 2;
    for (const member of members) {
      member.generation = this.#generation;
      // A listener that joins is new, whatever the broker thinks of the filter: 1 would bring it nothing.
      const wanted =
        this.acknowledged && member.options.retainHandling === 1 ? 0 : member.options.retainHandling;
      retainHandling = Math.min(retainHandling, wanted ?? 0) as 0 | 1 | 2;
    }
    const all = [...this.members].map((member) => member.options);
    return {
      qos: Math.max(0, ...all.map((options) => options.qos)) as QoS,
      noLocal: all.some((options) => options.noLocal),
      retainAsPublished: all.some((options) => options.retainAsPublished),
      retainHandling,
    };
  }

  /** Hands a message to the listeners it is for; `identifier` is the one it came with. */
  deliver(packet: IPublishPacket, identifier: number | undefined): void {
    const generation = identifier === undefined ? this.#generation : identifier % GENERATIONS;
    for (const { options, listener, generation: own } of this.members) {
      const replay = packet.retain && options.retainAsPublished !== true;
      if (replay && (own !== generation || options.retainHandling === 2)) continue;
      try {
        listener.message(receivedMessage(packet, Math.min(packet.qos, options.qos) as QoS));
      } catch (error) {
        // One listener's fault must not rob the others, nor end the connection that all of them share.
        listener.result?.(error instanceof Error ? error : new Error(String(error)));
      }
    }
  }
}

function receivedMessage({ topic, payload, retain, properties }: IPublishPacket, qos: QoS): ReceivedMessage {
  const message: ReceivedMessage = { topic, payload: payload as Buffer, qos, retain };
  if (properties !== undefined) {
    const { subscriptionIdentifier: _identifier, topicAlias: _alias, ...rest } = properties;
    message.properties = rest;
  }
  return message;
}
