// Keeps the rule of who may import whom between the folders of src/, and what src/ may not know.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

const allowed = {
  memory: [],
  topic: [],
  journal: [],
  rtps: ['memory'],
  client: ['journal', 'memory', 'topic'],
  broker: ['client', 'journal', 'topic'],
  rclnodejs: [],
  ros: ['rtps', 'rclnodejs', 'client', 'memory', 'topic'],
  gateway: ['client', 'broker', 'ros', 'topic'],
  cli: ['broker', 'ros', 'gateway', 'topic'],
  nodes: ['client', 'broker', 'ros', 'gateway', 'topic'],
};
const forbiddenPackages = /^(express|node-red|@node-red\/|@types\/node-red)/;

const folderOf = (path) => {
  const parts = relative('.', path).split(sep);
  if (parts[0] === 'nodes') return 'nodes';
  // The library's entry re-exports the public surface of every folder.
  return parts[0] === 'src' && parts.length > 2 ? parts[1] : undefined;
};

const faults = [];
const sources = ['src', 'nodes'].flatMap((root) =>
  readdirSync(root, { recursive: true })
    .map((name) => join(root, name))
    .filter((path) => path.endsWith('.ts')),
);
for (const path of sources) {
  const from = folderOf(path);
  const text = readFileSync(path, 'utf8');
  for (const match of text.matchAll(
    /(?:\bfrom|\bimport|\brequire(?:\.resolve)?)\s*\(?\s*['"]([^'"]+)['"]/g,
  )) {
    const specifier = match[1];
    if (!specifier.startsWith('.')) {
      if (from !== 'nodes' && forbiddenPackages.test(specifier))
        faults.push(`${path}: src/ must not know ${specifier}`);
      continue;
    }
    const target = join(dirname(path), specifier);
    const to = folderOf(target);
    if (from === undefined || to === from) continue;
    if (to === undefined) faults.push(`${path}: imports ${specifier}, outside src/ and nodes/`);
    else if (!allowed[from]?.includes(to)) faults.push(`${path}: ${from} must not import ${to}`);
  }
  // So that it stays a DDS participant: what ROS 2 makes of it is of the folder above.
  if (from === 'rtps' && /\bros(2|idl)?\b|\brmw|rclcpp|rclpy/i.test(text))
    faults.push(`${path}: src/rtps must not know ROS`);
  if (from !== 'nodes' && /\bRED\.\w/.test(text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')))
    faults.push(`${path}: src/ must not know RED`);
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
