import { shown } from '../../topic/topic-name';
import type { EnhancedLogin } from '../access/enhanced-login';
import { SCRAM_SHA_256 } from '../access/scram';
import type { ClientConnection } from '../client-connection';
import { decodeAuth, encodeAuth } from '../codec/auth-packet';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';

const NOTHING = Buffer.alloc(0);

/**
 * The client answers a challenge, or proves anew who it is (MQTT 5.0 sections 3.15, 4.12).
 * @throws ProtocolError nothing was asked, the method has changed [MQTT-4.12.0-5] or the proof fails
 */
export function handleAuth(connection: ClientConnection, bytes: Buffer, start: number, end: number): void {
  const { version, enhancedLogin: login } = connection;
  if (version < 5) throw new ProtocolError(ReasonCode.protocolError, 'AUTH needs MQTT 5');
  const { reasonCode, properties } = decodeAuth(bytes, start, end);
  if (login === undefined) {
    throw new ProtocolError(ReasonCode.protocolError, 'AUTH without an authentication method in CONNECT'); // [MQTT-4.12.0-7]
  }
  const { method, exchange } = login;
  if (properties.authenticationMethod !== method) {
    throw new ProtocolError(
      ReasonCode.badAuthenticationMethod,
      `the authentication method of AUTH is not ${method} as in CONNECT`,
    );
  }
  const { authenticationData = NOTHING } = properties;
  if (reasonCode === ReasonCode.continueAuthentication && exchange !== undefined) {
    login.exchange = undefined;
    const { identity, serverFinal } = exchange.finish(authenticationData);
    login.accepted(identity, { authenticationMethod: method, authenticationData: serverFinal });
  } else if (reasonCode === ReasonCode.reauthenticate && connection.connectedSession !== undefined) {
    challenge(connection, login, authenticationData);
  } else {
    throw new ProtocolError(ReasonCode.protocolError, `AUTH with reason code ${reasonCode} is out of turn`);
  }
}

/**
 * Answers the first message of an exchange with the server's [MQTT-4.12.0-2].
 * @throws ProtocolError the method is not offered [MQTT-4.12.0-1]
 */
export function challenge(connection: ClientConnection, login: EnhancedLogin, data: Buffer = NOTHING): void {
  const { access, peer, output } = connection;
  const { method } = login;
  if (method !== SCRAM_SHA_256 || !access.offersScram) {
    throw new ProtocolError(
      ReasonCode.badAuthenticationMethod,
      `authentication method "${shown(method)}" is not offered`,
    );
  }
  connection.hold(access.beginScram(peer, data, connection.leaving), (exchange) => {
    login.exchange = exchange;
    const properties = { authenticationMethod: method, authenticationData: exchange.serverFirst };
    output.packet(encodeAuth({ type: 'auth', reasonCode: ReasonCode.continueAuthentication, properties }));
  });
}
