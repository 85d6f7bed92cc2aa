import type { DiscoveryRange } from './ros-backend';

/** Stands for the domain of ROS 2 programs started in the environment; Node-RED puts the value in its place. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Node-RED's own way to write an environment variable.
export const ENVIRONMENT_DOMAIN = '${ROS_DOMAIN_ID}';

/** How far ROS 2 programs started in an environment look for each other. */
export interface RosEnvironment {
  range: DiscoveryRange;
  /** `address`, as ROS 2 has them; a name is not looked up. */
  peers: string[];
}

/** A variable of ROS 2 with a value that ROS 2 does not know; the message names both. */
export class RosEnvironmentError extends Error {
  override readonly name = 'RosEnvironmentError';
}

const RANGES: Readonly<Record<string, DiscoveryRange>> = {
  SUBNET: 'subnet',
  LOCALHOST: 'localhost',
  OFF: 'off',
  // What the middleware does of itself: multicast on all interfaces.
  SYSTEM_DEFAULT: 'subnet',
};

/**
 * What the variables say: ROS_LOCALHOST_ONLY before ROS_AUTOMATIC_DISCOVERY_RANGE, without both the subnet, and
 * ROS_STATIC_PEERS, separated by semicolons. Source: ROS 2 documentation, "Improved Dynamic Discovery".
 * @throws RosEnvironmentError
 */
export function rosEnvironment(variables: Readonly<Record<string, string | undefined>>): RosEnvironment {
  const { ROS_LOCALHOST_ONLY, ROS_AUTOMATIC_DISCOVERY_RANGE, ROS_STATIC_PEERS = '' } = variables;
  const named = ROS_AUTOMATIC_DISCOVERY_RANGE || 'SUBNET';
  const range = ROS_LOCALHOST_ONLY === '1' ? 'localhost' : RANGES[named];
  if (range === undefined) {
    throw new RosEnvironmentError(
      `ROS_AUTOMATIC_DISCOVERY_RANGE: expected one of ${Object.keys(RANGES).join(', ')}, got "${named}"`,
    );
  }
  const peers = ROS_STATIC_PEERS.split(';').map((peer) => peer.trim());
  return { range, peers: peers.filter((peer) => peer !== '') };
}
