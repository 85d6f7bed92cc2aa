import type { ClientConnection } from '../client-connection';
import {
  type AcknowledgementType,
  decodeAcknowledgement,
  shortAcknowledgement,
} from '../codec/acknowledgement-packet';
import { PacketType } from '../codec/packet-type';
import { ReasonCode } from '../codec/reason-code';

const PUBCOMP = PacketType.pubcomp << 4;

/** PUBACK: the client has a QoS 1 message (MQTT 5.0 section 3.4). */
export function handlePuback(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = packetIdOf('puback', connection, bytes, start, end);
  connection.session.acknowledged(packetId, connection.now);
}

/** PUBREC: the client has a QoS 2 message, or refuses it (section 3.5). */
export function handlePubrec(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const short = shortAcknowledgement(bytes, start, end);
  if (short !== 0) {
    connection.session.receivedByClient(short, ReasonCode.success, connection.now);
    return;
  }
  const { packetId, reasonCode } = decodeAcknowledgement('pubrec', bytes, start, end, connection.version);
  connection.session.receivedByClient(packetId, reasonCode, connection.now);
}

/** PUBREL: the client will not send a QoS 2 message again (section 3.6). */
export function handlePubrel(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = packetIdOf('pubrel', connection, bytes, start, end);
  const known = connection.session.releaseReceived(packetId);
  connection.output.acknowledge(
    PUBCOMP,
    packetId,
    known ? ReasonCode.success : ReasonCode.packetIdentifierNotFound,
  );
}

/** PUBCOMP: the delivery of a QoS 2 message is over (section 3.7). */
export function handlePubcomp(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const packetId = packetIdOf('pubcomp', connection, bytes, start, end);
  connection.session.completed(packetId, connection.now);
}

function packetIdOf(
  type: AcknowledgementType,
  { version }: ClientConnection,
  bytes: Buffer,
  start: number,
  end: number,
): number {
  return (
    shortAcknowledgement(bytes, start, end) ||
    decodeAcknowledgement(type, bytes, start, end, version).packetId
  );
}
