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
  const reasonCodes = filters.map((filter) =>
    broker.unsubscribe(session, filter) ? ReasonCode.success : ReasonCode.noSubscriptionExisted,
  );
  output.packet(encodeSuback({ type: 'unsuback', packetId, reasonCodes, properties: {} }, version));
}
