import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Random } from '../random';
import { ConnectionChurn } from './connection-churn';
import { IdleCrowd } from './idle-crowd';
import { attackBroker, PoliteClient } from './wire-fuzz';

// The short forms; `npm run soak` has the long ones.
describe('a broker among clients of every kind', function () {
  this.timeout(60_000);

  it('serves one that is polite beside many that send what nobody meant', async () => {
    const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.start();
    const { port } = broker.status.listeners[0] as { port: number };
    try {
      const client = await PoliteClient.connect(port);
      const random = new Random(1);
      for (let round = 0; round < 10; round++) {
        await attackBroker(port, random, 50);
        await client.isServed();
      }
      await client.leave();
      assert.equal(broker.status.state, 'running');
    } finally {
      await broker.stop();
    }
  });

  it('forgets those that were killed', async () => {
    const churn = new ConnectionChurn(new Random(2));
    await churn.open();
    await churn.cycle(500);
    const before = churn.measure();
    await churn.cycle(500);
    const after = churn.measure();
    await churn.close();
    assert.deepEqual([before.clients, after.clients], [0, 0]);
    assert.ok(after.sockets <= before.sockets, `${before.sockets} sockets became ${after.sockets}`);
    // Even a connection that does nothing takes several kilobytes.
    assert.ok(after.heap - before.heap < 500 * 1000, `${after.heap - before.heap} bytes more`);
  });

  it('has room for 500 that do nothing', async () => {
    const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.start();
    const crowd = new IdleCrowd();
    try {
      await crowd.grow((broker.status.listeners[0] as { port: number }).port, 500);
      assert.equal(await crowd.ping(), 500);
    } finally {
      await crowd.leave();
      await broker.stop();
    }
  });
});
