import type { ClientConnection } from '../client-connection';
import { PacketType } from '../codec/packet-type';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import { handleAuth } from './auth';
import { handleConnect } from './connect';
import { handleDisconnect } from './disconnect';
import { handlePingreq } from './pingreq';
import { handlePuback } from './puback';
import { handlePubcomp } from './pubcomp';
import { handlePubrec } from './pubrec';
import { handlePubrel } from './pubrel';
import { handleSubscribe } from './subscribe';
import { handleUnsubscribe } from './unsubscribe';

/**
 * Hands a packet that is no PUBLISH to the handler of its type, where it may come now.
 * @throws ProtocolError it may not, or the handler cannot take it
 */
export function dispatch(
  connection: ClientConnection,
  type: PacketType,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  if (connection.connectedSession === undefined) {
    if (connection.connectSeen) dispatchLogin(connection, type, bytes, start, end);
    else if (type === PacketType.connect) handleConnect(connection, bytes, start, end);
    else throw notConnect();
    return;
  }
  switch (type) {
    case PacketType.connect:
      throw new ProtocolError(ReasonCode.protocolError, 'a second CONNECT'); // [MQTT-3.1.0-2]
    case PacketType.puback:
      handlePuback(connection, bytes, start, end);
      break;
    case PacketType.pubrec:
      handlePubrec(connection, bytes, start, end);
      break;
    case PacketType.pubrel:
      handlePubrel(connection, bytes, start, end);
      break;
    case PacketType.pubcomp:
      handlePubcomp(connection, bytes, start, end);
      break;
    case PacketType.subscribe:
      handleSubscribe(connection, bytes, start, end);
      break;
    case PacketType.unsubscribe:
      handleUnsubscribe(connection, bytes, start, end);
      break;
    case PacketType.pingreq:
      handlePingreq(connection, start, end);
      break;
    case PacketType.disconnect:
      handleDisconnect(connection, bytes, start, end);
      break;
    case PacketType.auth:
      handleAuth(connection, bytes, start, end);
      break;
    default:
      throw new ProtocolError(ReasonCode.protocolError, `packet type ${type} is for servers to send only`);
  }
}

/** Of what comes instead of CONNECT [MQTT-3.1.0-1]. */
export function notConnect(): ProtocolError {
  return new ProtocolError(ReasonCode.protocolError, 'the first packet is not CONNECT');
}

/** Between CONNECT with an authentication method and CONNACK (MQTT 5.0 section 4.12). */
function dispatchLogin(
  connection: ClientConnection,
  type: PacketType,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  if (type === PacketType.auth) handleAuth(connection, bytes, start, end);
  else if (type === PacketType.disconnect)
    connection.left(ReasonCode.unspecifiedError, 'the client has given up its login');
  else throw new ProtocolError(ReasonCode.protocolError, 'only AUTH may come before the login is finished');
}
