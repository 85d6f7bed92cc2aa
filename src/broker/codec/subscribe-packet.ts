import { readPacketId } from './acknowledgement-packet';
import { PacketType, type ProtocolVersion, type QoS } from './packet-type';
import { type Properties, readProperties, writeProperties } from './properties';
import { malformed, ProtocolError } from './protocol-error';
import { ReasonCode } from './reason-code';
import { WireReader } from './wire-reader';
import { WireWriter } from './wire-writer';

/** Topic filters of one SUBSCRIBE or UNSUBSCRIBE. */
const MAXIMUM_FILTERS = 20_000;

/** One topic filter of SUBSCRIBE with its options (MQTT 5.0 section 3.8.3.1). */
export interface SubscriptionRequest {
  filter: string;
  qos: QoS;
  noLocal: boolean;
  retainAsPublished: boolean;
  /** 0: send retained messages; 1: only when the subscription is new; 2: do not. */
  retainHandling: 0 | 1 | 2;
}

/** MQTT 5.0 section 3.8. Below protocol level 5 the options other than QoS are false and 0. */
export interface SubscribePacket {
  type: 'subscribe';
  packetId: number;
  subscriptions: SubscriptionRequest[];
  properties: Properties;
}

export function decodeSubscribe(
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): SubscribePacket {
  const reader = new WireReader(bytes, start, end);
  const packetId = readPacketId(reader);
  const properties = version === 5 ? readProperties(reader, 'SUBSCRIBE') : {};
  const subscriptions: SubscriptionRequest[] = [];
  while (reader.remaining > 0) {
    checkFilterCount('SUBSCRIBE', subscriptions.length);
    const filter = reader.utf8('topic filter');
    const options = reader.byte('subscription options');
    const qos = options & 3;
    const retainHandling = (options >> 4) & 3;
    // [MQTT-3.8.3-5]; below level 5 every bit but QoS is reserved [MQTT-3.8.3-4 of 3.1.1].
    if (qos === 3 || (options & (version === 5 ? 0xc0 : 0xfc)) !== 0) {
      throw malformed(`subscription options ${options} of "${filter}" are reserved`);
    }
    if (retainHandling === 3) {
      throw new ProtocolError(ReasonCode.protocolError, `retain handling 3 of "${filter}" does not exist`);
    }
    const noLocal = (options & 4) !== 0;
    if (noLocal && filter.startsWith('$share/')) {
      throw new ProtocolError(ReasonCode.protocolError, `No Local on the shared subscription "${filter}"`); // [MQTT-3.8.3-4]
    }
    subscriptions.push({
      filter,
      qos: qos as QoS,
      noLocal,
      retainAsPublished: (options & 8) !== 0,
      retainHandling: retainHandling as 0 | 1 | 2,
    });
  }
  if (subscriptions.length === 0) {
    throw new ProtocolError(ReasonCode.protocolError, 'SUBSCRIBE without a topic filter'); // [MQTT-3.8.3-2]
  }
  return { type: 'subscribe', packetId, subscriptions, properties };
}

export function encodeSubscribe(packet: SubscribePacket, version: ProtocolVersion): Buffer {
  const writer = new WireWriter().uint16(packet.packetId);
  if (version === 5) writeProperties(writer, packet.properties);
  for (const { filter, qos, noLocal, retainAsPublished, retainHandling } of packet.subscriptions) {
    const options = qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
    writer.utf8(filter).byte(version === 5 ? options : qos);
  }
  return writer.finishPacket((PacketType.subscribe << 4) | 2);
}

/**
 * To be called before each topic filter.
 * @throws ProtocolError there are more than anybody needs, which would only take the broker's time and memory
 */
export function checkFilterCount(packet: string, count: number): void {
  if (count === MAXIMUM_FILTERS) {
    throw new ProtocolError(
      ReasonCode.quotaExceeded,
      `${packet} has more than ${MAXIMUM_FILTERS} topic filters`,
    );
  }
}
