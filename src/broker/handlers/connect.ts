import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { shown } from '../../topic/topic-name';
import type { Identity } from '../access/identity';
import { announced, checkOffered, grantedKeepAlive } from '../capabilities';
import type { ClientConnection } from '../client-connection';
import { encodeAuth } from '../codec/auth-packet';
import { encodeConnack } from '../codec/connack-packet';
import { type ConnectPacket, decodeConnect, peekProtocolVersion } from '../codec/connect-packet';
import type { Properties } from '../codec/properties';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import { topicAliases } from '../topic-aliases';
import { isUpstreamSession } from '../upstream/upstream-settings';
import { challenge } from './auth';

/** Finds out who a client is, then accepts or refuses it (MQTT 5.0 sections 3.1.4, 3.2). */
export function handleConnect(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { access, broker, output } = connection;
  connection.order = broker.nextOrder();
  // Known before the rest is read, so that a refusal has the peer's form; MQTT 3.1.1 where even that is unknown.
  connection.version = peekProtocolVersion(bytes, start, end) ?? 4;
  const packet = decodeConnect(bytes, start, end);
  connection.clientId = packet.clientId;
  connection.bridge = packet.bridge === true;
  output.maximumPacketSize = packet.properties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
  check(packet, connection);
  if (packet.clientId === '') connection.clientId = `assigned-${randomBytes(12).toString('hex')}`;
  const { username, password, properties } = packet;
  const { authenticationMethod: method } = properties;
  if (method !== undefined) {
    connection.enhancedLogin = {
      method,
      exchange: undefined,
      accepted: (identity, answer) => accept(connection, packet, identity, answer),
    };
    challenge(connection, connection.enhancedLogin, properties.authenticationData);
    return;
  }
  const identity = access.authenticate({
    clientId: connection.clientId,
    peer: connection.peer,
    username,
    password,
    get signal() {
      return connection.leaving;
    },
  });
  // At once where that is possible: a crowd of clients must not become a crowd of promises.
  if (!(identity instanceof Promise)) accept(connection, packet, identity, {});
  else connection.hold(identity, (known) => accept(connection, packet, known, {}));
}

/**
 * Lets in a client that is known.
 * @param authentication what CONNACK says of an enhanced authentication
 * @throws ProtocolError the rules do not allow it to connect, or to publish its will
 */
