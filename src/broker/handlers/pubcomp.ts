import type { ClientConnection } from '../client-connection';
import { acknowledgedPacketId } from '../codec/acknowledgement-packet';

/** PUBCOMP: the delivery of a QoS 2 message to the client is over (MQTT 5.0 section 3.7). */
export function handlePubcomp(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = acknowledgedPacketId('pubcomp', bytes, start, end, connection.version);
  connection.session.completed(packetId, connection.now);
}
