import type { ClientConnection } from '../client-connection';
import { decodeAcknowledgement, shortAcknowledgement } from '../codec/acknowledgement-packet';
import { ReasonCode } from '../codec/reason-code';

/** PUBREC: the client has a QoS 2 message, or refuses it (MQTT 5.0 section 3.5). */
export function handlePubrec(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const short = shortAcknowledgement(bytes, start, end);
  if (short !== 0) {
    connection.session.receivedByClient(short, ReasonCode.success, connection.now);
    return;
  }
  const { packetId, reasonCode } = decodeAcknowledgement('pubrec', bytes, start, end, connection.version);
  connection.session.receivedByClient(packetId, reasonCode, connection.now);
}
