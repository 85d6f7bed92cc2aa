import { isUtf8 } from 'node:buffer';
import { checkOffered } from '../capabilities';
import type { ClientConnection } from '../client-connection';
import { PacketType } from '../codec/packet-type';
import { ProtocolError } from '../codec/protocol-error';
import type { PublishView } from '../codec/publish-packet';
import { ReasonCode } from '../codec/reason-code';
import { aliasBytes } from '../held-memory';

const PUBACK = PacketType.puback << 4;
const PUBREC = PacketType.pubrec << 4;

/** Routes a message and acknowledges it (MQTT 5.0 sections 3.3.4, 4.3). */
export function handlePublish(
  connection: ClientConnection,
  bytes: Buffer,
  packetStart: number,
  start: number,
  end: number,
): void {
  const { broker, view, version, now, session, output } = connection;
  view.parse(bytes, packetStart, start, end, version === 5);
  checkOffered(broker.capabilities, view);
  broker.statistics.messagesReceived++;
  broker.statistics.payloadBytesReceived += view.payloadEnd - view.payloadStart;
  const aliasedTopic = view.topicAlias === 0 ? undefined : resolveAlias(connection, view);
  const entry =
    aliasedTopic === undefined
      ? broker.router.topicAt(bytes, view.topicStart, view.topicEnd)
      : broker.router.topicAt(aliasedTopic, 0, aliasedTopic.length);
  if (broker.capabilities.checkPayloadFormat && view.payloadFormat === 1 && !isPayloadUtf8(view)) {
    if (view.qos === 0) throw new ProtocolError(ReasonCode.payloadFormatInvalid, 'the payload is not UTF-8');
    refuse(connection, ReasonCode.payloadFormatInvalid);
    return;
  }
  if (entry.reserved) {
    broker.statistics.dropped++;
    refuse(connection, ReasonCode.notAuthorized);
    return;
  }
  if (!session.permissions.mayPublish(entry.topic)) {
    broker.statistics.denied++;
    refuse(connection, ReasonCode.notAuthorized);
    return;
  }
  if (broker.router.hasLeft(view)) {
    broker.statistics.looped++;
    refuse(connection, ReasonCode.success);
    return;
  }
  const { store, memory } = broker;
  if (view.qos === 2 && session.received.has(view.packetId)) {
    // Sent again: it was taken the first time [MQTT-4.3.3-10], whatever room there is now.
    session.waitForStore();
    output.acknowledge(PUBREC, view.packetId, ReasonCode.success);
    return;
  }
  if (store.full && broker.router.mustKeep(view, entry, session)) {
    refuseForRoom(connection, `there is no room to keep the message${because(store.fault)}`);
    return;
  }
  if (memory.level >= 2 && broker.router.mustRefuse(view, entry, session, connection.local)) {
    refuseForRoom(connection, 'there is no memory left for messages that have to wait');
    return;
  }
  const { position } = store;
  // Older clients have not been told a Receive Maximum: theirs is all the identifiers that there are.
  const receiveMaximum = version === 5 ? broker.limits.receiveMaximum : 65_535;
  if (view.qos === 2) session.received.add(view.packetId, receiveMaximum);
  broker.router.publish(view, entry, aliasedTopic, session, version === 5, now);
  if (view.qos > 0) {
    if (store.position !== position) output.waitFor(store.position);
    output.acknowledge(view.qos === 1 ? PUBACK : PUBREC, view.packetId, ReasonCode.success);
  }
}

/** Answers a message that is not taken; before MQTT 5 there was no answer but that of success [MQTT-3.3.5-2 of 3.1.1]. */
function refuse({ view: { qos, packetId }, output, version }: ClientConnection, reason: ReasonCode): void {
  const reasonCode = version === 5 ? reason : ReasonCode.success;
  if (qos > 0) output.acknowledge(qos === 1 ? PUBACK : PUBREC, packetId, reasonCode);
}

function isPayloadUtf8({ bytes, payloadStart, payloadEnd }: PublishView): boolean {
  return isUtf8(bytes.subarray(payloadStart, payloadEnd));
}

/**
 * There is no room to keep the message, so it is not delivered either. A client of before MQTT 5 is ended rather than
 * not read on: it will send the message again, nothing of it is held meanwhile, and what it acknowledges can still come.
 * @throws ProtocolError the client's protocol version has no other way to say so
 */
function refuseForRoom(connection: ClientConnection, reason: string): void {
  const { broker, version } = connection;
  broker.statistics.publishRefused++;
  if (version < 5) throw new ProtocolError(ReasonCode.quotaExceeded, reason);
  broker.statistics.dropped++;
  refuse(connection, ReasonCode.quotaExceeded);
}

function because(fault: string | undefined): string {
  return fault === undefined ? '' : `: ${fault}`;
}

/**
 * The bytes of the topic name that an alias stands for, which a packet with a topic name sets anew.
 * @throws ProtocolError the alias is above the maximum [MQTT-3.3.2-9] or was never set
 */
function resolveAlias({ broker, topicAliases }: ClientConnection, view: PublishView): Buffer {
  const { topicAlias, bytes, topicStart, topicEnd } = view;
  if (topicAlias > broker.limits.topicAliases) {
    throw new ProtocolError(
      ReasonCode.topicAliasInvalid,
      `topic alias ${topicAlias} is above the maximum of ${broker.limits.topicAliases}`,
    );
  }
  if (topicEnd > topicStart) {
    broker.router.topicAt(bytes, topicStart, topicEnd); // A name that is not valid sets no alias.
    const before = topicAliases.get(topicAlias);
    const topic = Buffer.allocUnsafeSlow(topicEnd - topicStart);
    bytes.copy(topic, 0, topicStart, topicEnd);
    broker.memory.add(aliasBytes(topic) - (before === undefined ? 0 : aliasBytes(before)));
    topicAliases.set(topicAlias, topic);
    return topic;
  }
  const known = topicAliases.get(topicAlias);
  if (known === undefined) {
    throw new ProtocolError(ReasonCode.protocolError, `topic alias ${topicAlias} was never set`);
  }
  return known;
}
