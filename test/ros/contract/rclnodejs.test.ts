import { findRclnodejs, isRosSourced } from '../../../src/rclnodejs/environment';
import type { BridgeSettings } from '../../../src/ros/bridge-settings';
import { RclnodejsBackend } from '../../../src/ros/rclnodejs-backend';
import { describeChangeovers } from '../changeovers';
import { describeBridgesBeside } from './bridges-beside';
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
  const kinds: Record<'rclnodejs' | 'RTPS', Partial<BridgeSettings>> = {
    rclnodejs: { backend: 'rclnodejs', interfaces: [] },
    RTPS: { backend: 'rtps' },
  };
  for (const [lower, higher] of [
    ['rclnodejs', 'rclnodejs'],
    ['rclnodejs', 'RTPS'],
    ['RTPS', 'rclnodejs'],
  ] as const) {
    const bridges = {
      name: `the lower over ${lower}, the higher over ${higher}`,
      lower: kinds[lower],
      higher: kinds[higher],
    };
    describeChangeovers(bridges);
    describeBridgesBeside(bridges);
  }
} else {
  describe('the contract of a ROS backend: rclnodejs', () => {
    it('no ROS 2 with rclnodejs is sourced here ("npm run test:ros2" where one is)');
  });
}
