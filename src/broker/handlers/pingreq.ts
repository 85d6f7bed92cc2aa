import type { ClientConnection } from '../client-connection';
import { malformed } from '../codec/protocol-error';

/**
 * Answers a client that only says it is there [MQTT-3.12.4-1].
 * @throws ProtocolError the packet has a body
 */
export function handlePingreq(connection: ClientConnection, start: number, end: number): void {
  if (end > start) throw malformed(`PINGREQ has a body of ${end - start} bytes`);
  connection.output.pingresp();
}
