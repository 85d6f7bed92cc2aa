/*
 * A broker with a journal that is written anew often, for tests that kill it: `journal-process.js <directory> <port>
 * <durability> [<compaction bytes> [<upstreams as JSON>]]`. Says its port when it listens.
 */
import { type AddressInfo, createServer } from 'node:net';
import { AccessControl } from '../../src/broker/access/access-control';
import { Broker } from '../../src/broker/broker';
import { defaultCapabilities } from '../../src/broker/capabilities';
import { Connections } from '../../src/broker/connections';
import { limitsOf } from '../../src/broker/limits';
import { newStatistics } from '../../src/broker/statistics';
import { JournalStore } from '../../src/broker/store/journal-store';
import type { UpstreamSettings } from '../../src/broker/upstream/upstream-settings';
import { Upstreams } from '../../src/broker/upstream/upstreams';

async function main(): Promise<void> {
  const [directory = '', port = '0', durability, compactionBytes = '65536', upstreams = '[]'] =
    process.argv.slice(2);
  const limits = limitsOf({});
  const store = new JournalStore({
    directory,
    durability: durability === 'strict' ? 'strict' : 'write',
    maximumBytes: limits.storedBytes,
    compactionBytes: Number(compactionBytes),
  });
  const damage = await store.open(() => connections.storeChanged());
  if (damage.length > 0) throw new Error(damage.join('\n'));
  const statistics = newStatistics();
  const access = new AccessControl({}, false, statistics, store.clock, () => {});
  const broker = new Broker(limits, statistics, defaultCapabilities, store);
  broker.restore();
  const connections = new Connections(broker, access, store.clock, () => {});
  connections.start();
  const { schedule } = connections;
  const surroundings = { broker, schedule, clock: store.clock, report: () => {} };
  new Upstreams(JSON.parse(upstreams) as UpstreamSettings[], surroundings).start();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const peer = { address: 'test' };
    if (connections.admit(socket, peer)) connections.serve(socket, peer);
  });
  server.listen(Number(port), '127.0.0.1', () => {
    process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
  });
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
