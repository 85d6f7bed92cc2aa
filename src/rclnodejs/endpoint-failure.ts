import { findPackage } from './environment';
import type { EndpointOptions } from './process-messages';

/** Why an endpoint could not be made; the message says what to do where that is known. */
export class EndpointFailure extends Error {
  override readonly name = 'EndpointFailure';

  constructor({ type, action = type }: EndpointOptions, cause: unknown) {
    super(reason(action, cause), { cause });
  }
}

function reason(type: string, cause: unknown): string {
  const [packageName = ''] = type.split('/');
  const { code, message } = cause as Error & { code?: string };
  if (code !== 'MESSAGE_NOT_FOUND') return message;
  if (findPackage(packageName) === undefined) {
    const distribution = process.env.ROS_DISTRO;
    const debian = `ros-${distribution}-${packageName.replaceAll('_', '-')}`;
    return `the package ${packageName} of its type ${type} is not in the sourced ROS 2: install it (${debian}) or source the workspace that has it`;
  }
  return `rclnodejs has no class of ${type}: run npx generate-ros-messages where it is installed, with ROS 2 sourced`;
}
