import type { WillFields } from '../codec/connect-packet';
import { encodeProperties } from '../codec/properties';
import type { Message } from '../message';
import type { JournalRecord } from './journal-record';
import type { StoredDelivery, SubscriptionFields } from './store';

/** What things cost beyond their bytes, roughly, in memory and on disk alike. */
const DELIVERY_BYTES = 96;
const SESSION_BYTES = 256;
const SUBSCRIPTION_BYTES = 96;
const WILL_BYTES = 96;
const RECEIVED_BYTES = 16;

interface KeptMessage {
  readonly id: number;
  readonly message: Message;
  references: number;
}

interface KeptDelivery extends Omit<StoredDelivery, 'message' | 'packetId'> {
  readonly session: KeptSession;
  kept: KeptMessage | undefined;
  packetId: number;
}

export interface KeptSession {
  readonly id: number;
  readonly clientId: string;
  readonly owner: string;
  /** Seconds that the session is kept after its connection. */
  expiry: number;
  will: WillFields | undefined;
  /** Times on the store's clock; absent while the client is connected. */
  left: { expiresAt: number; willAt: number } | undefined;
  readonly subscriptions: Map<string, SubscriptionFields>;
  readonly deliveries: Map<number, KeptDelivery>;
  readonly received: Set<number>;
}

/**
 * What a journal says when its records are taken one after the other, and the records that say the same again. A record
 * that names what is not there changes nothing: so a snapshot may be taken while the records after it are already
 * written, and damage costs no more than what was lost.
 */
export class StoredState {
  readonly sessions = new Map<number, KeptSession>();
  readonly #messages = new Map<number, KeptMessage>();
  readonly #byMessage = new Map<Message, KeptMessage>();
  readonly #deliveries = new Map<number, KeptDelivery>();
  readonly #retained = new Map<string, KeptMessage>();
  #highestId = 0;
  #latestTime = 0;
  #clock = { time: 0, wall: 0 };
  #bytes = 0;

  /** What all of it takes, roughly. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The latest time that a record says something happened at, and the last pair of clocks. */
  get latestTime(): number {
    return this.#latestTime;
  }

  get clock(): { time: number; wall: number } {
    return this.#clock;
  }

  /** The highest number of a session, message or delivery. */
  get highestId(): number {
    return this.#highestId;
  }

  nextId(): number {
    return ++this.#highestId;
  }

  /** The number of a message that is kept already. */
  idOf(message: Message): number | undefined {
    return this.#byMessage.get(message)?.id;
  }

  *retained(): Generator<Message> {
    for (const { message } of this.#retained.values()) yield message;
  }

  isRetained(topic: string): boolean {
    return this.#retained.has(topic);
  }

  apply(record: JournalRecord): void {
    switch (record.type) {
      case 'clock':
        this.#clock = { time: record.time, wall: record.wall };
        this.#latestTime = Math.max(this.#latestTime, record.time);
        break;
      case 'message':
        this.#addMessage(record.id, record.message);
        break;
      case 'retained':
        this.#retain(record.message);
        break;
      case 'retained-removed':
        this.#removeRetained(record.topic);
        break;
      case 'session':
        this.#addSession(record);
        break;
      case 'queued':
        this.#queue(record);
        break;
      case 'sent': {
        const delivery = this.#deliveries.get(record.delivery);
        if (delivery !== undefined) delivery.packetId = record.packetId;
        break;
      }
      case 'taken':
        this.#letGo(this.#deliveries.get(record.delivery));
        break;
      case 'done': {
        const delivery = this.#deliveries.get(record.delivery);
        if (delivery !== undefined) this.#removeDelivery(delivery);
        break;
      }
      default: {
        const session = this.sessions.get(record.session);
        if (session !== undefined) this.#applyTo(session, record);
      }
    }
  }

  /** Removes messages that nothing names: what a crash between two records, or damage, leaves behind. */
  removeUnnamed(): void {
    for (const kept of this.#messages.values()) {
      if (kept.references === 0) this.#removeMessage(kept);
    }
  }

  /**
   * The records that give this state, taken bit by bit while it changes.
   * @param lastId what has a higher number is left out: it is in the records written since the snapshot began, which
   * also tell of all that has changed meanwhile
   */
  *records(lastId: number): Generator<JournalRecord> {
    for (const { id, message } of this.#messages.values()) {
      if (id <= lastId) yield { type: 'message', id, message };
    }
    for (const session of this.sessions.values()) {
      if (session.id <= lastId) yield* sessionRecords(session, lastId);
    }
    for (const { id } of this.#retained.values()) {
      if (id <= lastId) yield { type: 'retained', message: id };
    }
  }

  #applyTo(
    session: KeptSession,
    record: Exclude<Extract<JournalRecord, { session: number }>, { type: 'session' | 'queued' }>,
  ): void {
    switch (record.type) {
      case 'connected':
        session.expiry = record.expiry;
        this.#bytes += willBytes(record.will) - willBytes(session.will);
        session.will = record.will;
        session.left = undefined;
        break;
      case 'left':
        session.left = { expiresAt: record.expiresAt, willAt: record.willAt };
        break;
      case 'ended':
        this.#removeSession(session);
        break;
      case 'subscribed':
        if (!session.subscriptions.has(record.subscription.filter)) {
          this.#bytes += subscriptionBytes(record.subscription.filter);
        }
        session.subscriptions.set(record.subscription.filter, record.subscription);
        break;
      case 'unsubscribed':
        if (session.subscriptions.delete(record.filter)) this.#bytes -= subscriptionBytes(record.filter);
        break;
      case 'received':
        if (!session.received.has(record.packetId)) this.#bytes += RECEIVED_BYTES;
        session.received.add(record.packetId);
        break;
      case 'released':
        if (session.received.delete(record.packetId)) this.#bytes -= RECEIVED_BYTES;
        break;
    }
  }

