import assert from 'node:assert/strict';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { EventGroups } from '../../src/broker/event-groups';
import { BrokerInProcess } from './broker-in-process';

describe('the events of a broker', () => {
  const request = (filter: string) =>
    ({ filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }) as const;

  for (const version of [4, 5] as const) {
    it(`tell what a client subscribes to and what it ends, MQTT level ${version}`, async () => {
      const broker = new BrokerInProcess();
      const client = await broker.client(version, { clientId: 'c' });
      const subscriptions = [request('a'), request('a/#/b'), request('b')];
      client.send({ type: 'subscribe', packetId: 1, properties: {}, subscriptions });
      await client.expect('suback');
      for (const filters of [['a', 'c'], ['c']]) {
        client.send({ type: 'unsubscribe', packetId: 2, properties: {}, filters });
        await client.expect('unsuback');
      }
      assert.deepEqual(broker.events.slice(1), [
        {
          type: 'subscribed',
          clientId: 'c',
          subscriptions: [
            { filter: 'a', qos: 1 },
            { filter: 'a/#/b', reasonCode: ReasonCode.topicFilterInvalid },
            { filter: 'b', qos: 1 },
          ],
        },
        { type: 'unsubscribed', clientId: 'c', filters: ['a'] },
      ]);
    });
  }

  it('tell of a packet with many filters only the first', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    const filters = Array.from({ length: 300 }, (_, index) => `f/${index}`);
    client.send({ type: 'subscribe', packetId: 1, properties: {}, subscriptions: filters.map(request) });
    await client.expect('suback');
    client.send({ type: 'unsubscribe', packetId: 2, properties: {}, filters });
    await client.expect('unsuback');
    const [, subscribed, unsubscribed] = broker.events;
    assert.ok(subscribed?.type === 'subscribed' && unsubscribed?.type === 'unsubscribed');
    assert.equal(subscribed.subscriptions.length, 100);
    assert.deepEqual(unsubscribed.filters, filters.slice(0, 100));
  });

  describe('in a flood', () => {
    const event = (reason: string): BrokerEvent => ({ type: 'storage', state: 'failed', reason });

    it('are told in groups of 500, each with how many were left out', () => {
      const groups: BrokerEvent[][] = [];
      const events = new EventGroups((group) => groups.push(group));
      for (let index = 0; index < 1200; index++) events.add(event(String(index)));
      events.flush();
      events.add(event('last'));
      events.flush();
      events.flush();
      assert.deepEqual(groups[0]?.slice(-2), [event('499'), { type: 'omitted', count: 700 }]);
      assert.deepEqual([groups[0]?.length, ...groups.slice(1)], [501, [event('last')]]);
    });

    it('are told as long as what they say takes no megabyte', () => {
      const groups: BrokerEvent[][] = [];
      const events = new EventGroups((group) => groups.push(group));
      const long = event('x'.repeat(300_000));
      for (let index = 0; index < 10; index++) events.add(long);
      events.flush();
      assert.deepEqual(groups, [[long, long, long, long, { type: 'omitted', count: 6 }]]);
    });
  });
});
