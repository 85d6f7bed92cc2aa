import type { MessageProperties, QoS } from './connection-settings';
import { OutgoingMessage } from './outgoing-message';

/** What of a session is kept on disk. */
export interface JournalledSession {
  /** Messages that are published, by a number of their own, in order. */
  readonly messages: Map<number, OutgoingMessage>;
  /** Packet identifiers of received messages. */
  readonly received: Set<number>;
}

/** One change of it. */
export type SessionRecord =
  | { type: 'message'; id: number; message: OutgoingMessage }
  /** It goes out under this packet identifier. */
  | { type: 'sent'; id: number; packetId: number }
  /** PUBREC has come. */
  | { type: 'taken'; id: number }
  | { type: 'done'; id: number }
  /** A message of QoS 2 has come and was delivered; `id` is its packet identifier. */
  | { type: 'received'; id: number }
  /** PUBREL has come for it. */
  | { type: 'released'; id: number };

const codes = { message: 1, sent: 2, taken: 3, done: 4, received: 5, released: 6 } as const;
/** Flags of a message, beside its QoS. */
const RETAIN = 4;
const SENT = 8;
const TAKEN = 16;
/** Flags (1), packet identifier (2), since (8), length of the head (4), of the payload (4). */
const MESSAGE_BYTES = 19;

/** What of a message is not its payload, as JSON. */
interface Head {
  topic: string;
  topicAlias?: number;
  properties?: Omit<MessageProperties, 'correlationData'> & { correlationData?: string };
}

/** The bytes of a record: type (1), id (4), and what belongs to the type; numbers big-endian. */
export function writeRecord(record: SessionRecord): Buffer {
  if (record.type === 'message') return writeMessage(record.id, record.message);
  const bytes = Buffer.alloc(record.type === 'sent' ? 7 : 5);
  bytes[0] = codes[record.type];
  bytes.writeUInt32BE(record.id, 1);
  if (record.type === 'sent') bytes.writeUInt16BE(record.packetId, 5);
  return bytes;
}

function writeMessage(id: number, message: OutgoingMessage): Buffer {
  const { topic, options, packetId = 0, repeated, released, since } = message;
  const head: Head = { topic };
  if (options.topicAlias !== undefined) head.topicAlias = options.topicAlias;
  if (options.properties !== undefined) {
    const { correlationData, ...rest } = options.properties;
    head.properties = rest;
    if (correlationData !== undefined) head.properties.correlationData = correlationData.toString('base64');
  }
  const text = Buffer.from(JSON.stringify(head));
  const payload = Buffer.from(message.payload as string);
  const fixed = Buffer.alloc(5 + MESSAGE_BYTES);
  fixed[0] = codes.message;
  fixed.writeUInt32BE(id, 1);
  fixed[5] =
    options.qos |
    (options.retain ? RETAIN : 0) |
    (packetId > 0 || repeated ? SENT : 0) |
    (released ? TAKEN : 0);
  fixed.writeUInt16BE(packetId, 6);
  fixed.writeDoubleBE(since, 8);
  fixed.writeUInt32BE(text.length, 16);
  fixed.writeUInt32BE(payload.length, 20);
  return Buffer.concat([fixed, text, payload]);
}

/**
 * The records of a frame, applied to what is kept so far.
 * @throws RangeError, SyntaxError the bytes are no records
 */
export function applyRecords(bytes: Buffer, { messages, received }: JournalledSession): void {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes.readUInt8(at);
    const id = bytes.readUInt32BE(at + 1);
    at += 5;
    const message = messages.get(id);
    switch (code) {
      case codes.message: {
        const text = bytes.readUInt32BE(at + 11);
        const end = at + MESSAGE_BYTES + text + bytes.readUInt32BE(at + 15);
        if (end > bytes.length) throw new RangeError('a message is longer than its frame');
        messages.set(id, readMessage(bytes.subarray(at, end), text));
        at = end;
        break;
      }
      case codes.sent:
        if (message !== undefined) {
          message.packetId = bytes.readUInt16BE(at);
          message.repeated = true;
        }
        at += 2;
        break;
      case codes.taken:
        if (message !== undefined) message.released = true;
        break;
      case codes.done:
        messages.delete(id);
        break;
      case codes.received:
        received.add(id);
        break;
      case codes.released:
        received.delete(id);
        break;
      default:
        throw new RangeError(`${code} is no type of record`);
    }
  }
}

function readMessage(bytes: Buffer, textLength: number): OutgoingMessage {
  const flags = bytes.readUInt8(0);
  const packetId = bytes.readUInt16BE(1);
  const payload = MESSAGE_BYTES + textLength;
  const { topic, topicAlias, properties }: Head = JSON.parse(bytes.toString('utf8', MESSAGE_BYTES, payload));
  const { correlationData, ...rest } = properties ?? {};
  const message = new OutgoingMessage(
    topic,
    // A copy: the frame's bytes are used for the next one.
    Buffer.from(bytes.subarray(payload)),
    {
      qos: (flags & 3) as QoS,
      retain: (flags & RETAIN) !== 0,
      ...(topicAlias !== undefined && { topicAlias }),
      ...(properties !== undefined && {
        properties: {
          ...rest,
          ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, 'base64') }),
        },
      }),
    },
    bytes.readDoubleBE(3),
  );
  if (packetId > 0) message.packetId = packetId;
  message.repeated = (flags & SENT) !== 0;
  message.released = (flags & TAKEN) !== 0;
  return message;
}
