import type { ClientConnection } from '../client-connection';
import { expectEmpty } from '../codec/packet';

/** Answers a client that only says it is there [MQTT-3.12.4-1]. */
export function handlePingreq(connection: ClientConnection, start: number, end: number): void {
  expectEmpty('PINGREQ', start, end);
  connection.output.pingresp();
}
