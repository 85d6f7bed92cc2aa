import type { IPublishPacket } from 'mqtt';
import { parseFilter } from '../topic/topic-filter';
import { AcknowledgedDelivery, type Unfinished } from './acknowledged-delivery';
import type { MessageProperties, QoS, ReceivedMessage, SubscribeOptions } from './connection-settings';
import type { Hold } from './incoming-exchanges';
import { kept } from './lent-bytes';

/** Who receives the messages of a subscription. */
export interface SubscriptionListener {
  /** What others are told who cannot have the same filter with other options. */
  readonly owner?: string;
  message(message: ReceivedMessage): void;
  /** After each SUBACK that concerns this listener, at first and after a reconnect; with the reason when the broker refuses, or with what message() threw. */
  result?(error?: Error): void;
  /** A message that the listener was to acknowledge itself, and has not in time; it has been refused. */
  unacknowledged?(message: ReceivedMessage): void;
}

/** One listener on a filter. */
export class Member {
  /** The SUBSCRIBE that it asked for; retained messages that an other one brought are not for it. */
  generation: number | undefined;
  /** Present when it acknowledges messages itself. */
  readonly acknowledged: AcknowledgedDelivery | undefined;

  constructor(
    public options: SubscribeOptions,
    readonly listener: SubscriptionListener,
  ) {
    const { acknowledgement } = options;
    if (acknowledgement === undefined) return;
    this.acknowledged = new AcknowledgedDelivery(acknowledgement, listener, (error) =>
      listener.result?.(error),
    );
  }

  receive(message: ReceivedMessage, hold: Hold): void {
    if (this.acknowledged !== undefined) this.acknowledged.deliver({ message, release: hold() });
    else this.#hand(message);
  }

  /** Takes over what another listener has left undone. */
  adopt({ message, release }: Unfinished): void {
    if (this.acknowledged !== undefined) this.acknowledged.deliver({ message, release });
    else {
      this.#hand(message);
      release();
    }
  }

