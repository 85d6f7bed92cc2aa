import type { ClientConnection } from '../client-connection';
import { acknowledgedPacketId } from '../codec/acknowledgement-packet';

/** PUBACK: the client has a QoS 1 message (MQTT 5.0 section 3.4). */
export function handlePuback(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = acknowledgedPacketId('puback', bytes, start, end, connection.version);
  connection.session.acknowledged(packetId, connection.now);
}
