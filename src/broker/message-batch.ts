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
 * Messages on their way to another thread, in one buffer: of each the client identifier with its length, and then the
 * message as a PUBLISH packet of MQTT 5.
 */
export class MessageBatch {
  readonly #records: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#records.length;
  }

  /** @param expiry seconds, or -1 for none */
  add(parts: MessageParts, qos: QoS, retain: boolean, expiry: number, clientId: string): void {
    const remaining = publishRemainingLength(parts, true, qos, expiry, []);
    const idLength = Buffer.byteLength(clientId);
    const size = 2 + idLength + 1 + variableByteIntegerLength(remaining) + remaining;
    const record = Buffer.allocUnsafe(size);
    record.writeUInt16BE(idLength, 0);
    record.write(clientId, 2);
    const header = (PacketType.publish << 4) | (qos << 1) | (retain ? 1 : 0);
    writePublish(record, 2 + idLength, parts, true, header, 1, expiry, [], remaining);
    this.#records.push(record);
    this.#bytes += size;
  }

  /** The bytes of all that was added, which the batch then holds no longer. */
  take(): ArrayBuffer {
    const all = new Uint8Array(this.#bytes);
    let offset = 0;
    for (const record of this.#records) {
      all.set(record, offset);
      offset += record.length;
    }
    this.#records.length = 0;
    this.#bytes = 0;
    return all.buffer;
  }
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
