import { Permissions } from '../access/permissions';
import type { WillFields } from '../codec/connect-packet';
import { PacketType, type QoS } from '../codec/packet-type';
import type { PublishView } from '../codec/publish-packet';
import { ReasonCode } from '../codec/reason-code';
import { type HeldMemory, SESSION_BYTES, willBytes } from '../held-memory';
import type { Limits } from '../limits';
import type { Message } from '../message';
import type { SharedSubscription } from '../shared-subscription';
import type { BrokerStatistics } from '../statistics';
import type { SessionStore, Store, StoredDelivery } from '../store/store';
import type { Delivery, Subscription } from '../subscription';
import { type OutgoingMessage, OutgoingQueue } from './outgoing-queue';
import { OutgoingRoom } from './outgoing-room';
import { ReceivedMessages } from './received-messages';
import { SendWindow } from './send-window';
import type { SessionOutput } from './session-output';

/** A message that a shared subscription has to give to another member. */
export interface SharedMessage {
  shared: SharedSubscription;
  message: Message;
}

const PUBLISH = PacketType.publish << 4;
const PUBREL = (PacketType.pubrel << 4) | 2;
const DUP = 8;

/**
 * What the broker keeps for one client identifier (MQTT 5.0 section 4.1): subscriptions, the messages waiting for the
 * client and those in flight both ways. It has no socket and no clock: packets go to its output, times come in (ms).
 */
export class Session {
  readonly clientId: string;
  readonly subscriptions = new Map<string, Subscription>();
  readonly received: ReceivedMessages;
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
  readonly #room: OutgoingRoom;
  #output: SessionOutput | undefined;

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
    this.#room = new OutgoingRoom(this, this.#queue, limits, statistics, memory);
    this.received = new ReceivedMessages(this, limits, memory);
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
    this.received.restore(received);
    for (const { id, message, packetId, ...rest } of deliveries) {
      // Of a damaged store: the client has it, but nobody knows under which identifier.
      if (message === undefined && packetId === 0) {
        stored.done(id);
        continue;
      }
      // What a shared subscription gave it before the restart stays with it.
      const outgoing: OutgoingMessage = { ...rest, message, packetId, shared: undefined, stored: id };
      this.#room.enter(outgoing);
      if (packetId === 0) this.#queue.push(outgoing);
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
    return this.#room.takeDropped();
  }

