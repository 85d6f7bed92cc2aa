import assert from 'node:assert/strict';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { HeldMemory } from '../../src/broker/held-memory';
import { limitsOf } from '../../src/broker/limits';
import { RetainedReplay } from '../../src/broker/retained-replay';
import { Session } from '../../src/broker/session/session';
import { newStatistics } from '../../src/broker/statistics';
import { MemoryStore } from '../../src/broker/store/memory-store';
import type { Subscription } from '../../src/broker/subscription';
import { BrokerInProcess } from './broker-in-process';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('what is retained for new subscriptions', () => {
  const session = new Session('s', limitsOf({}), newStatistics(), new MemoryStore(), new HeldMemory(1e9));
  const subscriptionTo = (filter: string): Subscription => ({
    session,
    filter,
    qos: 0,
    noLocal: false,
    retainAsPublished: false,
    identifier: 0,
  });

  it('is sent at once, and in later turns when that is much work', async () => {
    const replayed: string[] = [];
    const replay = new RetainedReplay(({ filter }) => {
      replayed.push(filter);
      return 30_000;
    });
    const subscriptions = ['a', 'b', 'c', 'd', 'e'].map(subscriptionTo);
    for (const subscription of subscriptions) replay.add(subscription);
    replay.run();
    assert.deepEqual(replayed, ['a', 'b']);
    assert.equal(replay.remove(subscriptions[2] as Subscription), true);
    assert.equal(replay.remove(subscriptions[0] as Subscription), false);
    await turn();
    assert.deepEqual(replayed, ['a', 'b', 'd', 'e']);
  });

  /** A broker with as many retained messages as are looked at in one turn. */
  async function filled(): Promise<BrokerInProcess> {
    const broker = new BrokerInProcess();
    const publisher = await broker.client(5);
    for (let number = 0; number < 50_000; number++) publisher.publish(`${number}/x`, 'x', { retain: true });
    await publisher.expectNothing();
    return broker;
  }

  it('keeps nobody waiting, and is not sent for what is no longer subscribed to', async function () {
    this.timeout(60_000);
    const broker = await filled();
    const greedy = await broker.client(5);
    const options = { qos: 0, noLocal: false, retainAsPublished: false } as const;
    const subscribe = (filters: string[], retainHandling: 0 | 1 = 0) =>
      ({
        type: 'subscribe',
        packetId: 1,
        subscriptions: filters.map((filter) => ({ ...options, filter, retainHandling })),
        properties: {},
      }) as const;
    // The first looks at all of them, the last is asked for again in a way that alone would bring nothing.
    greedy.send(
      subscribe(['+/none', ...Array.from({ length: 50 }, () => '1/+'), '2/+', '3/+']),
      { type: 'unsubscribe', packetId: 2, filters: ['2/+'], properties: {} },
      subscribe(['3/+'], 1),
    );
    await greedy.expect('suback');
    await greedy.expect('unsuback');
    await greedy.expect('suback');
    assert.equal((await greedy.expect('publish')).topic, '1/x');
    assert.equal((await greedy.expect('publish')).topic, '3/x');
    await greedy.expectNothing();
  });

  it('takes no more topic filters in a packet than anybody needs', async () => {
    const filters = Array.from({ length: 20_001 }, () => 'x');
    const options = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = filters.map((filter) => ({ filter, ...options }));
    const broker = new BrokerInProcess();
    for (const packet of [
      { type: 'subscribe', packetId: 1, subscriptions, properties: {} },
      { type: 'unsubscribe', packetId: 1, filters, properties: {} },
    ] as const) {
      const client = await broker.client(5);
      client.send(packet);
      const { reasonCode, properties } = await client.expect('disconnect');
      assert.equal(reasonCode, ReasonCode.quotaExceeded);
      assert.match(properties.reasonString ?? '', /has more than 20000 topic filters/);
    }
  });
});