  #note(id: number): void {
    if (id > this.#highestId) this.#highestId = id;
  }

  #addMessage(id: number, message: Message): void {
    this.#note(id);
    if (this.#messages.has(id)) return;
    const kept = { id, message, references: 0 };
    this.#messages.set(id, kept);
    this.#byMessage.set(message, kept);
    this.#bytes += message.size;
  }

  #removeMessage(kept: KeptMessage): void {
    this.#messages.delete(kept.id);
    this.#byMessage.delete(kept.message);
    this.#bytes -= kept.message.size;
  }

  #release(kept: KeptMessage | undefined): void {
    if (kept !== undefined && --kept.references === 0) this.#removeMessage(kept);
  }

  #retain(id: number): void {
    const kept = this.#messages.get(id);
    if (kept === undefined) return;
    const { topic } = kept.message;
    const before = this.#retained.get(topic);
    kept.references++;
    this.#retained.set(topic, kept);
    this.#release(before);
  }

  #removeRetained(topic: string): void {
    const kept = this.#retained.get(topic);
    this.#retained.delete(topic);
    this.#release(kept);
  }

  #addSession({ session: id, clientId, owner }: Extract<JournalRecord, { type: 'session' }>): void {
    this.#note(id);
    if (this.sessions.has(id)) return;
    this.sessions.set(id, {
      id,
      clientId,
      owner,
      expiry: 0,
      will: undefined,
      left: undefined,
      subscriptions: new Map(),
      deliveries: new Map(),
      received: new Set(),
    });
    this.#bytes += SESSION_BYTES + clientId.length + owner.length;
  }

  #removeSession(session: KeptSession): void {
    for (const delivery of session.deliveries.values()) this.#removeDelivery(delivery);
    for (const filter of session.subscriptions.keys()) this.#bytes -= subscriptionBytes(filter);
    this.#bytes -= willBytes(session.will) + RECEIVED_BYTES * session.received.size;
    session.subscriptions.clear();
    session.received.clear();
    this.sessions.delete(session.id);
    this.#bytes -= SESSION_BYTES + session.clientId.length + session.owner.length;
  }

  #queue(record: Extract<JournalRecord, { type: 'queued' }>): void {
    const { delivery: id, qos, retain, identifiers, replayed } = record;
    this.#note(id);
    const session = this.sessions.get(record.session);
    const kept = this.#messages.get(record.message);
    if (session === undefined || this.#deliveries.has(id) || (kept === undefined && record.message !== 0))
      return;
    if (kept !== undefined) kept.references++;
    const delivery = { id, session, kept, qos, retain, identifiers, replayed, packetId: 0 };
    session.deliveries.set(id, delivery);
    this.#deliveries.set(id, delivery);
    this.#bytes += DELIVERY_BYTES;
  }

  #letGo(delivery: KeptDelivery | undefined): void {
    if (delivery === undefined) return;
    this.#release(delivery.kept);
    delivery.kept = undefined;
  }

  #removeDelivery(delivery: KeptDelivery): void {
    this.#letGo(delivery);
    delivery.session.deliveries.delete(delivery.id);
    this.#deliveries.delete(delivery.id);
    this.#bytes -= DELIVERY_BYTES;
  }
}

/** The deliveries of a session, in the order in which they were queued. */
export function* deliveriesOf(session: KeptSession): Generator<StoredDelivery> {
  for (const { id, kept, qos, retain, identifiers, replayed, packetId } of session.deliveries.values()) {
    yield { id, message: kept?.message, qos, retain, identifiers, replayed, packetId };
  }
}

function* sessionRecords(session: KeptSession, lastId: number): Generator<JournalRecord> {
  const { id, clientId, owner, expiry, will, left } = session;
  yield { type: 'session', session: id, clientId, owner };
  yield { type: 'connected', session: id, expiry, will };
  if (left !== undefined) yield { type: 'left', session: id, ...left };
  for (const subscription of session.subscriptions.values()) {
    yield { type: 'subscribed', session: id, subscription };
  }
  for (const packetId of session.received) yield { type: 'received', session: id, packetId };
  for (const {
    id: delivery,
    kept,
    qos,
    retain,
    identifiers,
    replayed,
    packetId,
  } of session.deliveries.values()) {
    if (delivery > lastId) break;
    const message = kept?.id ?? 0;
    yield { type: 'queued', delivery, session: id, message, qos, retain, identifiers, replayed };
    if (packetId > 0) yield { type: 'sent', delivery, packetId };
  }
}

const subscriptionBytes = (filter: string) => SUBSCRIPTION_BYTES + filter.length;

function willBytes(will: WillFields | undefined): number {
  if (will === undefined) return 0;
  return WILL_BYTES + will.topic.length + will.payload.length + encodeProperties(will.properties).length;
}
