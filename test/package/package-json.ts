import { readFileSync } from 'node:fs';

/** What the tests read of this package's package.json. */
export interface PackageJson {
  name: string;
  version: string;
  license?: string;
  repository?: unknown;
  bugs?: unknown;
  keywords: string[];
  engines: { node: string };
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  'node-red': { version: string; nodes: Record<string, string> };
}

export const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as PackageJson;

/** The node types, which are also the names of their files. */
export const NODE_TYPES: readonly string[] = Object.keys(packageJson['node-red'].nodes);
