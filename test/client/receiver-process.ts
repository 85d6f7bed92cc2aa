/*
 * A receiver of QoS 2 with its packet identifiers on disk, for a test that kills it: `receiver-process.js <url> <directory>
 * <log> <how> [<where> <payload>]`. What its flow gets it writes to the log, because what is said to a pipe may die with
 * the process. `how` is `arrival`, or `acknowledged` by the flow. It kills itself over a payload: when the payload is
 * handed over (`handed`), in the flow (`flow`), or when the flow has acknowledged it (`acknowledged`).
 */
import { openSync, writeSync } from 'node:fs';
import { Connection, type ReceivedMessage } from '../../src/client/connection';
import { lasting } from './account';

const [url = '', directory = '', path = '', how, where, last] = process.argv.slice(2);
const log = openSync(path, 'a');
const connection = new Connection(lasting(url, 'receiver', { queue: { directory } }));
connection.onProblem((error) => process.stdout.write(`problem ${error.message}\n`));

function dieAt(place: string, payload: string): void {
  if (place === where && payload === last) process.kill(process.pid, 'SIGKILL');
}

function flow({ payload, acknowledge }: ReceivedMessage): void {
  writeSync(log, `${payload}\n`);
  dieAt('flow', String(payload));
  acknowledge?.();
  dieAt('acknowledged', String(payload));
}

connection.subscribe(
  'account/+',
  { qos: 2, ...(how === 'acknowledged' && { acknowledgement: {} }) },
  {
    message: (message) => {
      dieAt('handed', String(message.payload));
      // As in Node-RED, where what a node sends comes to the next one in a later turn of the loop.
      setImmediate(() => flow(message));
    },
    result: () => process.stdout.write('subscribed\n'),
  },
);
connection.open();
