import { Permissions } from '../access/permissions';
import type { WillFields } from '../codec/connect-packet';
import { PacketType, type QoS } from '../codec/packet-type';
import { ProtocolError } from '../codec/protocol-error';
import type { MessageParts, PublishView } from '../codec/publish-packet';
import { ReasonCode } from '../codec/reason-code';
import {
  DELIVERY_BYTES,
  type HeldMemory,
  PACKET_ID_BYTES,
  SESSION_BYTES,
  STORED_DELIVERY_BYTES,
  willBytes,
} from '../held-memory';
import type { Limits } from '../limits';
import type { Message } from '../message';
import type { SharedSubscription } from '../shared-subscription';
import type { BrokerStatistics } from '../statistics';
import type { SessionStore, Store, StoredDelivery } from '../store/store';
import type { Delivery, Subscription } from '../subscription';
import { type OutgoingMessage, OutgoingQueue } from './outgoing-queue';
import { SendWindow } from './send-window';

/** Where a session puts the packets for its client while the client is connected. */
export interface SessionOutput {
  readonly v5: boolean;
  /** The reader is behind: nothing more should be added until the session is told to `drain`. */
  readonly congested: boolean;
  /** Passes a received PUBLISH on as it stands. Returns false when it is larger than the client accepts. */
  forward(view: PublishView): boolean;
  /** Returns false when the packet would be larger than the client accepts [MQTT-3.1.2-24]. */
  publish(
    parts: MessageParts,
    header: number,
    packetId: number,
    expiry: number,
    identifiers: readonly number[],
  ): boolean;
  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  acknowledge(header: number, packetId: number, reasonCode: ReasonCode): void;
  /** What goes out from now on, and what waits, must not go before the store has made this position durable. */
  waitFor(position: number): void;
  /** The queue is full and the policy is to end the connection for it: soon, not within the call. */
  overflow(reason: string): void;
}

/** A message that a shared subscription has to give to another member. */
export interface SharedMessage {
  shared: SharedSubscription;
  message: Message;
}

const PUBLISH = PacketType.publish << 4;
const PUBREL = (PacketType.pubrel << 4) | 2;
const DUP = 8;
/** How often a queue is looked through for what has expired, at most, ms. */
const EXPIRY_INTERVAL = 10_000;

/**
 * What the broker keeps for one client identifier (MQTT 5.0 section 4.1): subscriptions, the messages waiting for the
 * client and those in flight both ways. It has no socket and no clock: packets go to its output, times come in (ms).
 */
export class Session {
  readonly clientId: string;
  readonly subscriptions = new Map<string, Subscription>();
  /** The user whose session it is; empty for an anonymous client. */
  owner = '';
  /** Of the client that was last connected; of one restored nobody knows yet. */
  permissions = Permissions.unrestricted;
  readonly #limits: Limits;
  readonly #statistics: BrokerStatistics;
  readonly #store: Store;
  readonly #memory: HeldMemory;
  /** What the session itself and its will take. */
  #ownBytes = 0;
  /** Where the session is kept; absent when it ends with its connection or with the broker. */
  #stored: SessionStore | undefined;
  readonly #queue = new OutgoingQueue();
  readonly #inFlight = new SendWindow();
  /** What was in flight when the client came back and is still to be sent again. */
  #resend: OutgoingMessage[] = [];
  /** QoS 2 messages received and not yet released by PUBREL. */
  readonly #received = new Set<number>();
  #output: SessionOutput | undefined;
  #heldBytes = 0;
  /** Nothing in the queue expires before. */
  #earliestExpiry = Number.POSITIVE_INFINITY;
  #expiryCheckedAt = Number.NEGATIVE_INFINITY;
  #dropped = 0;

  constructor(
    clientId: string,
    limits: Limits,
    statistics: BrokerStatistics,
    store: Store,
    memory: HeldMemory,
  ) {
    this.clientId = clientId;
    this.#memory = memory;
    this.#limits = limits;
    this.#statistics = statistics;
    this.#store = store;
  }