  // One listener's fault must not rob the others, nor end the connection that all of them share.
  #hand(message: ReceivedMessage): void {
    try {
      this.listener.message(message);
    } catch (error) {
      this.listener.result?.(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** A message that has come while nobody was there. */
interface Parked {
  readonly packet: IPublishPacket;
  readonly identifier: number | undefined;
  readonly hold: Hold;
  readonly release: () => void;
}

/** Messages, and bytes of their payloads, that wait for somebody to take up a filter again; others are dropped and counted. */
const MAX_PARKED = 10_000;
const MAX_PARKED_BYTES = 16 * 1024 * 1024;

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
  /** The last SUBSCRIBE did not have the QoS that is wanted now. */
  outdated = false;
  /** A SUBSCRIBE is asked for, or on its way. */
  pending = false;
  /** Ends the subscription when nobody has taken it up again. */
  lingering: NodeJS.Timeout | undefined;
  #generation = 0;
  readonly #unfinished: Unfinished[] = [];
  /** What has come since the last listener left; `undefined` while there are listeners. */
  #parked: Parked[] | undefined;
  #parkedBytes = 0;
  /** The last listener wanted to know what was retained. */
  #retainAsPublished = false;
  #droppedBefore = 0;

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
  conflict(options: SubscribeOptions, owner = 'this subscription'): string | undefined {
    for (const { options: present, listener } of this.members) {
      const difference =
        (present.noLocal ?? false) !== (options.noLocal ?? false)
          ? 'No Local'
          : (present.retainAsPublished ?? false) !== (options.retainAsPublished ?? false)
            ? 'Retain As Published'
            : undefined;
      if (difference === undefined) continue;
      const other = listener.owner ?? 'another subscription';
      return `${other} and ${owner} have the same filter on one connection and differ in ${difference}`;
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

  /** Messages that nobody got because too many waited, since it was made. */
  get dropped(): number {
    let sum = this.#droppedBefore;
    for (const { acknowledged } of this.members) sum += acknowledged?.dropped ?? 0;
    return sum;
  }

  /**
   * Adds a listener. After a moment without any, the first takes over what an earlier one has not acknowledged, and all
   * that join in this turn of the loop get what has come meanwhile: when a flow is deployed, those whom they hand it on
   * to may not be there before.
   */
  join(member: Member): void {
    clearTimeout(this.lingering);
    this.members.add(member);
    if (this.#parked !== undefined && this.members.size === 1) setImmediate(() => this.#resume());
  }

  #resume(): void {
    const [first] = this.members;
    if (first === undefined || this.#parked === undefined) return;
    for (const unfinished of this.#unfinished.splice(0)) first.adopt(unfinished);
    const parked = this.#parked;
    this.#parked = undefined;
    this.#parkedBytes = 0;
    for (const { packet, identifier, hold, release } of parked) {
      this.deliver(packet, identifier, hold);
      release();
    }
  }

  /** Removes a listener; nothing is delivered to it any more. What it has not acknowledged waits for another, if it was the last. */
  leave(member: Member): void {
    this.members.delete(member);
    this.#droppedBefore += member.acknowledged?.dropped ?? 0;
    this.#unfinished.push(...(member.acknowledged?.close() ?? []));
    if (this.members.size === 0) {
      this.#parked ??= [];
      this.#retainAsPublished = member.options.retainAsPublished === true;
    } else if (this.#parked === undefined) this.giveUp();
  }

  /** Nobody will come for what is not acknowledged, and the broker need not keep it. */
  giveUp(): void {
    for (const { release } of this.#unfinished.splice(0)) release();
    for (const { release } of this.#parked?.splice(0) ?? []) release();
  }

  /** Hands a message to the listeners it is for; `identifier` is the one it came with. */
  deliver(packet: IPublishPacket, identifier: number | undefined, hold: Hold): void {
    if (this.#parked !== undefined) {
      this.#park(this.#parked, packet, identifier, hold);
      return;
    }
    const generation = identifier === undefined ? this.#generation : identifier % GENERATIONS;
    // One for all who get it with the same QoS: with a thousand listeners it is them that cost.
    const messages: ReceivedMessage[] = [];
    // Who joins while one of them has it has asked for what comes later.
    const members = [...this.members];
    for (const { options, acknowledged } of members) {
      // One that acknowledges messages itself may have to wait for them.
      if (options.lent === true && acknowledged === undefined) continue;
      packet.payload = kept(packet.payload as Buffer);
      break;
    }
    for (const member of members) {
      if (!this.members.has(member)) continue;
      const { options } = member;
      const replay = packet.retain && options.retainAsPublished !== true;
      if (replay && (member.generation !== generation || options.retainHandling === 2)) continue;
      const qos = Math.min(packet.qos, options.qos) as QoS;
      messages[qos] ??= receivedMessage(packet, qos);
      member.receive(messages[qos], hold);
    }
  }

  #park(parked: Parked[], packet: IPublishPacket, identifier: number | undefined, hold: Hold): void {
    // Who joins is sent the retained messages anyway; it may have joined in this turn of the loop, and these be they.
    if (this.members.size === 0 && packet.retain && !this.#retainAsPublished) return;
    this.#parkedBytes += packet.payload.length;
    if (parked.length >= MAX_PARKED || this.#parkedBytes > MAX_PARKED_BYTES) this.#droppedBefore++;
    else {
      packet.payload = kept(packet.payload as Buffer);
      parked.push({ packet, identifier, hold, release: hold() });
    }
  }
}

function receivedMessage(packet: IPublishPacket, qos: QoS): ReceivedMessage {
  const { topic, payload, retain, dup, messageId, properties } = packet;
  const message: ReceivedMessage = { topic, payload: payload as Buffer, qos, retain, dup };
  if (messageId !== undefined) message.packetId = messageId;
  if (properties !== undefined) message.properties = withoutDelivery(properties);
  return message;
}

/** Without what is about the way of a message, not about the message. */
function withoutDelivery(properties: NonNullable<IPublishPacket['properties']>): MessageProperties {
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(properties))
    if (name !== 'subscriptionIdentifier' && name !== 'topicAlias') rest[name] = value;
  return rest;
}
