import type { JournalFormat } from '../../journal/journal-file';
import type { WillFields } from '../codec/connect-packet';
import type { QoS } from '../codec/packet-type';
import { readProperties, writeProperties } from '../codec/properties';
import { malformed } from '../codec/protocol-error';
import type { WireReader } from '../codec/wire-reader';
import type { WireWriter } from '../codec/wire-writer';
import { joinedParts, Message } from '../message';
import type { SubscriptionFields } from './store';

/** Of the files of a broker's journal, and of its records. */
export const JOURNAL_FORMAT: JournalFormat = { magic: 'MQTTROSJ', version: 1 };

/**
 * One change of what is kept. Sessions, messages and deliveries are numbered from one sequence, never twice. Times on
 * the store's clock, ms; Infinity for never.
 */
export type JournalRecord =
  /** At this time of the store the system's clock (ms since the epoch) said `wall`. */
  | { type: 'clock'; time: number; wall: number }
  /** Of the user `owner`; empty for an anonymous client. */
  | { type: 'session'; session: number; clientId: string; owner: string }
  | { type: 'connected'; session: number; expiry: number; will: WillFields | undefined }
  | { type: 'left'; session: number; expiresAt: number; willAt: number }
  | { type: 'ended'; session: number }
  | { type: 'subscribed'; session: number; subscription: SubscriptionFields }
  | { type: 'unsubscribed'; session: number; filter: string }
  | { type: 'received'; session: number; packetId: number }
  | { type: 'released'; session: number; packetId: number }
  /** Comes before the first record that names the message. */
  | { type: 'message'; id: number; message: Message }
  | {
      type: 'queued';
      delivery: number;
      session: number;
      /** 0 when the client has the message already. */
      message: number;
      qos: QoS;
      retain: boolean;
      identifiers: readonly number[];
      replayed: boolean;
    }
  | { type: 'sent'; delivery: number; packetId: number }
  | { type: 'taken'; delivery: number }
  | { type: 'done'; delivery: number }
  | { type: 'retained'; message: number }
  | { type: 'retained-removed'; topic: string };

const code = {
  clock: 1,
  session: 2,
  connected: 3,
  left: 4,
  ended: 5,
  subscribed: 6,
  unsubscribed: 7,
  received: 8,
  released: 9,
  message: 10,
  queued: 11,
  sent: 12,
  taken: 13,
  done: 14,
  retained: 15,
  'retained-removed': 16,
  /** A session with an owner; the older form of the record has none. */
  'owned-session': 17,
} as const satisfies Record<JournalRecord['type'] | 'owned-session', number>;

const NEVER_HIGH = 0xffffffff;

/** A whole number below 2^53, or Infinity. */
function writeNumber(writer: WireWriter, value: number): WireWriter {
  if (value === Number.POSITIVE_INFINITY) return writer.uint32(NEVER_HIGH).uint32(0);
  return writer.uint32(Math.floor(value / 0x1_0000_0000)).uint32(value >>> 0);
}

function readNumber(reader: WireReader, field: string): number {
  const high = reader.uint32(field);
  const low = reader.uint32(field);
  if (high === NEVER_HIGH) return Number.POSITIVE_INFINITY;
  if (high > 0x1f_ffff) throw malformed(`${field} is larger than 2^53`);
  return high * 0x1_0000_0000 + low;
}

/** Times have fractions, which nothing needs. */
const writeTime = (writer: WireWriter, time: number) => writeNumber(writer, Math.max(0, Math.round(time)));

/** Adds a record. */
export function writeRecord(writer: WireWriter, record: JournalRecord): void {
  const owned = record.type === 'session' && record.owner !== '';
  writer.byte(owned ? code['owned-session'] : code[record.type]);
  switch (record.type) {
    case 'clock':
      writeTime(writer, record.time);
      writeTime(writer, record.wall);
      break;
    case 'session':
      writeNumber(writer, record.session).utf8(record.clientId);
      if (owned) writer.utf8(record.owner);
      break;
    case 'connected':
      writeNumber(writer, record.session).uint32(record.expiry);
      writeWill(writer, record.will);
      break;
    case 'left':
      writeNumber(writer, record.session);
      writeTime(writer, record.expiresAt);
      writeTime(writer, record.willAt);
      break;
    case 'ended':
      writeNumber(writer, record.session);
      break;
    case 'subscribed': {
      const { filter, qos, noLocal, retainAsPublished, identifier } = record.subscription;
      const options = qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0);
      writeNumber(writer, record.session).utf8(filter).byte(options).uint32(identifier);
      break;
    }
    case 'unsubscribed':
      writeNumber(writer, record.session).utf8(record.filter);
      break;
    case 'received':
    case 'released':
      writeNumber(writer, record.session).uint16(record.packetId);
      break;
    case 'message':
      writeNumber(writer, record.id);
      writeMessage(writer, record.message);
      break;
    case 'queued': {
      const { delivery, session, message, qos, retain, identifiers, replayed } = record;
      writeNumber(writer, delivery);
      writeNumber(writer, session);
      writeNumber(writer, message).byte(qos | (retain ? 4 : 0) | (replayed ? 8 : 0));
      writer.uint16(identifiers.length);
      for (const identifier of identifiers) writer.uint32(identifier);
      break;
    }
    case 'sent':
      writeNumber(writer, record.delivery).uint16(record.packetId);
      break;
    case 'taken':
    case 'done':
      writeNumber(writer, record.delivery);
      break;
    case 'retained':
      writeNumber(writer, record.message);
      break;
    case 'retained-removed':
      writer.utf8(record.topic);
      break;
  }
}