  get stored(): SessionStore | undefined {
    return this.#stored;
  }

  /** The client is connected; with an expiry the session is kept from now on. */
  keep(expiry: number, will: WillFields | undefined): void {
    this.#hold(will);
    if (expiry > 0) this.#stored ??= this.#store.newSession(this.clientId, this.owner);
    this.#stored?.connected(expiry, will);
  }

  /** Takes on what the store has kept of a session, except its subscriptions. */
  restore(
    stored: SessionStore,
    will: WillFields | undefined,
    deliveries: Iterable<StoredDelivery>,
    received: Iterable<number>,
  ): void {
    this.#hold(will);
    this.#stored = stored;
    for (const packetId of received) this.#received.add(packetId);
    this.#memory.add(PACKET_ID_BYTES * this.#received.size);
    for (const { id, message, packetId, ...rest } of deliveries) {
      // Of a damaged store: the client has it, but nobody knows under which identifier.
      if (message === undefined && packetId === 0) {
        stored.done(id);
        continue;
      }
      // What a shared subscription gave it before the restart stays with it.
      const outgoing: OutgoingMessage = { ...rest, message, packetId, shared: undefined, stored: id };
      if (message !== undefined && !outgoing.replayed) this.#heldBytes += message.size;
      if (message !== undefined) this.#memory.hold(message);
      this.#memory.add(memoryOf(outgoing));
      if (packetId === 0) this.#wait(outgoing);
      else this.#inFlight.restore(outgoing);
    }
  }

  /** What goes to the client from now on waits until what was noted in the store is kept. */
  waitForStore(): void {
    if (this.#stored !== undefined) this.#output?.waitFor(this.#store.position);
  }

  /** Messages that wait for the client, besides those in flight. */
  get queued(): number {
    return this.#queue.length;
  }

  /** How many messages limits have kept from the client since this was last asked. */
  takeDropped(): number {
    const dropped = this.#dropped;
    this.#dropped = 0;
    return dropped;
  }

  /** Bytes of the messages that wait for the client and of those in flight. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Messages that the client has got and not acknowledged to the end. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Whether its client is connected. */
  get connected(): boolean {
    return this.#output !== undefined;
  }

  /** Whether its client would get a message at once. */
  get ready(): boolean {
    return this.#readyFor(1);
  }

  #readyFor(qos: QoS): boolean {
    return (
      this.#output !== undefined &&
      this.#queue.length === 0 &&
      this.#resend.length === 0 &&
      this.#maySend(this.#output, qos)
    );
  }