function accept(
  connection: ClientConnection,
  packet: ConnectPacket,
  identity: Identity,
  authentication: Properties,
): void {
  const { broker, access, output, now } = connection;
  const { properties } = packet;
  const permissions = access.permissionsOf(identity, connection.clientId);
  if (!permissions.mayConnect) {
    broker.statistics.denied++;
    throw new ProtocolError(ReasonCode.notAuthorized, 'the access rules do not let this client connect');
  }
  if (packet.will !== undefined && !permissions.mayPublish(packet.will.topic)) {
    broker.statistics.denied++;
    throw new ProtocolError(ReasonCode.notAuthorized, 'the access rules do not allow the topic of the will');
  }
  const v5 = packet.protocolVersion === 5;
  const keepAlive = v5 ? grantedKeepAlive(broker.capabilities, packet.keepAlive) : packet.keepAlive;
  const { limits } = broker;
  const wanted = v5
    ? (properties.sessionExpiryInterval ?? 0)
    : packet.cleanStart
      ? 0
      : Number.POSITIVE_INFINITY; // [MQTT-3.1.2-4 of 3.1.1]: kept after the connection, as long as the limit grants.
  const sessionExpiry = Math.min(wanted, limits.sessionExpiry);
  const resumes = !packet.cleanStart && broker.hasSession(connection.clientId);
  if (sessionExpiry > 0 && !resumes && broker.store.full) {
    throw new ProtocolError(ReasonCode.quotaExceeded, 'there is no room to keep another session');
  }
  const granted: Properties = {
    maximumPacketSize: limits.packetSize,
    topicAliasMaximum: limits.topicAliases,
    ...announced(broker.capabilities, packet),
    ...authentication,
  };
  if (limits.receiveMaximum < 65_535) granted.receiveMaximum = limits.receiveMaximum;
  if (v5 && sessionExpiry < wanted) granted.sessionExpiryInterval = sessionExpiry;
  if (packet.clientId === '') granted.assignedClientIdentifier = connection.clientId; // [MQTT-3.2.2-16]
  const connack = (sessionPresent: boolean) =>
    encodeConnack(
      { type: 'connack', sessionPresent, reasonCode: 0, properties: granted },
      packet.protocolVersion,
    );
  if (connack(false).length > output.maximumPacketSize) {
    throw new ProtocolError(
      ReasonCode.packetTooLarge,
      `CONNACK is larger than the maximum packet size of ${output.maximumPacketSize}`,
    ); // [MQTT-3.1.2-24]
  }
  if (!resumes && !connection.local && broker.memory.level === 3) {
    throw new ProtocolError(ReasonCode.quotaExceeded, 'there is no memory left for another session');
  }
  const { session, present } = broker.connect(
    connection.clientId,
    identity.username ?? '',
    permissions,
    packet.cleanStart,
    connection,
    now,
  );
  session.keep(sessionExpiry, packet.will);
  if (!present && session.stored !== undefined) output.waitFor(broker.store.position);
  output.v5 = v5;
  connection.wantsReasons = v5 && properties.requestProblemInformation !== 0;
  if (v5) output.aliases = topicAliases(properties.topicAliasMaximum ?? 0, limits.topicAliases);
  // MQTT 3.1 has no session present flag.
  output.packet(connack(present && packet.protocolVersion > 3));
  const authorizedUntil = now + (identity.validFor ?? Number.POSITIVE_INFINITY);
  const { enhancedLogin } = connection;
  if (enhancedLogin !== undefined) {
    enhancedLogin.accepted = (again, answer) => renew(connection, again, answer);
  }
  const state = { session, identity, authorizedUntil, keepAlive, sessionExpiry, will: packet.will };
  connection.accept(state, present);
  session.attach(output, properties.receiveMaximum ?? 65_535, now);
}

/**
 * The client has proved anew who it is (MQTT 5.0 section 4.12.1).
 * @throws ProtocolError it is somebody else now
 */
function renew({ state, output }: ClientConnection, identity: Identity, answer: Properties): void {
  if (identity.username !== state.identity.username) {
    throw new ProtocolError(ReasonCode.notAuthorized, 'the client has become another user');
  }
  output.packet(encodeAuth({ type: 'auth', reasonCode: ReasonCode.success, properties: answer }));
}

/** @throws ProtocolError the client cannot be accepted */
function check(packet: ConnectPacket, { broker }: ClientConnection): void {
  const { protocolVersion, clientId, cleanStart, will } = packet;
  // [MQTT-3.1.3-8 of 3.1.1]; MQTT 3.1 has no empty client identifiers at all.
  if (clientId === '' && (protocolVersion === 3 || (protocolVersion === 4 && !cleanStart))) {
    throw new ProtocolError(
      ReasonCode.clientIdentifierNotValid,
      protocolVersion === 3
        ? 'an empty client identifier needs MQTT 3.1.1 or 5'
        : 'an empty client identifier needs a clean session',
    );
  }
  if (isUpstreamSession(clientId)) {
    throw new ProtocolError(
      ReasonCode.clientIdentifierNotValid,
      `client identifier "${shown(clientId)}" is for the broker alone`,
    );
  }
  if (will !== undefined) {
    const topic = Buffer.from(will.topic);
    if (broker.router.topicAt(topic, 0, topic.length).reserved) {
      throw new ProtocolError(
        ReasonCode.notAuthorized,
        `will topic "${shown(will.topic)}" is for the broker alone`,
      );
    }
    checkOffered(broker.capabilities, will);
    const isText = will.properties.payloadFormatIndicator === 1;
    if (broker.capabilities.checkPayloadFormat && isText && !isUtf8(will.payload)) {
      throw new ProtocolError(ReasonCode.payloadFormatInvalid, 'the payload of the will is not UTF-8');
    }
  }
}
