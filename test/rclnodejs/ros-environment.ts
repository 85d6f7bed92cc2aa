import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** What is there of the installation that a setup file stands for. */
export interface Installation {
  /** Whether its setup file sources a ROS 2; default true. */
  sourced?: boolean;
  /** Whether the library is where Node.js finds it; default true. */
  module?: boolean;
  /** Whether the library has an addon; default true. */
  addon?: boolean;
  /** Whether it has librcl.so; default true. */
  librcl?: boolean;
  /** How the library fails: to load, or later. */
  fault?: 'rebuild' | 'rmw' | 'throw' | 'abort' | 'abort-at-init' | 'abort-at-node' | 'hang-at-end';
  /** Further lines of the setup file. */
  lines?: string[];
}

/** A folder with what a setup file finds: the stand-in in the place of rclnodejs, and files in that of ROS 2. */
export class RosEnvironment {
  readonly folder = mkdtempSync(join(tmpdir(), 'ros-'));
  readonly setupFile = join(this.folder, 'it is setup.bash');

  constructor({
    sourced = true,
    module = true,
    addon = true,
    librcl = true,
    fault,
    lines = [],
  }: Installation) {
    const file = (path: string, text = '') => {
      mkdirSync(join(this.folder, path, '..'), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    };
    const library = 'node_modules/rclnodejs';
    file(`${library}/package.json`, '{"name":"rclnodejs","version":"2.2.0","main":"main.js"}');
    const standIn = JSON.stringify(resolve(__dirname, 'stand-in/library'));
    file(
      `${library}/main.js`,
      `module.exports = require(${standIn}); require('./build/Release/rclnodejs.node')`,
    );
    if (addon) file(`${library}/build/Release/rclnodejs.node`);
    if (librcl) file('ros/lib/librcl.so');
    file('ros/share/std_msgs/package.xml');
    const variables = {
      ROS_DISTRO: 'jazzy',
      AMENT_PREFIX_PATH: join(this.folder, 'ros'),
      LD_LIBRARY_PATH: join(this.folder, 'ros/lib'),
    };
    const exported = Object.entries(variables).map(([name, value]) =>
      sourced ? `export ${name}=${value}` : `unset ${name}`,
    );
    if (module) exported.push(`export NODE_PATH=${join(this.folder, 'node_modules')}`);
    if (fault !== undefined) exported.push(`export STAND_IN=${fault}`);
    writeFileSync(this.setupFile, [...exported, ...lines, ''].join('\n'));
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}
