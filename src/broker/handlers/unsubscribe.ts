import { EVENT_ENTRIES } from '../broker-event';
import type { ClientConnection } from '../client-connection';
import { ReasonCode } from '../codec/reason-code';
import { encodeSuback } from '../codec/suback-packet';
import { decodeUnsubscribe } from '../codec/unsubscribe-packet';

/** Ends subscriptions (MQTT 5.0 section 3.10.4); what is on its way already still arrives. */
export function handleUnsubscribe(
  connection: ClientConnection,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { broker, session, output, version } = connection;
  const { packetId, filters } = decodeUnsubscribe(bytes, start, end, version);
  const ended: string[] = [];
  const reasonCodes = filters.map((filter) => {
    if (!broker.unsubscribe(session, filter)) return ReasonCode.noSubscriptionExisted;
    if (ended.length < EVENT_ENTRIES) ended.push(filter);
    return ReasonCode.success;
  });
  if (ended.length > 0)
    connection.report({ type: 'unsubscribed', clientId: session.clientId, filters: ended });
  output.packet(encodeSuback({ type: 'unsuback', packetId, reasonCodes, properties: {} }, version));
}
