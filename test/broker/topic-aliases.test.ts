import assert from 'node:assert/strict';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';

async function subscriber(broker: BrokerInProcess, topicAliasMaximum: number, more = {}): Promise<MqttPeer> {
  const properties = { ...(topicAliasMaximum > 0 && { topicAliasMaximum }), ...more };
  const client = await broker.client(5, { clientId: 'subscriber', properties });
  await client.subscribe('#', { qos: 2 });
  return client;
}

describe('topic aliases towards a client', () => {
  it('replace a topic from its second message on, at every QoS, from clients of every version', async () => {
    for (const version of [4, 5] as const) {
      const broker = new BrokerInProcess();
      const client = await subscriber(broker, 10);
      const publisher = await broker.client(version);
      const seen: Array<[topic: string, alias: number | undefined]> = [];
      for (const qos of [0, 1, 0, 2] as const) {
        for (const topic of ['a', 'b']) {
          publisher.publish(topic, 'x', { qos, packetId: qos + (topic === 'a' ? 10 : 20) });
          const message = await client.expect('publish');
          assert.equal(message.payload.toString(), 'x');
          seen.push([message.topic, message.properties.topicAlias]);
        }
      }
      assert.deepEqual(seen, [
        ['a', 1],
        ['b', 2],
        ...Array.from({ length: 3 }, () => [
          ['', 1],
          ['', 2],
        ]).flat(),
      ]);
    }
  });

  it('are as many as the client accepts at most [MQTT-3.1.2-26] [MQTT-3.3.2-11]', async () => {
    const broker = new BrokerInProcess();
    const client = await subscriber(broker, 2);
    for (const topic of ['a', 'b', 'c', 'c', 'b']) client.publish(topic, 'x');
    const seen = [];
    for (let count = 0; count < 5; count++) {
      const { topic, properties } = await client.expect('publish');
      seen.push(`${topic}:${properties.topicAlias}`);
    }
    assert.deepEqual(seen, ['a:1', 'b:2', 'c:undefined', 'c:undefined', ':2']);
  });

  it('are not used when the client accepts none [MQTT-3.1.2-27]', async () => {
    const client = await subscriber(new BrokerInProcess(), 0);
    for (let count = 0; count < 2; count++) {
      client.publish('a', 'x');
      const { topic, properties } = await client.expect('publish');
      assert.deepEqual([topic, properties], ['a', {}]);
    }
  });

  it('end with the connection [MQTT-3.3.2-7]', async () => {
    const broker = new BrokerInProcess();
    for (let round = 0; round < 2; round++) {
      const client = await subscriber(broker, 10);
      client.publish('a', 'x');
      assert.equal((await client.expect('publish')).topic, 'a');
      await client.vanish();
    }
  });

  it('give way where their bytes would make a message too large for the client', async () => {
    const broker = new BrokerInProcess();
    const topic = 'a'.repeat(20);
    // Header 2, topic 22, properties 1 and the payload.
    const client = await subscriber(broker, 10, { maximumPacketSize: 40 });
    client.publish(topic, 'x'.repeat(15));
    const exact = await client.expect('publish');
    assert.deepEqual([exact.topic, exact.properties], [topic, {}]);
    client.publish(topic, 'x'.repeat(16));
    await client.expectNothing();
    client.publish(topic, 'x');
    assert.equal((await client.expect('publish')).properties.topicAlias, 1);
    client.publish(topic, 'x'.repeat(31));
    const aliased = await client.expect('publish');
    assert.deepEqual([aliased.topic, aliased.payload.length], ['', 31]);
  });
});
