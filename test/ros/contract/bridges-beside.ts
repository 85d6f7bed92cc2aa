import assert from 'node:assert/strict';
import type { BridgeSettings } from '../../../src/ros/bridge-settings';
import { Inbox } from '../../client/observed';
import { freshDomain } from '../../rtps/test-domain';
import { BridgeProcess } from '../bridge-process';
import { carries, Stage, standsBy, startEmbeddedBroker } from '../several-bridges';

/** Messages each way. */
const COUNT = 20;

export interface BridgesBeside {
  name: string;
  lower: Partial<BridgeSettings>;
  higher: Partial<BridgeSettings>;
}

/** Declares the suite for two bridges with the same route at one broker. */
export function describeBridgesBeside({ name, lower, higher }: BridgesBeside): void {
  describe(`two bridges beside each other: ${name}`, function () {
    this.timeout(60_000);
    const stage = new Stage();

    before(async () => {
      stage.brokers.push(await startEmbeddedBroker());
      stage.domain = freshDomain();
    });
    after(() => stage.end());

    it('carry each message once, both ways, also when one has died', async () => {
      const topic = `ros/${stage.domain}/chatter`;
      const a = await stage.bridge('a_1', 'process', lower);
      const b = await stage.bridge('b-2', 'process', higher);
      assert.ok(a instanceof BridgeProcess);
      await a.until(() => carries(a));
      await b.until(() => standsBy(b, 'a_1'));
      const client = await stage.client();
      const inbox = await Inbox.on(client, topic);
      const peer = await stage.peer();
      await peer.listen('/chatter', undefined, undefined, 2);
      const { publish } = await peer.publisher('/chatter', undefined, undefined, 2);
      const onMqtt = () => inbox.messages.map(({ payload }) => String(payload));
      const said: string[] = [];
      const ofMqtt: string[] = [];
      const exchange = async () => {
        for (let index = 0; index < COUNT; index++) {
          const [ros, mqtt] = [`ROS ${said.length}`, `MQTT ${said.length}`].map((data) => ({ data }));
          publish(ros);
          await client.publish(topic, JSON.stringify(mqtt), { qos: 1, retain: false });
          said.push(JSON.stringify(ros), JSON.stringify(mqtt));
          ofMqtt.push(JSON.stringify(mqtt));
          await inbox.until(() => onMqtt().includes(JSON.stringify(ros)));
          await peer.until(() => peer.heard.includes(JSON.stringify(mqtt)));
        }
      };
      await exchange();
      await a.end('SIGKILL');
      await b.until(() => carries(b));
      await exchange();
      assert.deepEqual([onMqtt().sort(), [...peer.heard].sort()], [[...said].sort(), [...ofMqtt].sort()]);
    });
  });
}
