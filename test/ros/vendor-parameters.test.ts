import assert from 'node:assert/strict';
import type { BridgeMessage } from '../../src/ros/bridge-message';
import { Inbox } from '../client/observed';
import { counterpart } from '../counterparts';
import { DdsPeer } from '../peers/dds/dds-peer';
import { MqttBridges } from './mqtt-bridges';

const VENDORS = [
  ['Cyclone DDS', 'cyclone', 'dds-parameters'],
  ['Fast DDS', 'fast', 'fast-dds-parameters'],
] as const;

describe('parameters of a node', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();

  for (const [name, vendor, counterpartName] of VENDORS) {
    it(`on ${name} are listed, got, set and mirrored, also when another sets them`, async function () {
      const { domain } = bridges;
      const program = counterpart(this, counterpartName);
      const peer = bridges.keep(
        new DdsPeer(program, 'serve', { vendor, args: { domain, node: '/robot1/camera' } }),
      );
      const topic = (rest: string) => `ros/${domain}/robot1/camera/@param/${rest}`;
      const inbox = await Inbox.on(bridges.client, topic('value/+'), 1);
      const route = { kind: 'parameters', domain, rosName: '/robot1/camera', type: '' } as const;
      const bridge = await bridges.open({
        routes: [{ ...route, direction: 'both', timeout: 20_000 }],
        mqtt: bridges.mqtt(),
      });
      const ask = (operation: string, request?: unknown) => bridge.handle.publish(topic(operation), request);
      const values = { depth: 4, rate: 30, frame_id: 'camera', enabled: true };
      assert.deepEqual(await ask('list'), { names: Object.keys(values), prefixes: [] });
      assert.deepEqual(await ask('get'), values);
      assert.deepEqual(await ask('get', ['rate', 'nothing']), { rate: 30, nothing: null });
      const wrong = { type: 'integer', value: 7 };
      assert.deepEqual(await ask('set', { rate: 15, frame_id: wrong, nothing: 1 }), {
        rate: { successful: true, reason: '' },
        frame_id: { successful: false, reason: 'wrong parameter type' },
        nothing: { successful: false, reason: 'it has not been declared' },
      });
      await peer.until(({ messages }) => messages.length > 0);
      const mirrored = Object.entries({ ...values, rate: 15 });
      await inbox.until(() =>
        mirrored.every(([parameter, value]) =>
          inbox.texts.includes(`${topic(`value/${parameter}`)}=${JSON.stringify(value)}`),
        ),
      );

      const told = ({ topic: from, payload }: BridgeMessage) =>
        from === topic('value/depth') && payload === 6;
      const other = bridges.keep(
        new DdsPeer(program, 'call', { vendor, args: { domain, name: 'depth', value: 6 } }),
      );
      await other.until(({ messages }) => messages.length > 0);
      assert.deepEqual(other.messages, [{ successful: true, reason: '' }]);
      await inbox.until(() => inbox.texts.includes(`${topic('value/depth')}=6`));
      await bridge.until(() => bridge.messages.some(told));
      assert.deepEqual(bridge.problems, []);

      await peer.stop();
      await bridge.until(() => bridge.messages.at(-1)?.payload === null && bridge.route()?.servers === 0);
    });
  }
});
