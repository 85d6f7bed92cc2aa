import assert from 'node:assert/strict';
import { once } from 'node:events';
import { BrokerInProcess } from './broker-in-process';

const KIB = 1024;

/** Waits until what was written has gone round the event loop and through the broker. */
async function settled(broker: BrokerInProcess): Promise<void> {
  const probe = await broker.client(4);
  await probe.expectNothing();
  await probe.vanish();
}

describe('a reader that has stopped reading', function () {
  this.timeout(60_000);

  it('takes nothing from a healthy one beside it, and what waits for it is bounded and counted', async () => {
    const broker = new BrokerInProcess({ outputBytes: 64 * KIB });
    const stalled = await broker.client(4);
    await stalled.subscribe('t');
    stalled.stream.pause();
    const healthy = await broker.client(4);
    await healthy.subscribe('t');
    const publisher = await broker.client(4);
    const payload = 'x'.repeat(KIB);
    for (let count = 0; count < 1000; count++) {
      publisher.publish('t', payload);
      assert.equal((await healthy.expect('publish')).payload.length, KIB);
    }
    const { dropped } = broker.statistics;
    assert.ok(dropped > 900 && dropped < 1000, `${dropped} dropped`);
    stalled.stream.resume();
    // Once it has caught up it gets messages again.
    for (let count = dropped; count < 1000; count++) await stalled.expect('publish');
    await settled(broker);
    publisher.publish('t', 'again');
    assert.equal((await stalled.expect('publish')).payload.toString(), 'again');
  });

  it('has less waiting where it asked for that, and others beside it have not', async () => {
    const broker = new BrokerInProcess();
    const [modest, stalled] = [
      broker.open(4, { address: 'in-process', outputBytes: 64 * KIB }),
      await broker.client(4),
    ];
    await modest.connect({ clientId: 'modest' });
    for (const each of [modest, stalled]) {
      await each.subscribe('t');
      each.stream.pause();
    }
    const publisher = await broker.client(4);
    for (let count = 0; count < 1000; count++) publisher.publish('t', 'x'.repeat(KIB));
    await publisher.expectNothing();
    const { dropped } = broker.statistics;
    assert.ok(dropped > 900 && dropped < 1000, `${dropped} dropped`);
    modest.stream.resume();
    for (let count = dropped; count < 1000; count++) await modest.expect('publish');
    await modest.expectNothing();
  });

  it('gets its QoS 1 messages when it reads again, as many as the queue holds', async () => {
    const broker = new BrokerInProcess({ outputBytes: 4 * KIB, inFlight: 50, queuedMessages: 100 });
    const stalled = await broker.client(4);
    await stalled.subscribe('t', { qos: 1 });
    stalled.stream.pause();
    const publisher = await broker.client(4);
    for (let count = 1; count <= 300; count++) {
      publisher.publish('t', 'x'.repeat(KIB), { qos: 1, packetId: count });
      await publisher.expect('puback');
    }
    const { dropped } = broker.statistics;
    assert.ok(dropped >= 150, `${dropped} dropped`);
    stalled.stream.resume();
    for (let count = dropped; count < 300; count++) {
      const { packetId } = await stalled.expect('publish');
      stalled.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    }
    await stalled.expectNothing();
  });

  it('gets all retained messages of a new subscription at its own pace, and live ones after them', async () => {
    const broker = new BrokerInProcess({ outputBytes: 4 * KIB, queuedMessages: 10 });
    const publisher = await broker.client(4);
    for (let count = 0; count < 200; count++) {
      publisher.publish(`t/${count}`, 'x'.repeat(KIB), { retain: true });
    }
    await publisher.expectNothing();
    const slow = await broker.client(4);
    await slow.subscribe('t/#');
    slow.stream.pause();
    publisher.publish('t/199', 'live');
    await publisher.expectNothing();
    slow.stream.resume();
    const topics = new Set<string>();
    for (let count = 0; count < 200; count++) {
      const { topic, retain } = await slow.expect('publish');
      assert.equal(retain, true);
      topics.add(topic);
    }
    assert.equal(topics.size, 200);
    assert.equal((await slow.expect('publish')).payload.toString(), 'live');
    assert.equal(broker.statistics.dropped, 0);
  });

  it('and leaves does not get later what was only for a connected client', async () => {
    const broker = new BrokerInProcess({ outputBytes: 4 * KIB });
    const publisher = await broker.client(4);
    for (let count = 0; count < 100; count++) {
      publisher.publish(`t/${count}`, 'x'.repeat(KIB), { retain: true });
    }
    await publisher.expectNothing();
    const options = { clientId: 'slow', cleanStart: false };
    const slow = await broker.client(4, options);
    await slow.subscribe('t/#');
    slow.stream.pause();
    await settled(broker);
    await slow.vanish();
    const back = await broker.client(4, options);
    await back.expectNothing();
  });

  it('and asks on without reading the answers is not read on', async () => {
    const limits = { outputBytes: 4 * KIB, packetSize: 4 * KIB };
    const broker = new BrokerInProcess(limits);
    const client = await broker.client(4);
    const { stream } = client;
    stream.pause();
    const pings = Buffer.alloc(1000, Buffer.from([0xc0, 0]));
    let written = 0;
    while (stream.write(pings) && written < 10_000) {
      written++;
      await settled(broker);
    }
    assert.ok(written < 1000, `${written} kB of pings taken`);
    stream.resume();
    await once(stream, 'drain');
  });

  it('is told to go in spite of that', async () => {
    const broker = new BrokerInProcess({ outputBytes: 4 * KIB });
    const stalled = await broker.client(5, { clientId: 'same' });
    await stalled.subscribe('t');
    stalled.stream.pause();
    const publisher = await broker.client(4);
    for (let count = 0; count < 100; count++) publisher.publish('t', 'x'.repeat(KIB));
    await publisher.expectNothing();
    await broker.client(5, { clientId: 'same' });
    stalled.stream.resume();
    let packet = await stalled.next();
    while (packet?.type === 'publish') packet = await stalled.next();
    assert.equal(packet?.type, 'disconnect');
  });

  it('survives the burst of a crowd, and so does the broker when it leaves', async () => {
    const broker = new BrokerInProcess();
    const stalled = await broker.client(4);
    await stalled.subscribe('burst');
    stalled.stream.pause();
    const healthy = await broker.client(4);
    await healthy.subscribe('burst', { qos: 1 });
    const crowd = await Promise.all(Array.from({ length: 300 }, () => broker.client(4)));
    for (const client of crowd) {
      for (let count = 0; count < 40; count++) client.publish('burst', 'small');
    }
    for (let count = 0; count < 300 * 40; count++) await healthy.expect('publish');
    await stalled.vanish();
    await healthy.expectNothing();
    assert.equal(broker.statistics.messagesReceived, 300 * 40);
  });
});
