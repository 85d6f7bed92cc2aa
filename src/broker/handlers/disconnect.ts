import type { ClientConnection } from '../client-connection';
import { decodeDisconnect } from '../codec/disconnect-packet';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';

/** The client leaves; its will is dropped unless it asks for it (MQTT 5.0 section 3.14.4). */
export function handleDisconnect(
  connection: ClientConnection,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { state, broker } = connection;
  const { reasonCode, properties } = decodeDisconnect(bytes, start, end, connection.version);
  const expiry = properties.sessionExpiryInterval;
  if (expiry !== undefined) {
    if (expiry > 0 && state.sessionExpiry === 0) {
      throw new ProtocolError(
        ReasonCode.protocolError,
        'DISCONNECT gives a session expiry to a session that CONNECT gave none',
      ); // [MQTT-3.1.2.11.2]
    }
    state.sessionExpiry = Math.min(expiry, broker.limits.sessionExpiry);
  }
  if (reasonCode === ReasonCode.success) state.will = undefined; // [MQTT-3.14.4-3]
  connection.left(reasonCode, properties.reasonString ?? 'disconnected by the client');
}