  /** Bytes of the messages that wait for the client and of those in flight. */
  get heldBytes(): number {
    return this.#room.heldBytes;
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
      !this.#inFlight.resending &&
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
    for (const outgoing of this.#inFlight.removeWhere(take)) this.#room.leave(outgoing);
    if (this.#queue.shared > 0) {
      for (const outgoing of this.#queue.removeWhere(take)) this.#room.leave(outgoing);
    }
    return taken;
  }

  /** Forgets the messages that its client may not receive any more; a QoS 2 delivery that PUBREC answered goes on. */
  dropUnreceivable(): void {
    const denied = ({ message }: OutgoingMessage) =>
      message !== undefined && !this.permissions.mayReceive(message.topic);
    const dropped = this.#queue.removeWhere(denied).concat(this.#inFlight.removeWhere(denied));
    for (const outgoing of dropped) this.#room.leave(outgoing);
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
    for (const { qos, message, packetId } of this.#inFlight.values()) {
      if (qos === 2) this.waitForStore();
      if (message === undefined) output.acknowledge(PUBREL, packetId, ReasonCode.success);
    }
    this.drain(now);
  }

  /** The client is gone: what was meant for a connected client only is forgotten. */
  detach(): void {
    this.#output = undefined;
    this.#inFlight.close();
    // Who comes and goes often must not have a long queue looked through each time.
    if (this.#queue.atMostOnce === 0) return;
    for (const outgoing of this.#queue.removeWhere(({ qos }) => qos === 0)) this.#room.leave(outgoing);
  }

  /** The session is over: lets go of everything, as caches may keep the session itself for a while. */
  discard(): void {
    this.#stored?.ended();
    this.#stored = undefined;
    this.subscriptions.clear();
    for (const outgoing of this.#inFlight.removeWhere(() => true)) this.#room.leave(outgoing);
    for (const outgoing of this.#queue.removeWhere(() => true)) this.#room.leave(outgoing);
    this.received.clear();
    this.#memory.remove(this.#ownBytes);
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
      this.#room.drop();
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
        this.#room.drop();
        return false;
      }
    }
    if (this.#memory.level === 3 && !this.ready) {
      this.#room.drop();
      return false;
    }
    return this.#room.has(size) || this.#room.make(size, this.#output, now);
  }

  /** Ends what has expired while it waited [MQTT-3.3.2-5]. */
  dropExpired(now: number): void {
    this.#room.dropExpired(now);
  }

  /**
   * Delivers a message that it accepts now, or queues it: at QoS 1 and 2, and where retained messages are still to be
   * replayed.
   */
  deliver(message: Message, qos: QoS, retain: boolean, delivery: Delivery, now: number): void {
    if (qos === 0 && this.#queue.replayed === 0) {
      const output = this.#output as SessionOutput;
      this.#publish(output, message, PUBLISH | (retain ? 1 : 0), 0, delivery, now);
      return;
    }
    this.#enqueue(message, qos, retain, delivery, false, now);
  }

  /** Sends a retained message for a new subscription; unlike others it waits for a slow reader also at QoS 0. */
  replay(message: Message, delivery: Delivery, now: number): void {
    const { level } = this.#memory;
    const short = level >= (delivery.qos === 0 ? 1 : 2) && !this.#readyFor(delivery.qos);
    if (short || this.#queue.replayed >= this.#limits.retainedMessages) this.#room.drop();
    else this.#enqueue(message, delivery.qos, true, delivery, true, now);
  }

  /** Sends what waits, as far as the reader and its Receive Maximum allow. */
  drain(now: number): void {
    const output = this.#output;
    if (output === undefined) return;
    while (!output.congested) {
      if (this.#inFlight.resending) {
        if (!this.#inFlight.maySendAgain) return;
        const again = this.#inFlight.takeResend();
        if (again !== undefined) this.#sendAgain(output, again, now);
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
    const outgoing = this.#inFlight.answered('PUBACK', packetId);
    if (outgoing !== undefined) this.#finish(packetId, outgoing, now);
  }

  /**
   * PUBREC of the client: answers with PUBREL, or ends the delivery when the client refuses the message.
   * @throws ProtocolError the message is not one of QoS 2
   */
  receivedByClient(packetId: number, reasonCode: number, now: number): void {
    const outgoing = this.#inFlight.answered('PUBREC', packetId);
    if (reasonCode >= 0x80) {
      if (outgoing !== undefined) this.#finish(packetId, outgoing, now);
      return;
    }
    if (outgoing?.message !== undefined) {
      this.#room.release(outgoing);
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
    const outgoing = this.#inFlight.answered('PUBCOMP', packetId);
    if (outgoing !== undefined) this.#finish(packetId, outgoing, now);
  }

  /** An identifier that no message in flight has, for another packet that the client has to answer. */
  nextPacketId(): number {
    return this.#inFlight.nextPacketId();
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
    this.#room.enter(outgoing);
    const first = this.#queue.length === 0 && !this.#inFlight.resending; // [MQTT-4.6.0-1]
    if (this.#output !== undefined && first && this.#maySend(this.#output, qos)) {
      this.#send(this.#output, outgoing, now);
    } else {
      this.#queue.push(outgoing);
    }
    // What is gone soon need not be copied, unless memory is short.
    if (this.#memory.level > 0 && outgoing.message !== undefined) this.#memory.compact(message);
  }

  #maySend(output: SessionOutput, qos: QoS): boolean {
    if (output.congested) return false;
    return qos === 0 || this.#inFlight.maySend;
  }

  #send(output: SessionOutput, outgoing: OutgoingMessage, now: number): void {
    const message = outgoing.message as Message;
    if (message.expiresAt <= now) {
      this.#statistics.expired++;
      this.#room.leave(outgoing); // [MQTT-3.3.2-5]
      return;
    }
    const header = PUBLISH | (outgoing.qos << 1) | (outgoing.retain ? 1 : 0);
    if (outgoing.qos === 0) {
      this.#publish(output, message, header, 0, outgoing, now);
      this.#room.leave(outgoing);
      return;
    }
    const packetId = this.nextPacketId();
    if (outgoing.stored > 0) {
      this.#stored?.sent(outgoing.stored, packetId);
      // Sent again under another identifier it would be another message.
      if (outgoing.qos === 2) this.waitForStore();
    }
    if (this.#publish(output, message, header, packetId, outgoing, now)) {
      this.#inFlight.sent(outgoing, packetId);
    } else {
      this.#room.leave(outgoing);
    }
  }

  #sendAgain(output: SessionOutput, outgoing: OutgoingMessage, now: number): void {
    const { packetId } = outgoing;
    const header = PUBLISH | DUP | (outgoing.qos << 1) | (outgoing.retain ? 1 : 0);
    if (this.#publish(output, outgoing.message as Message, header, packetId, outgoing, now)) {
      this.#inFlight.sentAgain();
    } else {
      // The client came back with a smaller Maximum Packet Size: it must count as delivered.
      this.#inFlight.delete(packetId);
      this.#room.leave(outgoing);
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
    const sent = output.publish(message, header, packetId, message.remainingExpiry(now), identifiers);
    this.#count(sent);
    return sent;
  }

  #count(sent: boolean): void {
    if (sent) this.#statistics.messagesSent++;
    else this.#room.drop();
  }

  #finish(packetId: number, outgoing: OutgoingMessage, now: number): void {
    this.#inFlight.acknowledged(packetId);
    this.#room.leave(outgoing);
    this.drain(now);
  }

  #hold(will: WillFields | undefined): void {
    this.#memory.remove(this.#ownBytes);
    this.#ownBytes = SESSION_BYTES + 4 * this.clientId.length + (will === undefined ? 0 : willBytes(will));
    this.#memory.add(this.#ownBytes);
  }
}