/**
 * The next record.
 * @throws ProtocolError what is there is no record
 */
export function readRecord(reader: WireReader): JournalRecord {
  const type = reader.byte('record type');
  switch (type) {
    case code.clock:
      return { type: 'clock', time: readNumber(reader, 'time'), wall: readNumber(reader, 'wall') };
    case code.session:
    case code['owned-session']:
      return {
        type: 'session',
        session: readNumber(reader, 'session'),
        clientId: reader.utf8('client id'),
        owner: type === code.session ? '' : reader.utf8('owner'),
      };
    case code.connected:
      return {
        type: 'connected',
        session: readNumber(reader, 'session'),
        expiry: reader.uint32('expiry'),
        will: readWill(reader),
      };
    case code.left:
      return {
        type: 'left',
        session: readNumber(reader, 'session'),
        expiresAt: readNumber(reader, 'expiry'),
        willAt: readNumber(reader, 'will'),
      };
    case code.ended:
      return { type: 'ended', session: readNumber(reader, 'session') };
    case code.subscribed: {
      const session = readNumber(reader, 'session');
      const filter = reader.utf8('filter');
      const options = reader.byte('options');
      return {
        type: 'subscribed',
        session,
        subscription: {
          filter,
          qos: readQos(options),
          noLocal: (options & 4) !== 0,
          retainAsPublished: (options & 8) !== 0,
          identifier: reader.uint32('identifier'),
        },
      };
    }
    case code.unsubscribed:
      return { type: 'unsubscribed', session: readNumber(reader, 'session'), filter: reader.utf8('filter') };
    case code.received:
    case code.released:
      return {
        type: type === code.received ? 'received' : 'released',
        session: readNumber(reader, 'session'),
        packetId: reader.uint16('packet identifier'),
      };
    case code.message:
      return { type: 'message', id: readNumber(reader, 'message'), message: readMessage(reader) };
    case code.queued: {
      const delivery = readNumber(reader, 'delivery');
      const session = readNumber(reader, 'session');
      const message = readNumber(reader, 'message');
      const options = reader.byte('options');
      const identifiers: number[] = [];
      for (let left = reader.uint16('identifiers'); left > 0; left--) {
        identifiers.push(reader.uint32('identifier'));
      }
      return {
        type: 'queued',
        delivery,
        session,
        message,
        qos: readQos(options),
        retain: (options & 4) !== 0,
        identifiers,
        replayed: (options & 8) !== 0,
      };
    }
    case code.sent:
      return {
        type: 'sent',
        delivery: readNumber(reader, 'delivery'),
        packetId: reader.uint16('packet identifier'),
      };
    case code.taken:
    case code.done:
      return { type: type === code.taken ? 'taken' : 'done', delivery: readNumber(reader, 'delivery') };
    case code.retained:
      return { type: 'retained', message: readNumber(reader, 'message') };
    case code['retained-removed']:
      return { type: 'retained-removed', topic: reader.utf8('topic') };
    default:
      throw malformed(`record type ${type} does not exist`);
  }
}

function readQos(options: number): QoS {
  const qos = options & 3;
  if (qos === 3) throw malformed('QoS 3 does not exist');
  return qos as QoS;
}

function writeWill(writer: WireWriter, will: WillFields | undefined): void {
  if (will === undefined) {
    writer.byte(0);
    return;
  }
  writer.byte(0x80 | will.qos | (will.retain ? 4 : 0)).utf8(will.topic);
  writeProperties(writer.binary(will.payload), will.properties);
}

function readWill(reader: WireReader): WillFields | undefined {
  const options = reader.byte('will');
  if (options === 0) return undefined;
  return {
    qos: readQos(options),
    retain: (options & 4) !== 0,
    topic: reader.utf8('will topic'),
    payload: reader.binary('will payload'),
    properties: readProperties(reader, 'will'),
  };
}

function writeMessage(writer: WireWriter, message: Message): void {
  writer.byte(message.qos | (message.retain ? 4 : 0));
  writeTime(writer, message.expiresAt);
  writer.utf8(message.publisher);
  const { bytes, topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd } = message;
  const topicLength = topicEnd - topicStart;
  writer
    .uint32(topicLength)
    .uint32(topicLength + propertiesEnd - propertiesStart)
    .uint32(message.length);
  writer.bytes(bytes.subarray(topicStart, topicEnd));
  writer.bytes(bytes.subarray(propertiesStart, propertiesEnd));
  writer.bytes(bytes.subarray(payloadStart, payloadEnd));
}

function readMessage(reader: WireReader): Message {
  const options = reader.byte('options');
  const expiresAt = readNumber(reader, 'expiry');
  const publisher = reader.utf8('publisher');
  const topicEnd = reader.uint32('topic length');
  const propertiesEnd = reader.uint32('end of the properties');
  const length = reader.uint32('message length');
  if (topicEnd > propertiesEnd || propertiesEnd > length) throw malformed('parts of a message overlap');
  const read = reader.section(length, 'message').rest('message');
  // The rest of what it was read with must not stay in memory for it.
  const bytes = Buffer.allocUnsafeSlow(length);
  read.copy(bytes);
  const topic = bytes.toString('utf8', 0, topicEnd);
  const retain = (options & 4) !== 0;
  return new Message(
    topic,
    joinedParts(bytes, topicEnd, propertiesEnd),
    readQos(options),
    retain,
    expiresAt,
    publisher,
  );
}
