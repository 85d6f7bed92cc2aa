/*
 * A publisher with its queue on disk, for a test that kills it: `publisher-process.js <url> <directory> <messages>
 * <first QoS 1> <first QoS 2> <log>`. Publishes numbers from the first on; writes `try <qos> <number>` to the log before
 * and `safe <qos> <number>` when it is told so, because what is said to a pipe may die with the process; and says `safe`.
 */
import { openSync, writeSync } from 'node:fs';
import { Connection } from '../../src/client/connection';
import { lasting } from './account';

const [url = '', directory = '', messages, first1, first2, path = ''] = process.argv.slice(2);
const log = openSync(path, 'a');
const connection = new Connection(lasting(url, 'publisher', { queue: { directory } }));
connection.onProblem((error) => process.stdout.write(`problem ${error.message}\n`));
connection.open();

async function publish(qos: 1 | 2, from: number): Promise<void> {
  for (let n = from; n < Number(messages); n++) {
    writeSync(log, `try ${qos} ${n}\n`);
    const stored = connection.publish(`account/${qos}`, String(n), { qos, retain: false });
    void stored.then(() => {
      writeSync(log, `safe ${qos} ${n}\n`);
      process.stdout.write('safe\n');
    });
    if (n % 20 === 0) await stored;
  }
}

void Promise.all([publish(1, Number(first1)), publish(2, Number(first2))]).then(() => {
  const idle = setInterval(() => {
    const { waiting, inFlight } = connection.statistics;
    if (waiting > 0 || inFlight > 0) return;
    clearInterval(idle);
    void connection.close();
  }, 20);
});
