import assert from 'node:assert/strict';
import { HeldMemory } from '../../src/broker/held-memory';
import { limitsOf } from '../../src/broker/limits';
import { RoutingTable } from '../../src/broker/routing-table';
import { Session } from '../../src/broker/session/session';
import { newStatistics } from '../../src/broker/statistics';
import { MemoryStore } from '../../src/broker/store/memory-store';
import { collectedHeap } from '../heap';

describe('the routing table', () => {
  const options = { qos: 0 as const, noLocal: false, retainAsPublished: false, identifier: 0 };

  it('stays small when many sessions get what is published to very many topics', function () {
    this.timeout(20_000);
    const limits = limitsOf({});
    const memory = new HeldMemory(1e9);
    const table = new RoutingTable(limits, memory, () => false);
    for (let number = 0; number < 50; number++) {
      const session = new Session(`${number}`, limits, newStatistics(), new MemoryStore(), memory);
      table.add({ session, filter: '#', ...options });
    }
    const before = collectedHeap();
    for (let number = 0; number < 20_000; number++) {
      const topic = Buffer.from(`t/${number}`);
      assert.equal(table.entryAt(topic, 0, topic.length).recipients.length, 50);
    }
    const grown = collectedHeap() - before;
    assert.equal(table.size, 50);
    assert.ok(grown < 48 * 1024 * 1024, `${grown} bytes`);
  });
});
