import assert from 'node:assert/strict';
import { Inbox } from '../client/observed';
import { route, STRING } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';

describe('the prefix of a bridge', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();

  it('is before all topics that it takes and says', async () => {
    const { domain } = bridges;
    const prefix = 'plant 1/ros2';
    const all = await Inbox.on(bridges.client, '#');
    const bridge = await bridges.open({
      id: 'b1',
      prefix,
      mqtt: bridges.mqtt(),
      routes: [
        route(domain, { direction: 'ros-to-mqtt' }),
        { kind: 'service', domain, rosName: '/add', type: ADD, direction: 'mqtt-to-ros', timeout: 50 },
        { kind: 'action', domain, rosName: '/count', type: FIBONACCI, direction: 'mqtt-to-ros', timeout: 50 },
        { kind: 'parameters', domain, rosName: '/camera', type: '', direction: 'both', timeout: 50 },
      ],
      patterns: [{ action: 'allow', pattern: '/by_pattern', direction: 'mqtt-to-ros' }],
    });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1 });
    publish({ data: 'from ROS' });
    const place = `${prefix}/${domain}`;
    const requests = ['add/@req/1', 'count/@action/goal', 'camera/@param/get/@req/1'];
    for (const request of requests) await bridges.say(`${place}/${request}`, '{}');
    await bridges.say(`${place}/by_pattern`, '{"data":"to ROS"}', { 'ros-type': STRING });
    await peer.listen('/by_pattern');
    const said = () => new Set(all.messages.map(({ topic }) => topic));
    const expected = [
      ...['chatter', 'chatter/@meta', '@graph', '@bridge/b1', 'by_pattern', 'add/@rep/1'],
      ...['count/@action/result', 'camera/@param/get/@rep/1'],
      ...requests,
    ].map((rest) => `${place}/${rest}`);
    await all.until(() => expected.every((topic) => said().has(topic)));
    assert.deepEqual(
      [...said()].filter((topic) => !topic.startsWith(`${place}/`)),
      [],
    );
  });
});
