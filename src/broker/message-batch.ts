import { PacketType, type QoS } from './codec/packet-type';
import {
  decodePublish,
  type MessageParts,
  type PublishPacket,
  publishRemainingLength,
  writePublish,
} from './codec/publish-packet';
import { WireReader } from './codec/wire-reader';
import { variableByteIntegerLength } from './codec/wire-writer';

/** An application message that the broker tells of, with who published it. */
export interface PublishedMessage
  extends Pick<PublishPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'properties'> {
  /** Empty when the broker or the application that it runs in did. */
  clientId: string;
}

/**
 * A message as it crosses threads: the client identifier with its length, and then a PUBLISH packet of MQTT 5.
 * @param expiry seconds, or -1 for none
 */
export function messageRecord(
  parts: MessageParts,
  qos: QoS,
  retain: boolean,
  expiry: number,
  clientId: string,
): Buffer {
  const remaining = publishRemainingLength(parts, true, qos, expiry, []);
  const idLength = Buffer.byteLength(clientId);
  const record = Buffer.allocUnsafe(2 + idLength + 1 + variableByteIntegerLength(remaining) + remaining);
  record.writeUInt16BE(idLength, 0);
  record.write(clientId, 2);
  const header = (PacketType.publish << 4) | (qos << 1) | (retain ? 1 : 0);
  // A packet identifier must be there, and says nothing.
  writePublish(record, 2 + idLength, parts, true, header, 1, expiry, [], remaining);
  return record;
}

/** Records in one buffer, which can be transferred. */
export function batchOf(records: readonly Buffer[]): ArrayBuffer {
  const batch = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const record of records) {
    batch.set(record, offset);
    offset += record.length;
  }
  return batch.buffer;
}

/** The messages of a batch. */
export function* messagesIn(batch: ArrayBuffer): Generator<PublishedMessage> {
  const bytes = Buffer.from(batch);
  for (let at = 0; at < bytes.length; ) {
    const idLength = bytes.readUInt16BE(at);
    const packetStart = at + 2 + idLength;
    const reader = new WireReader(bytes, packetStart + 1, bytes.length);
    const remaining = reader.variableByteInteger('remaining length');
    const start = bytes.length - reader.remaining;
    const end = start + remaining;
    const {
      type: _,
      dup,
      packetId,
      ...message
    } = decodePublish(bytes[packetStart] as number, bytes, start, end, 5);
    yield { ...message, clientId: bytes.toString('utf8', at + 2, packetStart) };
    at = end;
  }
}
