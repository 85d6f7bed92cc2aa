import type { Connection } from '../src/client/connection';
import { NotConnectedError } from '../src/client/errors';

/**
 * Connects now: what waits for its next attempt does not wait any longer.
 * @param addresses how many the connection may try
 * @returns a promise that is kept when it is connected, and broken with the reasons when each address has failed once,
 * or somebody has disconnected it meanwhile; attempts go on after a failure
 */
export async function connectNow(connection: Connection, addresses: number): Promise<void> {
  if (connection.wanted && connection.status.state === 'connected') return;
  await connection.disconnect();
  connection.open();
  const failures: string[] = [];
  let begun = false;
  let remove: (() => void) | undefined;
  await new Promise<void>((resolve, reject) => {
    remove = connection.onStatus(({ state, reason = '', url }) => {
      if (state === 'connecting') begun = true;
      else if (state === 'connected') resolve();
      else if (state === 'disconnected') {
        if (begun) reject(new NotConnectedError(reason));
      } else {
        failures.push(url === undefined ? reason : `${url}: ${reason}`);
        if (!begun || failures.length >= addresses) reject(new NotConnectedError(failures.join('; ')));
      }
    });
  }).finally(() => remove?.());
}
