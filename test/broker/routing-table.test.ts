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

  it('tells names apart that are alike, wherever they stand', () => {
    const limits = limitsOf({});
    const table = new RoutingTable(limits, new HeldMemory(1e9), () => false);
    const chunk = Buffer.from('a/b1a/b2a/b1a/ba/b12');
    const places = [
      [0, 4],
      [4, 8],
      [8, 12],
      [8, 12],
      [12, 15],
      [15, 20],
      [15, 19],
    ] as const;
    const topics = places.map(([start, end]) => table.entryAt(chunk, start, end).topic);
    assert.deepEqual(topics, ['a/b1', 'a/b2', 'a/b1', 'a/b1', 'a/b', 'a/b12', 'a/b1']);
    const other = Buffer.from('a/b2');
    assert.equal(table.entryAt(other, 0, 4).topic, 'a/b2');
  });

  it('stays small when many sessions get what is published to very many topics', function () {
    this.timeout(60_000);
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
