import assert from 'node:assert/strict';
import { BrokerInProcess } from '../broker-in-process';

describe('a client that says it is a bridge', () => {
  for (const version of [3, 4] as const) {
    it(`gets nothing of its own, and RETAIN as it was published (MQTT 3.1${version === 4 ? '.1' : ''})`, async () => {
      const broker = new BrokerInProcess();
      const bridge = await broker.client(version, { bridge: true, clientId: 'bridge' });
      const other = await broker.client(5);
      await bridge.subscribe('#');
      bridge.publish('a', 'own');
      await bridge.expectNothing();
      other.publish('a', 'kept', { retain: true });
      const { payload, retain } = await bridge.expect('publish');
      assert.deepEqual([payload.toString(), retain], ['kept', true]);
      other.publish('a', 'not kept');
      assert.equal((await bridge.expect('publish')).retain, false);
    });
  }

  it('is refused over MQTT 5, which has options for it, as one of an unknown protocol level', async () => {
    // The answer has the form of MQTT 3.1.1.
    const peer = new BrokerInProcess().open(4);
    assert.equal((await peer.connect({ protocolVersion: 5, bridge: true })).reasonCode, 1);
  });
});
