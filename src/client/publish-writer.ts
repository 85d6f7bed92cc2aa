import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { topicNameFault } from '../topic/topic-name';
import type { MessageProperties, Post, PostOutcome } from './connection-settings';
import { messagePropertiesFault } from './message-properties';
import type { ConnackProperties } from './network-connection';
import type { OutgoingMessage } from './outgoing-message';
import { COPIED_BYTES, PacketBatch } from './packet-batch';
import { MAX_PACKET_BYTES } from './publish-fault';
import { PublishHead } from './publish-head';
import type { ShortTopic } from './topic-aliases';

/** What may wait in memory for the network at once of messages that are posted. */
const MAX_POSTED_BYTES = 16 * 1024 * 1024;
const NO_USER_PROPERTIES = {};

/** Writes the PUBLISH packets of one network connection, each in one piece, those of one turn of the loop together. */
export class PublishWriter {
  readonly #stream: Duplex;
  readonly #version5: boolean;
  readonly #batch: PacketBatch;
  readonly #heads = new WeakMap<MessageProperties, PublishHead>();
  #gathering = false;

  constructor(stream: Duplex, version5: boolean) {
    this.#stream = stream;
    this.#version5 = version5;
    this.#batch = new PacketBatch(stream);
  }

  /** Writes what was posted now. */
  flush(): void {
    this.#batch.flush();
  }

  /** Has what is written in one turn of the loop go out in one system call, which costs more than a small packet does. */
  gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#stream.cork();
    setImmediate(() => {
      this.#gathering = false;
      this.#stream.uncork();
    });
  }

  /** Writes a message of QoS 1 or 2. */
  write(message: OutgoingMessage, packetId: number, { topic, alias }: ShortTopic): void {
    const {
      payload,
      options: { retain, qos },
      properties = {},
      repeated: dup,
    } = message;
    const head = new PublishHead(topic, this.#version5 ? properties : undefined, alias);
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const propertiesBytes = head.propertiesBytes(NO_USER_PROPERTIES);
    const headBytes = head.bytes(propertiesBytes, bytes.length, packetId);
    const isCopied = bytes.length <= COPIED_BYTES;
    const packet = Buffer.allocUnsafe(headBytes + (isCopied ? bytes.length : 0));
    const header = { retain, qos, dup, packetId };
    head.write(packet, 0, propertiesBytes, bytes.length, header, NO_USER_PROPERTIES);
    if (isCopied) bytes.copy(packet, headBytes);
    this.gather();
    this.#stream.write(packet);
    if (isCopied) return;
    message.unread++;
    this.#stream.write(bytes, () => {
      // Other streams say so before they read it.
      if (this.#stream instanceof Socket) message.unread--;
    });
  }

  /**
   * See `Connection.post`.
   * @param broker what it said of itself in CONNACK
   */
  post(message: Post, broker: ConnackProperties): PostOutcome {
    const { payload, ownsMemory = false, retain, userProperties } = message;
    const { retainAvailable, maximumPacketSize = MAX_PACKET_BYTES } = broker;
    const head = this.#head(message);
    if (head === undefined || (retain && retainAvailable === false)) return 'refused';
    const propertiesBytes = head.propertiesBytes(userProperties);
    const headBytes = head.bytes(propertiesBytes, payload.length);
    if (headBytes + payload.length > maximumPacketSize) return 'refused';
    const waiting = this.#stream.writableLength + this.#batch.bytes;
    if (waiting > 0 && waiting + payload.length > MAX_POSTED_BYTES) return 'full';
    const header = { retain, qos: 0, dup: false } as const;
    this.#batch.add(
      headBytes,
      (to, at) => head.write(to, at, propertiesBytes, payload.length, header, userProperties),
      payload,
      ownsMemory,
    );
    return 'sent';
  }

  /** `undefined` where topic or properties are at fault. */
  #head({ topic, properties }: Post): PublishHead | undefined {
    const known = this.#heads.get(properties);
    if (known?.topic === topic) return known;
    if (topicNameFault(topic) !== undefined || messagePropertiesFault(properties) !== undefined)
      return undefined;
    const head = new PublishHead(topic, this.#version5 ? properties : undefined);
    this.#heads.set(properties, head);
    return head;
  }
}
