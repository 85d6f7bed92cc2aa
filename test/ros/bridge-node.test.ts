import assert from 'node:assert/strict';
import { bridgeIdOfNode, bridgeNodeName, isBridgeNode } from '../../src/ros/bridge-node';

describe("the name of a bridge's node", () => {
  for (const [id, name] of [
    ['a1B2', 'mqtt_ros_bridge_a1B2'],
    ['robot-1', 'mqtt_ros_bridge_robot_2d1'],
    ['a_2d', 'mqtt_ros_bridge_a_5f2d'],
    ['Büro 🤖', 'mqtt_ros_bridge_B_c3_bcro_20_f0_9f_a4_96'],
  ] as const) {
    it(`is valid in ROS 2 and tells the id ${id}`, () => {
      assert.equal(bridgeNodeName(id), name);
      assert.equal(bridgeIdOfNode(`/${name}`), id);
      assert.ok(isBridgeNode(`/${name}`));
    });
  }

  it('is of a length that ROS 2 allows', () => {
    const name = bridgeNodeName('🤖'.repeat(30));
    assert.equal(name.length, 255);
    assert.equal(bridgeIdOfNode(`/${name}`), undefined);
    assert.ok(isBridgeNode(name));
  });

  it('is no name of others', () => {
    for (const name of [
      '/talker',
      'mqtt_ros_bridge_a',
      '/robot1/mqtt_ros_bridge_a',
      '/mqtt_ros_bridge_',
      '/mqtt_ros_bridge_a_',
      '/mqtt_ros_bridge_a_2',
      '/mqtt_ros_bridge_a_zz',
      '/mqtt_ros_bridge_a_41',
      '/mqtt_ros_bridge_a_2D1',
      '/mqtt_ros_bridge_a_2f1',
      '/mqtt_ros_bridge_a_ff',
    ])
      assert.equal(bridgeIdOfNode(name), undefined, name);
  });
});
