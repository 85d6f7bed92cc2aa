import type { WillFields } from './codec/connect-packet';
import type { QoS } from './codec/packet-type';
import { encodeProperties } from './codec/properties';
import { copy, type MessageParts, type PublishView } from './codec/publish-packet';
import type { MessageSlab, MessageSlabs } from './message-slab';

/** What a message costs beyond its bytes, roughly; counted so that many empty messages are bounded too. */
const OVERHEAD_BYTES = 128;

/** What the two properties take that do not travel on, with their identifiers. */
const ALIAS_BYTES = 3;
const EXPIRY_BYTES = 5;

/**
 * An application message that outlives the packet it came in. All the sessions that it waits in share its bytes, which
 * may be a part of the chunk it was received in. What it says never changes.
 */
export class Message implements MessageParts {
  readonly topic: string;
  /** Sessions that it waits in and topics that it is retained for: of `HeldMemory`. */
  holders = 0;
  /** What its bytes are a part of; absent when they are on their own. */
  slab: MessageSlab | undefined;
  /** Where its slab has it, while it is held. */
  slabIndex = 0;
  bytes: Buffer;
  topicStart: number;
  topicEnd: number;
  propertiesStart: number;
  propertiesEnd: number;
  payloadStart: number;
  payloadEnd: number;
  readonly qos: QoS;
  readonly retain: boolean;
  /** On the broker's clock, ms; Infinity when the message does not expire. */
  readonly expiresAt: number;
  /** Client identifier, for No Local. */
  readonly publisher: string;

  constructor(
    topic: string,
    parts: MessageParts,
    qos: QoS,
    retain: boolean,
    expiresAt: number,
    publisher: string,
    slab?: MessageSlab,
  ) {
    this.topic = topic;
    this.slab = slab;
    this.bytes = parts.bytes;
    this.topicStart = parts.topicStart;
    this.topicEnd = parts.topicEnd;
    this.propertiesStart = parts.propertiesStart;
    this.propertiesEnd = parts.propertiesEnd;
    this.payloadStart = parts.payloadStart;
    this.payloadEnd = parts.payloadEnd;
    this.qos = qos;
    this.retain = retain;
    this.expiresAt = expiresAt;
    this.publisher = publisher;
  }

  /** Of topic, properties and payload together, in bytes. */
  get length(): number {
    return lengthOf(this);
  }

  /** Bytes that count towards the limits of what holds the message. */
  get size(): number {
    return this.length + OVERHEAD_BYTES;
  }

  /** Gives it bytes of its own, for one that is kept long. */
  compact(): void {
    if (this.slab === undefined) return;
    const { topicEnd, propertiesEnd, payloadEnd } = this;
    const topicLength = topicEnd - this.topicStart;
    const propertiesLength = propertiesEnd - this.propertiesStart;
    const bytes = Buffer.allocUnsafeSlow(this.length);
    this.bytes.copy(bytes, 0, this.topicStart, topicEnd);
    this.bytes.copy(bytes, topicLength, this.propertiesStart, propertiesEnd);
    this.bytes.copy(bytes, topicLength + propertiesLength, this.payloadStart, payloadEnd);
    Object.assign(this, joinedParts(bytes, topicLength, topicLength + propertiesLength));
    this.slab = undefined;
  }

  /** Seconds that are left [MQTT-3.3.2-6], or -1 when the message does not expire. */
  remainingExpiry(now: number): number {
    if (this.expiresAt === Number.POSITIVE_INFINITY) return -1;
    // The clock has fractions: without rounding, 60 s from now may be a little more than 60 s.
    return Math.max(0, Math.ceil(Math.round(this.expiresAt - now) / 1000));
  }
}

function lengthOf(parts: MessageParts): number {
  const { topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd } = parts;
  return topicEnd - topicStart + propertiesEnd - propertiesStart + payloadEnd - payloadStart;
}

/** The parts of a message whose topic, properties and payload stand one after the other. */
export function joinedParts(bytes: Buffer, topicEnd: number, propertiesEnd: number): MessageParts {
  return {
    bytes,
    topicStart: 0,
    topicEnd,
    propertiesStart: topicEnd,
    propertiesEnd,
    payloadStart: propertiesEnd,
    payloadEnd: bytes.length,
  };
}

/**
 * The `size` that the message of a received PUBLISH has.
 * @param topicBytes the topic, when the packet says it by an alias
 */
