import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

/** The program of the README's part on the library, as it stands there. */
export function readmeProgram(): string {
  const [, program] =
    /## The library\n[\s\S]*?```js\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
  assert.ok(program);
  return program;
}
