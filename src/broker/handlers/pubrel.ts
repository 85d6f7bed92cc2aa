import type { ClientConnection } from '../client-connection';
import { acknowledgedPacketId } from '../codec/acknowledgement-packet';
import { PacketType } from '../codec/packet-type';
import { ReasonCode } from '../codec/reason-code';

const PUBCOMP = PacketType.pubcomp << 4;

/** PUBREL: the client will not send a QoS 2 message again (MQTT 5.0 section 3.6). */
export function handlePubrel(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = acknowledgedPacketId('pubrel', bytes, start, end, connection.version);
  const known = connection.session.received.release(packetId);
  connection.output.acknowledge(
    PUBCOMP,
    packetId,
    known ? ReasonCode.success : ReasonCode.packetIdentifierNotFound,
  );
}
