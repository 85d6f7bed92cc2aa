import type { WillFields } from './codec/connect-packet';
import type { QoS } from './codec/packet-type';
import { encodeProperties } from './codec/properties';
import type { MessageParts, PublishView } from './codec/publish-packet';

/** What a message costs beyond its bytes, roughly; counted so that many empty messages are bounded too. */
const OVERHEAD_BYTES = 128;

/**
 * An application message that outlives the packet it came in: it owns one copy of its bytes, which all the sessions that
 * it waits in share. Immutable.
 */
export class Message implements MessageParts {
  readonly topic: string;
  /** Topic, properties and payload, one after the other. */
  readonly bytes: Buffer;
  readonly topicStart = 0;
  readonly topicEnd: number;
  readonly propertiesStart: number;
  readonly propertiesEnd: number;
  readonly payloadStart: number;
  readonly payloadEnd: number;
  readonly qos: QoS;
  readonly retain: boolean;
  /** On the broker's clock, ms; Infinity when the message does not expire. */
  readonly expiresAt: number;
  /** Client identifier, for No Local. */
  readonly publisher: string;

  constructor(
    topic: string,
    bytes: Buffer,
    topicEnd: number,
    propertiesEnd: number,
    qos: QoS,
    retain: boolean,
    expiresAt: number,
    publisher: string,
  ) {
    this.topic = topic;
    this.bytes = bytes;
    this.topicEnd = topicEnd;
    this.propertiesStart = topicEnd;
    this.propertiesEnd = propertiesEnd;
    this.payloadStart = propertiesEnd;
    this.payloadEnd = bytes.length;
    this.qos = qos;
    this.retain = retain;
    this.expiresAt = expiresAt;
    this.publisher = publisher;
  }

  /** Bytes that count towards the limits of what holds the message. */
  get size(): number {
    return this.bytes.length + OVERHEAD_BYTES;
  }

  /** Seconds that are left [MQTT-3.3.2-6], or -1 when the message does not expire. */
  remainingExpiry(now: number): number {
    return this.expiresAt === Number.POSITIVE_INFINITY
      ? -1
      : Math.max(0, Math.ceil((this.expiresAt - now) / 1000));
  }
}

/**
 * The message of a received PUBLISH with bytes of its own.
 * @param topicBytes the topic, when the packet says it by an alias
 */
export function messageOf(
  view: PublishView,
  topic: string,
  topicBytes: Buffer | undefined,
  publisher: string,
  now: number,
): Message {
  const topicLength = topicBytes?.length ?? view.topicEnd - view.topicStart;
  const bytes = Buffer.allocUnsafeSlow(
    topicLength + view.propertiesEnd - view.propertiesStart + view.payloadEnd - view.payloadStart,
  );
  if (topicBytes !== undefined) topicBytes.copy(bytes);
  else view.bytes.copy(bytes, 0, view.topicStart, view.topicEnd);
  let at = topicLength;
  if (view.propertiesUnchanged) {
    if (view.propertiesEnd > view.propertiesStart) {
      at += view.bytes.copy(bytes, at, view.propertiesStart, view.propertiesEnd);
    }
  } else {
    at = copyForwardedProperties(view, bytes, at);
  }
  const propertiesEnd = at;
  at += view.bytes.copy(bytes, at, view.payloadStart, view.payloadEnd);
  return new Message(
    topic,
    bytes.subarray(0, at),
    topicLength,
    propertiesEnd,
    view.qos,
    view.retain,
    view.messageExpiry < 0 ? Number.POSITIVE_INFINITY : now + view.messageExpiry * 1000,
    publisher,
  );
}

// The topic alias belongs to one connection [MQTT-3.3.2-7]; the expiry is written anew as it runs down.
function copyForwardedProperties(view: PublishView, target: Buffer, offset: number): number {
  const holes = [
    [view.aliasOffset, 3],
    [view.expiryOffset, 5],
  ].filter((hole): hole is [number, number] => hole[0] !== -1);
  holes.sort((a, b) => a[0] - b[0]);
  let at = offset;
  let from = view.propertiesStart;
  for (const [hole, length] of holes) {
    at += view.bytes.copy(target, at, from, hole);
    from = hole + length;
  }
  return at + view.bytes.copy(target, at, from, view.propertiesEnd);
}

/** The message of a will, made when it is published: its expiry counts from then [MQTT-3.1.3.2.4]. */
export function messageOfWill(will: WillFields, publisher: string, now: number): Message {
  const { willDelayInterval: _delay, messageExpiryInterval, ...forwarded } = will.properties;
  const topic = Buffer.from(will.topic);
  const properties = encodeProperties(forwarded);
  return new Message(
    will.topic,
    Buffer.concat([topic, properties, will.payload]),
    topic.length,
    topic.length + properties.length,
    will.qos,
    will.retain,
    messageExpiryInterval === undefined ? Number.POSITIVE_INFINITY : now + messageExpiryInterval * 1000,
    publisher,
  );
}
