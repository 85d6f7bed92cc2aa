import assert from 'node:assert/strict';
import { parseRosTopic } from '../../src/topic/parse-ros-topic';

describe('the parts of a topic of ROS', () => {
  for (const [topic, domain, node, messageType] of [
    ['ros/0/chatter', '0', '', 'chatter'],
    ['ros/0/turtle1/cmd_vel', '0', 'turtle1', 'cmd_vel'],
    ['ros/7/robot1/camera/image_raw', '7', 'robot1/camera', 'image_raw'],
    [
      'ros/autonomous_vehicle/sensor_fusion/sensor_data',
      'autonomous_vehicle',
      'sensor_fusion',
      'sensor_data',
    ],
  ] as const) {
    it(`are found in ${topic}`, () => {
      assert.deepEqual(parseRosTopic(topic), {
        ...{ domain, node, messageType },
        rosName: node === '' ? `/${messageType}` : `/${node}/${messageType}`,
      });
    });
  }

  it('have the kind of what belongs to a name or a domain', () => {
    const meta = { domain: '0', node: 'a', messageType: 'b', rosName: '/a/b', kind: 'meta' };
    assert.deepEqual(parseRosTopic('ros/0/a/b/@meta'), meta);
    const bridge = { domain: 'x', node: '', messageType: '', rosName: '', kind: 'bridge' };
    assert.deepEqual(parseRosTopic('ros/x/@bridge/b1'), bridge);
  });

  it('stand behind a prefix of one or more levels', () => {
    assert.equal(parseRosTopic('fleet/ros/3/a/b', 'fleet/ros')?.node, 'a');
    assert.equal(parseRosTopic('ros/3/a/b', 'fleet/ros'), undefined);
    assert.throws(() => parseRosTopic('ros/3/a/b', 'ros/+'), /topic prefix "ros\/\+" is not valid/);
  });

  for (const topic of [
    '',
    'ros',
    'ros/',
    'ros/0',
    'ros/0/',
    'ros/00/a',
    'ros/233/a',
    'ros/@graph/a',
    'ros/0/a//b',
    'ros/0/1a',
    'rosbag/0/a',
    'home/0/a',
    'ros/0/a/@what',
    'ros/__proto__',
  ]) {
    it(`are not in "${topic}"`, () => assert.equal(parseRosTopic(topic), undefined));
  }
});
