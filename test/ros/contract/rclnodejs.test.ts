import { findRclnodejs, isRosSourced } from '../../../src/rclnodejs/environment';
import { RclnodejsBackend } from '../../../src/ros/rclnodejs-backend';
import { describeContract } from './contract';
import { ros2Peers } from './peers';

// The one exception to the rule that a missing counterpart fails in CI: no ROS 2 can be installed there. What runs this
// with one is "npm run test:ros2", which asks that nothing is skipped, in the workflow ros2.yml among others.
const wanted = process.env.ROS2_TESTS === 'required';
const rmw = process.env.RMW_IMPLEMENTATION ?? 'its default RMW';

if (wanted || (isRosSourced() && findRclnodejs() !== undefined)) {
  describeContract({
    name: `rclnodejs on ROS 2 ${process.env.ROS_DISTRO}, ${rmw}`,
    backend: () => new RclnodejsBackend(),
    interfaces: [],
    peers: [ros2Peers],
  });
} else {
  describe('the contract of a ROS backend: rclnodejs', () => {
    it('no ROS 2 with rclnodejs is sourced here ("npm run test:ros2" where one is)');
  });
}
