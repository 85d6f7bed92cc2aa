import { randomBytes } from 'node:crypto';
import type { ClientConnection } from '../client-connection';
import { encodeConnack } from '../codec/connack-packet';
import { type ConnectPacket, decodeConnect, peekProtocolVersion } from '../codec/connect-packet';
import type { Properties } from '../codec/properties';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';

/** Accepts or refuses a client (MQTT 5.0 sections 3.1.4, 3.2). */
export function handleConnect(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { broker, output } = connection;
  // Known before the rest is read, so that a refusal has the peer's form; MQTT 3.1.1 where even that is unknown.
  connection.version = peekProtocolVersion(bytes, start, end) ?? 4;
  const packet = decodeConnect(bytes, start, end);
  connection.clientId = packet.clientId;
  output.maximumPacketSize = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
  check(packet, connection);
  const v5 = packet.protocolVersion === 5;
  const { properties, keepAlive } = packet;
  const assigned = packet.clientId === '' ? `assigned-${randomBytes(12).toString('hex')}` : undefined;
  if (assigned !== undefined) connection.clientId = assigned;
  const { limits } = broker;
  const wanted = v5
    ? (properties.sessionExpiryInterval ?? 0)
    : packet.cleanStart
      ? 0
      : Number.POSITIVE_INFINITY; // [MQTT-3.1.2-4 of 3.1.1]: kept after the connection, as long as the limit grants.
  const sessionExpiry = Math.min(wanted, limits.sessionExpiry);
  const { session, present } = broker.connect(
    connection.clientId,
    packet.cleanStart,
    connection,
    connection.now,
  );
  output.v5 = v5;
  const granted: Properties = {
    maximumPacketSize: limits.packetSize,
    sharedSubscriptionAvailable: 0,
    topicAliasMaximum: limits.topicAliases,
  };
  if (limits.receiveMaximum < 65_535) granted.receiveMaximum = limits.receiveMaximum;
  if (v5 && sessionExpiry < wanted) granted.sessionExpiryInterval = sessionExpiry;
  if (assigned !== undefined) granted.assignedClientIdentifier = assigned; // [MQTT-3.2.2-16]
  output.packet(
    encodeConnack(
      // MQTT 3.1 has no session present flag.
      {
        type: 'connack',
        sessionPresent: present && packet.protocolVersion > 3,
        reasonCode: 0,
        properties: granted,
      },
      packet.protocolVersion,
    ),
  );
  const state = { session, keepAlive, sessionExpiry, will: packet.will };
  connection.accept(state, present);
  session.attach(output, properties.receiveMaximum ?? 65_535, connection.now);
}

/** @throws ProtocolError the client cannot be accepted */
function check(packet: ConnectPacket, { broker }: ClientConnection): void {
  const { protocolVersion, clientId, cleanStart, properties, will } = packet;
  if (properties.authenticationMethod !== undefined) {
    throw new ProtocolError(
      ReasonCode.badAuthenticationMethod,
      `authentication method "${properties.authenticationMethod}" is not supported`,
    );
  }
  // [MQTT-3.1.3-8 of 3.1.1]; MQTT 3.1 has no empty client identifiers at all.
  if (clientId === '' && (protocolVersion === 3 || (protocolVersion === 4 && !cleanStart))) {
    throw new ProtocolError(
      ReasonCode.clientIdentifierNotValid,
      protocolVersion === 3
        ? 'an empty client identifier needs MQTT 3.1.1 or 5'
        : 'an empty client identifier needs a clean session',
    );
  }
  if (will !== undefined) {
    const topic = Buffer.from(will.topic);
    broker.topicAt(topic, 0, topic.length);
  }
}
