import type { execSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

/** The versions that this package is written for. */
const RCLNODEJS_RANGE = '^2.2.0';

/** What stands in the way of rclnodejs; the message says what to do. */
export class EnvironmentFault extends Error {
  override readonly name = 'EnvironmentFault';
}

/** Where rclnodejs is installed for this package, or `undefined`. */
export function findRclnodejs(): string | undefined {
  try {
    return dirname(require.resolve('rclnodejs/package.json'));
  } catch {
    return undefined;
  }
}

/** The one command that installs rclnodejs beside this package. */
function installCommand(): string {
  // Of /home/robot/.node-red/node_modules/@mqtt-ros/node-red-mqtt-ros/… the first three.
  const [project = ''] = __dirname.split(join('/', 'node_modules', '/'));
  const folder = project === __dirname ? resolve(__dirname, '../../..') : project;
  return `cd ${folder} && npm install rclnodejs@${RCLNODEJS_RANGE}`;
}

/** Whether a ROS 2 is sourced in this process's environment. */
export function isRosSourced(): boolean {
  return (process.env.ROS_DISTRO ?? '') !== '' && (process.env.AMENT_PREFIX_PATH ?? '') !== '';
}

/**
 * Checks everything that rclnodejs needs to load, before it is required: where its addon cannot be loaded it would
 * delete what it was built from and build it again, for minutes. Throws `EnvironmentFault`.
 */
export function checkEnvironment(): void {
  if (!isRosSourced()) {
    throw new EnvironmentFault(
      'no ROS 2 is sourced: give its setup file, such as /opt/ros/jazzy/setup.bash, or start Node-RED in a shell that has sourced it',
    );
  }
  const distribution = process.env.ROS_DISTRO as string;
  const folder = findRclnodejs();
  if (folder === undefined) {
    throw new EnvironmentFault(
      `rclnodejs is not installed; in a shell in which ROS 2 ${distribution} is sourced: ${installCommand()}`,
    );
  }
  const libraries = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter);
  if (!libraries.some((path) => path !== '' && existsSync(join(path, 'librcl.so')))) {
    throw new EnvironmentFault(
      `librcl.so is in no folder of LD_LIBRARY_PATH: source the setup file of ROS 2 ${distribution} as a whole`,
    );
  }
  const prebuilt = `${distribution}-${codename()}-${process.arch}-node-rclnodejs.node`;
  const addons = [
    join(folder, 'prebuilds', `${process.platform}-${process.arch}`, prebuilt),
    join(folder, 'build', 'Release', 'rclnodejs.node'),
  ];
  if (!addons.some((path) => existsSync(path))) {
    throw new EnvironmentFault(
      `rclnodejs in ${folder} has no addon for ROS 2 ${distribution} (${prebuilt}); in a shell in which it is sourced: ${installCommand()} && npm rebuild rclnodejs`,
    );
  }
}

/** Where the interfaces of a package are installed in the sourced ROS 2, or `undefined`. */
export function findPackage(name: string): string | undefined {
  const prefixes = (process.env.AMENT_PREFIX_PATH ?? '').split(delimiter);
  return prefixes.map((prefix) => join(prefix, 'share', name)).find((path) => existsSync(path));
}

/**
 * Has rclnodejs never build itself in this process, whatever it finds: the check may have missed what only the dynamic
 * linker knows.
 */
export function forbidBuilding(): void {
  delete process.env.RCLNODEJS_FORCE_BUILD;
  delete process.env.npm_config_runtime;
  const childProcess = require('node:child_process') as { execSync: typeof execSync };
  childProcess.execSync = ((command: string) => {
    throw new EnvironmentFault(
      `the addon of rclnodejs cannot be loaded, and "${command}" is not run from here; in a shell in which ROS 2 is sourced: npm rebuild rclnodejs`,
    );
  }) as typeof execSync;
}

function codename(): string {
  try {
    return /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]?.trim() ?? '';
  } catch {
    return '';
  }
}
