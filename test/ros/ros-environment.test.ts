import assert from 'node:assert/strict';
import { rosEnvironment } from '../../src/ros/ros-environment';

describe('the environment of ROS 2', () => {
  it('reaches the subnet where it says nothing', () => {
    for (const variables of [{}, { ROS_AUTOMATIC_DISCOVERY_RANGE: '', ROS_STATIC_PEERS: '' }])
      assert.deepEqual(rosEnvironment(variables), { range: 'subnet', peers: [] });
  });

  for (const [named, range] of [
    ['SUBNET', 'subnet'],
    ['LOCALHOST', 'localhost'],
    ['OFF', 'off'],
    ['SYSTEM_DEFAULT', 'subnet'],
  ] as const)
    it(`has the range ${named}`, () => {
      assert.equal(rosEnvironment({ ROS_AUTOMATIC_DISCOVERY_RANGE: named }).range, range);
    });

  it('has the older variable for one machine first, as ROS 2 has', () => {
    const variables = { ROS_LOCALHOST_ONLY: '1', ROS_AUTOMATIC_DISCOVERY_RANGE: 'SUBNET' };
    assert.equal(rosEnvironment(variables).range, 'localhost');
    assert.equal(rosEnvironment({ ...variables, ROS_LOCALHOST_ONLY: '0' }).range, 'subnet');
  });

  it('has peers', () => {
    const { peers } = rosEnvironment({ ROS_STATIC_PEERS: '192.168.0.1; 10.0.0.2;;' });
    assert.deepEqual(peers, ['192.168.0.1', '10.0.0.2']);
  });

  it('is refused with a range that ROS 2 has not', () => {
    assert.throws(() => rosEnvironment({ ROS_AUTOMATIC_DISCOVERY_RANGE: 'subnet' }), {
      name: 'RosEnvironmentError',
      message:
        'ROS_AUTOMATIC_DISCOVERY_RANGE: expected one of SUBNET, LOCALHOST, OFF, SYSTEM_DEFAULT, got "subnet"',
    });
  });
});