  /**
   * Takes out what it got of shared subscriptions and another session may have instead: what was not sent, and of QoS 1
   * also what was not acknowledged. A QoS 2 delivery once begun stays [MQTT-4.8.2-4], [MQTT-4.8.2-5].
   */
  takeShared(mayMove: (shared: SharedSubscription) => boolean): SharedMessage[] {
    const taken: SharedMessage[] = [];
    const take = (outgoing: OutgoingMessage): boolean => {
      const { shared, message, packetId, qos } = outgoing;
      const begun = qos === 2 && packetId !== 0;
      if (shared === undefined || message === undefined || begun || !mayMove(shared)) return false;
      taken.push({ shared, message });
      return true;
    };
    for (const outgoing of this.#inFlight.values()) {
      if (!take(outgoing)) continue;
      this.#inFlight.delete(outgoing.packetId);
      this.#end(outgoing);
    }
    if (this.#queue.shared > 0) {
      for (const outgoing of this.#queue.removeWhere(take)) this.#end(outgoing);
    }
    return taken;
  }

  /** Forgets the messages that its client may not receive any more; a QoS 2 delivery that PUBREC answered goes on. */
  dropUnreceivable(): void {
    const kept = ({ message }: OutgoingMessage) =>
      message === undefined || this.permissions.mayReceive(message.topic);
    const dropped = this.#queue.removeWhere((outgoing) => !kept(outgoing));
    for (const outgoing of this.#inFlight.values()) {
      if (kept(outgoing)) continue;
      this.#inFlight.delete(outgoing.packetId);
      dropped.push(outgoing);
    }
    for (const outgoing of dropped) this.#end(outgoing);
    this.#statistics.denied += dropped.length;
  }

  /**
   * The client is connected: sends again what it has not acknowledged, then what waits [MQTT-4.4.0-1].
   * @param mostInFlight QoS 1 and 2 messages, where the Receive Maximum allows so many
   */
  attach(
    output: SessionOutput,
    receiveMaximum: number,
    now: number,
    mostInFlight = this.#limits.inFlight,
  ): void {
    this.#output = output;
    this.#inFlight.open(receiveMaximum, mostInFlight);
    this.#resend = [];
    for (const outgoing of this.#inFlight.values()) {
      if (outgoing.qos === 2) this.waitForStore();
      if (outgoing.message !== undefined) this.#resend.push(outgoing);
      else output.acknowledge(PUBREL, outgoing.packetId, ReasonCode.success);
    }
    this.drain(now);
  }

  /** The client is gone: what was meant for a connected client only is forgotten. */
  detach(): void {
    this.#output = undefined;
    this.#resend = [];
    // Who comes and goes often must not have a long queue looked through each time.
    if (this.#queue.atMostOnce === 0) return;
    for (const outgoing of this.#queue.removeWhere(({ qos }) => qos === 0)) this.#end(outgoing);
  }

  /** The session is over: lets go of everything, as caches may keep the session itself for a while. */
  discard(): void {
    this.#stored?.ended();
    this.#stored = undefined;
    this.subscriptions.clear();
    for (const outgoing of this.#inFlight.values()) this.#end(outgoing);
    this.#inFlight.clear();
    for (const outgoing of this.#queue.removeWhere(() => true)) this.#end(outgoing);
    this.#memory.remove(PACKET_ID_BYTES * this.#received.size + this.#ownBytes);
    this.#received.clear();
    this.#ownBytes = 0;
  }

  /**
   * Delivers a received message at QoS 0, straight from its packet where nothing has to change. Returns false when the
   * message must wait its turn and so needs bytes of its own: `deliver` it then.
   */
  forward(view: PublishView, delivery: Delivery, v5: boolean): boolean {
    const output = this.#output;
    if (output === undefined) return true;
    if (this.#queue.replayed > 0) return false;
    if (output.congested) {
      this.#drop();
      return true;
    }
    const retain = view.retain && delivery.retainAsPublished;
    const unchanged =
      view.qos === 0 && view.retain === retain && v5 === output.v5 && delivery.identifiers.length === 0;
    const sent = unchanged
      ? output.forward(view)
      : output.publish(view, PUBLISH | (retain ? 1 : 0), 0, -1, delivery.identifiers);
    this.#count(sent);
    return true;
  }

  /**
   * Whether it can take a message of this size (`Message.size`) now. What cannot be taken, and what goes to make room for
   * it, is counted: so it is asked once for each message, before one is made, and `deliver` follows when it can.
   */
  accepts(size: number, qos: QoS, now: number): boolean {
    if (qos === 0) {
      if (this.#output === undefined) return false;
      if (this.#queue.replayed === 0) {
        if (!this.#output.congested) return true;
        this.#drop();
        return false;
      }
    }
    if (this.#memory.level === 3 && !this.ready) {
      this.#drop();
      return false;
    }
    if (this.#hasRoom(size)) return true;
    this.dropExpired(now);
    return this.#hasRoom(size) || this.#makeRoom(size);
  }

  /** Ends what has expired while it waited [MQTT-3.3.2-5]: it must not take the room of what has not. */
  dropExpired(now: number): void {
    if (now < this.#earliestExpiry || now < this.#expiryCheckedAt + EXPIRY_INTERVAL) return;
    this.#expiryCheckedAt = now;
    let earliest = Number.POSITIVE_INFINITY;
    const expired = this.#queue.removeWhere(({ message }) => {
      const { expiresAt } = message as Message;
      if (expiresAt <= now) return true;
      earliest = Math.min(earliest, expiresAt);
      return false;
    });
    this.#earliestExpiry = earliest;
    this.#statistics.expired += expired.length;
    for (const outgoing of expired) this.#end(outgoing);
  }

  /**
   * Delivers a message that it accepts now, or queues it: at QoS 1 and 2, and where retained messages are still to be
   * replayed.
   */
  deliver(message: Message, qos: QoS, retain: boolean, delivery: Delivery, now: number): void {
    if (qos === 0 && this.#queue.replayed === 0) {
      const output = this.#output as SessionOutput;
      this.#count(this.#publish(output, message, PUBLISH | (retain ? 1 : 0), 0, delivery, now));
      return;
    }
    this.#heldBytes += message.size;
    this.#enqueue(message, qos, retain, delivery, false, now);
  }

  /** Sends a retained message for a new subscription; unlike others it waits for a slow reader also at QoS 0. */
  replay(message: Message, delivery: Delivery, now: number): void {
    const { level } = this.#memory;
    const short = level >= (delivery.qos === 0 ? 1 : 2) && !this.#readyFor(delivery.qos);
    if (short || this.#queue.replayed >= this.#limits.retainedMessages) this.#drop();
    else this.#enqueue(message, delivery.qos, true, delivery, true, now);
  }

  /** Sends what waits, as far as the reader and its Receive Maximum allow. */
  drain(now: number): void {
    const output = this.#output;
    if (output === undefined) return;
    while (!output.congested) {
      if (this.#resend.length > 0) {
        if (!this.#inFlight.maySendAgain) return;
        this.#sendAgain(output, this.#resend.shift() as OutgoingMessage, now);
        continue;
      }
      const next = this.#queue.peek();
      if (next === undefined) return;
      if (!this.#maySend(output, next.qos)) return;
      this.#queue.shift();
      this.#send(output, next, now);
    }
  }

  /**
   * PUBACK of the client.
   * @throws ProtocolError the message is not one of QoS 1
   */
  acknowledged(packetId: number, now: number): void {
    const outgoing = this.#inFlight.get(packetId);
    // One that was acknowledged before [MQTT-4.3.2-5]; the identifier may be free for long.
    if (outgoing === undefined) return;
    if (outgoing.qos !== 1) throw wrongAcknowledgement('PUBACK', packetId, outgoing);
    this.#finish(packetId, outgoing, now);
  }

  /**
   * PUBREC of the client: answers with PUBREL, or ends the delivery when the client refuses the message.
   * @throws ProtocolError the message is not one of QoS 2
   */
  receivedByClient(packetId: number, reasonCode: number, now: number): void {
    const outgoing = this.#inFlight.get(packetId);
    if (outgoing !== undefined && outgoing.qos !== 2)
      throw wrongAcknowledgement('PUBREC', packetId, outgoing);
    if (reasonCode >= 0x80) {
      if (outgoing !== undefined) this.#finish(packetId, outgoing, now);
      return;
    }
    if (outgoing?.message !== undefined) {
      this.#release(outgoing);
      this.#stored?.taken(outgoing.stored);
    }
    // The client forgets the message with PUBREL: sent again after a restart it would be a second one.
    this.waitForStore();
    this.#output?.acknowledge(
      PUBREL,
      packetId,
      outgoing === undefined ? ReasonCode.packetIdentifierNotFound : ReasonCode.success,
    );
  }

  /**
   * PUBCOMP of the client.
   * @throws ProtocolError there was no PUBREC before it
   */
  completed(packetId: number, now: number): void {
    const outgoing = this.#inFlight.get(packetId);
    if (outgoing === undefined) return;
    if (outgoing.message !== undefined) throw wrongAcknowledgement('PUBCOMP', packetId, outgoing);
    this.#finish(packetId, outgoing, now);
  }

  /** Whether a QoS 2 message of the client came before and its PUBREL has not: it must not be delivered again. */
  hasReceived(packetId: number): boolean {
    return this.#received.has(packetId);
  }

  /**
   * Notes a new QoS 2 message of the client.
   * @throws ProtocolError more than the Receive Maximum are open [MQTT-3.3.4-7]
   */
  receive(packetId: number, receiveMaximum: number): void {
    if (this.#received.size >= receiveMaximum) {
      throw new ProtocolError(
        ReasonCode.receiveMaximumExceeded,
        `more than ${receiveMaximum} QoS 2 messages are open`,
      );
    }
    this.#received.add(packetId);
    this.#memory.add(PACKET_ID_BYTES);
    this.#stored?.received(packetId);
  }

  /** Forgets the QoS 2 messages that are open: who sent them has. */
  forgetReceived(): void {
    for (const packetId of this.#received) this.#stored?.released(packetId);
    this.#memory.remove(PACKET_ID_BYTES * this.#received.size);
    this.#received.clear();
  }

  /** Whether a QoS 2 message of the client would be one more than is open anyway while memory is short. */
  mayNotOpen(packetId: number): boolean {
    return !this.#received.has(packetId) && this.#received.size >= this.#limits.inFlight;
  }

  /** PUBREL of the client: false when no such message is open. */
  releaseReceived(packetId: number): boolean {
    if (!this.#received.delete(packetId)) return false;
    this.#memory.remove(PACKET_ID_BYTES);
    this.#stored?.released(packetId);
    // After PUBCOMP the client uses the identifier for the next message, which must not be taken for this one.
    this.waitForStore();
    return true;
  }

  #drop(): void {
    this.#statistics.dropped++;
    this.#dropped++;
  }

  #hasRoom(size: number): boolean {
    return (
      this.#queue.length - this.#queue.replayed < this.#limits.queuedMessages &&
      (this.#heldBytes === 0 || this.#heldBytes + size <= this.#limits.queuedBytes)
    );
  }

  /** The queue is full: drops what the policy says. */
  #makeRoom(size: number): boolean {
    const { queuePolicy, queuedBytes } = this.#limits;
    while (queuePolicy === 'drop-oldest' && size <= queuedBytes) {
      const oldest = this.#queue.removeOldest();
      if (oldest === undefined) break;
      this.#drop();
      this.#end(oldest);
      if (this.#hasRoom(size)) return true;
    }
    this.#drop();
    if (queuePolicy === 'disconnect') this.#output?.overflow('more messages wait than its queue takes');
    return false;
  }

  #enqueue(
    message: Message,
    qos: QoS,
    retain: boolean,
    { identifiers, shared }: Delivery,
    replayed: boolean,
    now: number,
  ): void {
    const stored = qos === 0 ? 0 : (this.#stored?.queued(message, qos, retain, identifiers, replayed) ?? 0);
    const outgoing: OutgoingMessage = {
      message,
      qos,
      retain,
      identifiers,
      replayed,
      shared,
      packetId: 0,
      stored,
    };
    this.#memory.hold(message);
    this.#memory.add(memoryOf(outgoing));
    const first = this.#queue.length === 0 && this.#resend.length === 0; // [MQTT-4.6.0-1]
    if (this.#output !== undefined && first && this.#maySend(this.#output, qos)) {
      this.#send(this.#output, outgoing, now);
    } else {
      this.#wait(outgoing);
    }
    // What is gone soon need not be copied, unless memory is short.
    if (this.#memory.level > 0 && outgoing.message !== undefined) this.#memory.compact(message);
  }

  #wait(outgoing: OutgoingMessage): void {
    const message = outgoing.message as Message;
    if (message.expiresAt < this.#earliestExpiry) this.#earliestExpiry = message.expiresAt;
    this.#queue.push(outgoing);
  }

  #maySend(output: SessionOutput, qos: QoS): boolean {
    if (output.congested) return false;
    return qos === 0 || this.#inFlight.maySend;
  }

  #send(output: SessionOutput, outgoing: OutgoingMessage, now: number): void {
    const message = outgoing.message as Message;
    if (message.expiresAt <= now) {
      this.#statistics.expired++;
      this.#end(outgoing); // [MQTT-3.3.2-5]
      return;
    }
    const header = PUBLISH | (outgoing.qos << 1) | (outgoing.retain ? 1 : 0);
    if (outgoing.qos === 0) {
      this.#count(this.#publish(output, message, header, 0, outgoing, now));
      this.#end(outgoing);
      return;
    }
    const packetId = this.nextPacketId();
    if (outgoing.stored > 0) {
      this.#stored?.sent(outgoing.stored, packetId);
      // Sent again under another identifier it would be another message.
      if (outgoing.qos === 2) this.waitForStore();
    }
    const sent = this.#publish(output, message, header, packetId, outgoing, now);
    this.#count(sent);
    if (!sent) {
      this.#end(outgoing);
      return;
    }
    this.#inFlight.sent(outgoing, packetId);
  }

  #sendAgain(output: SessionOutput, outgoing: OutgoingMessage, now: number): void {
    const { message, packetId } = outgoing;
    if (message === undefined || this.#inFlight.get(packetId) !== outgoing) return;
    const header = PUBLISH | DUP | (outgoing.qos << 1) | (outgoing.retain ? 1 : 0);
    const sent = this.#publish(output, message, header, packetId, outgoing, now);
    this.#count(sent);
    if (sent) this.#inFlight.sentAgain();
    else {
      // The client came back with a smaller Maximum Packet Size: it must count as delivered.
      this.#inFlight.delete(packetId);
      this.#end(outgoing);
    }
  }

  #publish(
    output: SessionOutput,
    message: Message,
    header: number,
    packetId: number,
    { identifiers }: Pick<Delivery, 'identifiers'>,
    now: number,
  ): boolean {
    return output.publish(message, header, packetId, message.remainingExpiry(now), identifiers);
  }

  #count(sent: boolean): void {
    if (sent) this.#statistics.messagesSent++;
    else this.#drop();
  }

  #finish(packetId: number, outgoing: OutgoingMessage, now: number): void {
    this.#inFlight.acknowledged(packetId);
    this.#end(outgoing);
    this.drain(now);
  }

  /** The delivery is over. */
  #end(outgoing: OutgoingMessage): void {
    this.#release(outgoing);
    this.#memory.remove(memoryOf(outgoing));
    if (outgoing.stored > 0) this.#stored?.done(outgoing.stored);
  }

  /** Lets go of a message's bytes. */
  #release(outgoing: OutgoingMessage): void {
    const { message } = outgoing;
    if (message === undefined) return;
    if (!outgoing.replayed) this.#heldBytes -= message.size;
    this.#memory.release(message);
    outgoing.message = undefined;
  }

  #hold(will: WillFields | undefined): void {
    this.#memory.remove(this.#ownBytes);
    this.#ownBytes = SESSION_BYTES + 4 * this.clientId.length + (will === undefined ? 0 : willBytes(will));
    this.#memory.add(this.#ownBytes);
  }

  nextPacketId(): number {
    return this.#inFlight.nextPacketId();
  }
}

function memoryOf({ stored }: OutgoingMessage): number {
  return stored > 0 ? DELIVERY_BYTES + STORED_DELIVERY_BYTES : DELIVERY_BYTES;
}

function wrongAcknowledgement(packet: string, packetId: number, outgoing: OutgoingMessage): ProtocolError {
  const state = outgoing.message === undefined ? 'after PUBREC' : 'before PUBREC';
  return new ProtocolError(
    ReasonCode.protocolError,
    `${packet} for packet identifier ${packetId}, a QoS ${outgoing.qos} message ${outgoing.qos === 2 ? state : 'in flight'}`,
  );
}
