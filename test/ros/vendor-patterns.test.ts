import assert from 'node:assert/strict';
import { Inbox } from '../client/observed';
import { route } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const TWIST = 'geometry_msgs/msg/Twist';

describe('patterns and routes without a type, by what is discovered', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();

  for (const vendor of ['cyclone', 'fast'] as const) {
    it(`carry what programs on ${vendor} say and hear`, async function () {
      const { domain } = bridges;
      const topic = (name: string) => `ros/${domain}/${name}`;
      const inbox = await Inbox.on(bridges.client, topic('#'));
      const bridge = await bridges.open({
        mqtt: bridges.mqtt(),
        meta: false,
        graph: false,
        routes: [route(domain, { rosName: '/chatter', type: '' })],
        patterns: [{ action: 'allow', pattern: '/robot1/*', direction: 'both' }],
      });
      await bridge.until(() => bridge.status?.patterns?.subscribed === true);
      const cast = bridges.vendor(vendor);
      const args = { domain, match: 1, timeout: 20 };
      const talker = (name: string, type: string) =>
        cast.peer(this, 'pub', { args: { ...args, topic: `rt/${name}`, type, count: 2, rate: 0 } });
      const listener = cast.peer(this, 'sub', {
        args: { ...args, topic: 'rt/robot1/drive', type: 'twist', count: 1 },
      });
      talker('chatter', 'string');
      talker('robot1/speed', 'twist');
      // It waits until its type is found.
      await bridges.say(topic('robot1/drive'), '{"linear":{"x":0.5},"angular":{"z":-1}}');
      assert.equal(await listener.exited(), 0);
      assert.equal(listener.messages.length, 1);
      const said = (name: string) => inbox.texts.filter((text) => text.startsWith(`${topic(name)}=`));
      await inbox.until(() => said('chatter').length === 2 && said('robot1/speed').length === 2);
      assert.deepEqual(
        said('chatter'),
        [1, 2].map((n) => `${topic('chatter')}={"data":"message ${n}"}`),
      );
      const { properties } = inbox.messages.find((message) => message.topic === topic('robot1/speed')) ?? {};
      assert.equal(properties?.userProperties?.['ros-type'], TWIST);
      assert.deepEqual(bridge.problems, []);
    });
  }
});
