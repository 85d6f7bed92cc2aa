import type { ClientConnection } from '../client-connection';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';

/**
 * A CONNECT with an authentication method is refused, so no AUTH can follow one.
 * @throws ProtocolError always [MQTT-4.12.0-1]
 */
export function handleAuth({ version }: ClientConnection): never {
  throw new ProtocolError(
    ReasonCode.protocolError,
    version === 5 ? 'AUTH without an authentication method in CONNECT' : 'AUTH needs MQTT 5',
  );
}
