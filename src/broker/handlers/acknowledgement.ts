import type { ClientConnection } from '../client-connection';
import { decodeAcknowledgement } from '../codec/acknowledgement-packet';
import { PacketType } from '../codec/packet-type';
import { ReasonCode } from '../codec/reason-code';

const PUBCOMP = PacketType.pubcomp << 4;

/** PUBACK: the client has a QoS 1 message (MQTT 5.0 section 3.4). */
export function handlePuback(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { packetId } = decodeAcknowledgement('puback', bytes, start, end, connection.version);
  connection.session.acknowledged(packetId, connection.now);
}

/** PUBREC: the client has a QoS 2 message, or refuses it (section 3.5). */
export function handlePubrec(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { packetId, reasonCode } = decodeAcknowledgement('pubrec', bytes, start, end, connection.version);
  connection.session.receivedByClient(packetId, reasonCode, connection.now);
}

/** PUBREL: the client will not send a QoS 2 message again (section 3.6). */
export function handlePubrel(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { packetId } = decodeAcknowledgement('pubrel', bytes, start, end, connection.version);
  const known = connection.session.releaseReceived(packetId);
  connection.output.acknowledge(
    PUBCOMP,
    packetId,
    known ? ReasonCode.success : ReasonCode.packetIdentifierNotFound,
  );
}

/** PUBCOMP: the delivery of a QoS 2 message is over (section 3.7). */
export function handlePubcomp(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { packetId } = decodeAcknowledgement('pubcomp', bytes, start, end, connection.version);
  connection.session.completed(packetId, connection.now);
}
