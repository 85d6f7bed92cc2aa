import assert from 'node:assert/strict';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import { lasting, type MqttPeer } from './mqtt-peer';

describe('wills', () => {
  const will = {
    topic: 'gone',
    payload: Buffer.from('bye'),
    qos: 1 as const,
    retain: true,
    properties: { contentType: 'text/plain', userProperties: [['a', 'b']] as Array<[string, string]> },
  };

  async function watched(broker: BrokerInProcess): Promise<MqttPeer> {
    const watcher = await broker.client(5);
    await watcher.subscribe('gone', { qos: 2 });
    return watcher;
  }

  it('are published, with their properties, when a connection is lost [MQTT-3.1.2-7] [MQTT-3.1.2-9] [MQTT-3.1.2-15] [MQTT-3.1.3-10]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    await (await broker.client(5, { will })).vanish();
    const message = await watcher.expect('publish');
    assert.deepEqual(
      [message.payload.toString(), message.qos, message.properties],
      ['bye', 1, will.properties],
    );
    assert.equal(broker.statistics.retained, 1);
  });

  it('are published when the client breaks the protocol, stays silent, is taken over or asks for it [MQTT-3.1.2-8]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const endings: Array<(client: MqttPeer) => unknown> = [
      (client) => client.stream.write(Buffer.from([0xff, 0])),
      () => broker.pass(16),
      () => broker.client(5, { clientId: 'c' }),
      (client) =>
        client.send({ type: 'disconnect', reasonCode: ReasonCode.disconnectWithWill, properties: {} }),
    ];
    for (const ending of endings) {
      await ending(await broker.client(5, { clientId: 'c', will, keepAlive: 10 }));
      const { packetId } = await watcher.expect('publish');
      watcher.acknowledge('puback', packetId);
      // The watcher is not silent itself.
      await watcher.expectNothing();
    }
  });

  it('are dropped by DISCONNECT [MQTT-3.14.4-3 of 3.1.1] [MQTT-3.14.4-3]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const client = await broker.client(4, { will });
    client.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    assert.equal(await client.next(), undefined);
    await watcher.expectNothing();
  });

  it('wait for their delay, but not longer than the session lasts [MQTT-3.1.2-10]', async () => {
    const delayed = { ...will, properties: { willDelayInterval: 10 } };
    for (const [sessionExpiryInterval, delay] of [
      [100, 10],
      [4, 4],
      [0, 0],
    ] as const) {
      const broker = new BrokerInProcess();
      const watcher = await watched(broker);
      const client = await broker.client(5, {
        clientId: 'c',
        will: delayed,
        properties: { sessionExpiryInterval },
      });
      await client.vanish();
      if (delay > 0) {
        broker.pass(delay - 1);
        await watcher.expectNothing();
        broker.pass(1);
      }
      assert.deepEqual((await watcher.expect('publish')).properties, {});
      broker.pass(200);
      await watcher.expectNothing();
    }
  });

  it('that wait are dropped when the client comes back, and published when it starts clean [MQTT-3.1.3-9]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await watched(broker);
    const delayed = { ...will, properties: { willDelayInterval: 10 } };
    const options = { ...lasting, will: delayed };
    await (await broker.client(5, options)).vanish();
    const back = await broker.client(5, lasting);
    broker.pass(20);
    await watcher.expectNothing();
    await back.vanish();
    await (await broker.client(5, options)).vanish();
    await broker.client(5, { ...lasting, cleanStart: true });
    await watcher.expect('publish');
  });
});
