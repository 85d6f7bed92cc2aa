import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Soak } from './soak';

const MESSAGES = 10_000;

/** The tests that account for messages over restarts and cuts, with many more messages. */
export async function soakAccounts({ print, deadline }: Soak): Promise<void> {
  const mocha = ['node_modules/mocha/bin/mocha.js', '--enable-source-maps'];
  const files = ['dist/test/client/account.test.js', 'dist/test/nodes/restart.test.js'];
  let rounds = 0;
  do {
    const child = spawn(process.execPath, [...mocha, ...files], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, CLIENT_ACCOUNT: String(MESSAGES) },
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    assert.equal(status, 0, output);
    if (++rounds === 1) print(output.trim());
  } while (performance.now() < deadline);
  print(`${rounds} times, with ${MESSAGES} messages of QoS 1 and as many of QoS 2 in each test`);
}
