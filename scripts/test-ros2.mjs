// The contract suite of the ROS backends over rclnodejs, on the ROS 2 that is sourced, with its command line and rclcpp as
// counterparts, which need the packages below. rclnodejs is installed into .counterparts/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

// Containers of ROS 2 set ROS_DISTRO by themselves.
const { ROS_DISTRO: distribution, AMENT_PREFIX_PATH: prefixPath } = process.env;
if (!distribution || !prefixPath) {
  console.error('No ROS 2 is sourced: ". /opt/ros/<distribution>/setup.bash" first.');
  process.exit(1);
}

function mustRun(command, args, options = {}) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) process.exit(status ?? 1);
}

for (const name of ['demo_nodes_cpp', 'example_interfaces', 'examples_rclcpp_minimal_action_server']) {
  if (prefixPath.split(delimiter).some((prefix) => existsSync(join(prefix, 'share', name)))) continue;
  const debian = `ros-${distribution}-${name.replaceAll('_', '-')}`;
  console.error(`The package ${name} is missing; install it as root: apt-get install ${debian}`);
  process.exit(1);
}

// One for each distribution: what it was built and generated for is in its folder.
const folder = resolve('.counterparts', `rclnodejs-${distribution}`);
if (!existsSync(join(folder, 'node_modules/rclnodejs/generated'))) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}\n');
  mustRun('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', 'rclnodejs@^2.2.0'], {
    cwd: folder,
    env: { ...process.env, npm_config_yes: 'true' },
  });
}

mustRun('npm', ['run', '--silent', 'build']);
mustRun(
  process.execPath,
  [
    'node_modules/mocha/bin/mocha.js',
    '--enable-source-maps',
    '--timeout',
    '60000',
    'dist/test/ros/contract/rclnodejs.test.js',
  ],
  {
    env: {
      ...process.env,
      NODE_PATH: [join(folder, 'node_modules'), process.env.NODE_PATH ?? ''].join(delimiter),
      ROS2_TESTS: 'required',
    },
  },
);
