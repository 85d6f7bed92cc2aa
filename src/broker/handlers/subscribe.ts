import { shown } from '../../topic/topic-name';
import { EVENT_ENTRIES } from '../broker-event';
import { unavailable } from '../capabilities';
import type { ClientConnection } from '../client-connection';
import type { QoS } from '../codec/packet-type';
import type { Properties } from '../codec/properties';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import { encodeSuback } from '../codec/suback-packet';
import { decodeSubscribe, type SubscribePacket, type SubscriptionRequest } from '../codec/subscribe-packet';

/** The only failure that SUBACK of MQTT 3.1.1 knows. */
const FAILURE = 0x80;
/** Characters of the reasons of one SUBACK together. */
const LONGEST_REASON = 1000;

/**
 * Subscribes to each topic filter or says why not (MQTT 5.0 section 3.8.4). A filter that is not valid fails alone: the
 * others of the packet, and the connection, are not disturbed.
 */
export function handleSubscribe(
  connection: ClientConnection,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { broker, session, output, version } = connection;
  const packet = decodeSubscribe(bytes, start, end, version);
  check(packet, connection);
  const identifier = packet.properties.subscriptionIdentifiers?.[0] ?? 0;
  // What a bridge of MQTT 5 asks for, one of an older version means.
  const meant = connection.bridge ? { noLocal: true, retainAsPublished: true } : {};
  const results = packet.subscriptions.map((request) =>
    broker.subscribe(session, { ...request, ...meant }, identifier, connection.local),
  );
  const reasonCodes = results.map(({ reasonCode }) =>
    version === 5 ? reasonCode : Math.min(reasonCode, FAILURE),
  );
  const suback = (properties: Properties) =>
    encodeSuback({ type: 'suback', packetId: packet.packetId, reasonCodes, properties }, version);
  const reasons = results.flatMap(({ reason }) => reason ?? []);
  const explained =
    connection.wantsReasons && reasons.length > 0
      ? suback({ reasonString: reasons.join('; ').slice(0, LONGEST_REASON) })
      : undefined;
  const fits = explained !== undefined && explained.length <= output.maximumPacketSize; // [MQTT-3.9.2-1]
  output.packet(fits ? explained : suback({}));
  connection.report({
    type: 'subscribed',
    clientId: connection.clientId,
    subscriptions: results.slice(0, EVENT_ENTRIES).map(({ reasonCode }, index) => {
      const { filter } = packet.subscriptions[index] as SubscriptionRequest;
      return reasonCode < FAILURE ? { filter, qos: reasonCode as QoS } : { filter, reasonCode };
    }),
  });
  broker.retention.replay();
}

/**
 * An MQTT 5 client has been told what is not available: asking for it is an error. Others just do not get it.
 * @throws ProtocolError sections 3.2.2.3.11 to 3.2.2.3.13
 */
function check({ subscriptions, properties }: SubscribePacket, { broker, version }: ClientConnection): void {
  if (version < 5) return;
  if (!broker.capabilities.subscriptionIdentifiers && properties.subscriptionIdentifiers !== undefined) {
    throw new ProtocolError(
      ReasonCode.subscriptionIdentifiersNotSupported,
      'subscription identifiers are not available',
    );
  }
  for (const { filter } of subscriptions) {
    const reasonCode = unavailable(broker.capabilities, filter);
    if (reasonCode === undefined) continue;
    throw new ProtocolError(reasonCode, `"${shown(filter)}": such subscriptions are not available`);
  }
}
