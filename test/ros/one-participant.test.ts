import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosQos } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, STRING, Watch } from './bridge-fixture';

const codec = MessageCodec.for(InterfaceLibrary.bundled(), STRING);
const LATCHED: RosQos = { ...RELIABLE, durability: 'transient-local', depth: 2 };

describe('users of one participant', () => {
  it('hear what a transient-local publisher of another one keeps, once and in order, and no other', async () => {
    const backend = new RtpsBackend();
    const place = {
      domain: freshDomain(),
      range: 'localhost',
      interfaces: ['127.0.0.1'],
      peers: [],
    } as const;
    const [one, other] = [
      await backend.openDomain({ ...place, nodeName: 'one', bridgeId: 'one' }),
      await backend.openDomain({ ...place, nodeName: 'other', bridgeId: 'other' }),
    ];
    const endpoint = (rosName: string, qos: RosQos) => ({
      rosName,
      type: STRING,
      typeHash: codec.typeHash,
      qos,
      onIncompatible: () => {},
    });
    const watch = new Watch();
    const listen = (user: typeof one, qos: RosQos, rosName = '/map') => {
      const heard: string[] = [];
      const subscription = user.createSubscription(endpoint(rosName, qos), ({ payload, via }) => {
        heard.push(`${JSON.parse(codec.decodeToJson(payload)).data} ${via}`);
        watch.changed();
      });
      return { heard, subscription };
    };
    try {
      const publisher = one.createPublisher(endpoint('/map', LATCHED));
      const say = (data: string) => publisher.publish(codec.encode({ data }), ['one']);
      for (const text of ['first', 'second', 'third']) say(text);
      const late = listen(other, LATCHED);
      const volatile = listen(other, RELIABLE);
      const own = listen(one, LATCHED);
      const elsewhere = listen(other, LATCHED, '/other');
      say('fourth');
      await watch.until(() => late.heard.length >= 3 && volatile.heard.length >= 1);
      assert.deepEqual(late.heard, ['second one', 'third one', 'fourth one']);
      assert.deepEqual([volatile.heard, own.heard, elsewhere.heard], [['fourth one'], [], []]);
      publisher.forget?.();
      const after = listen(other, LATCHED);
      say('fifth');
      await watch.until(() => after.heard.length > 0);
      assert.deepEqual(after.heard, ['fifth one']);
    } finally {
      await one.close();
      await other.close();
    }
  });
});