export function messageSizeOf(view: PublishView, topicBytes: Buffer | undefined): number {
  return (
    (topicBytes?.length ?? view.topicEnd - view.topicStart) +
    forwardedPropertiesLength(view) +
    (view.payloadEnd - view.payloadStart) +
    OVERHEAD_BYTES
  );
}

function forwardedPropertiesLength({
  aliasOffset,
  expiryOffset,
  propertiesStart,
  propertiesEnd,
}: PublishView): number {
  const holes = (aliasOffset === -1 ? 0 : ALIAS_BYTES) + (expiryOffset === -1 ? 0 : EXPIRY_BYTES);
  return propertiesEnd - propertiesStart - holes;
}

/**
 * The message of a received PUBLISH, in the chunk that it came in when nothing of it has to change.
 * @param topicBytes the topic, when it is not as the packet says it
 * @param added encoded properties that it has besides those of the packet
 */
export function messageOf(
  view: PublishView,
  topic: string,
  topicBytes: Buffer | undefined,
  publisher: string,
  now: number,
  slabs: MessageSlabs,
  added?: Buffer,
): Message {
  const expiresAt = view.messageExpiry < 0 ? Number.POSITIVE_INFINITY : now + view.messageExpiry * 1000;
  if (topicBytes === undefined && added === undefined && view.propertiesUnchanged) {
    const slab = slabs.around(view.bytes, lengthOf(view));
    return new Message(topic, view, view.qos, view.retain, expiresAt, publisher, slab);
  }
  const topicLength = topicBytes?.length ?? view.topicEnd - view.topicStart;
  const addedStart = topicLength + forwardedPropertiesLength(view);
  const propertiesEnd = addedStart + (added?.length ?? 0);
  const { bytes, slab } = slabs.take(propertiesEnd + view.payloadEnd - view.payloadStart);
  if (topicBytes !== undefined) topicBytes.copy(bytes);
  else copy(view.bytes, view.topicStart, view.topicEnd, bytes, 0);
  copyForwardedProperties(view, bytes, topicLength);
  added?.copy(bytes, addedStart);
  copy(view.bytes, view.payloadStart, view.payloadEnd, bytes, propertiesEnd);
  const parts = joinedParts(bytes, topicLength, propertiesEnd);
  return new Message(topic, parts, view.qos, view.retain, expiresAt, publisher, slab);
}

// The topic alias belongs to one connection [MQTT-3.3.2-7]; the expiry is written anew as it runs down.
function copyForwardedProperties(view: PublishView, target: Buffer, offset: number): void {
  const { aliasOffset, expiryOffset, bytes, propertiesEnd } = view;
  let at = offset;
  let from = view.propertiesStart;
  for (let hole = 0; hole < 2; hole++) {
    const aliasNext = aliasOffset >= from && (expiryOffset < from || aliasOffset < expiryOffset);
    const next = aliasNext ? aliasOffset : expiryOffset;
    if (next < from) break;
    at = copy(bytes, from, next, target, at);
    from = next + (aliasNext ? ALIAS_BYTES : EXPIRY_BYTES);
  }
  copy(bytes, from, propertiesEnd, target, at);
}

/** A retained message of the broker's own, at QoS 0. */
export function messageOfBroker(topic: string, text: string): Message {
  const name = Buffer.from(topic);
  const bytes = ownBytes([name, Buffer.from(text)]);
  const parts = joinedParts(bytes, name.length, name.length);
  return new Message(topic, parts, 0, true, Number.POSITIVE_INFINITY, '');
}

/** The message of a will, made when it is published: its expiry counts from then [MQTT-3.1.3.2.4]. */
export function messageOfWill(will: WillFields, publisher: string, now: number): Message {
  const { willDelayInterval: _delay, messageExpiryInterval, ...forwarded } = will.properties;
  const topic = Buffer.from(will.topic);
  const properties = encodeProperties(forwarded);
  return new Message(
    will.topic,
    joinedParts(ownBytes([topic, properties, will.payload]), topic.length, topic.length + properties.length),
    will.qos,
    will.retain,
    messageExpiryInterval === undefined ? Number.POSITIVE_INFINITY : now + messageExpiryInterval * 1000,
    publisher,
  );
}

/** The parts one after the other, in memory that nothing else shares. */
function ownBytes(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) at += part.copy(bytes, at);
  return bytes;
}
