import { strict as assert } from 'node:assert';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createUserDir, linkPackage, NODE_RED_VERSIONS, NodeRedProcess } from './node-red-process';

for (const version of NODE_RED_VERSIONS) {
  describe(`who may only read flows (${version.title})`, function () {
    this.timeout(60_000);
    let userDir: string | undefined;
    let nodeRed: NodeRedProcess | undefined;

    before(async function () {
      const program = version.program(this);
      userDir = createUserDir();
      linkPackage(userDir);
      appendFileSync(
        join(userDir, 'settings.js'),
        "module.exports.adminAuth = { type: 'credentials', users: [], default: { permissions: 'read' } };\n",
      );
      nodeRed = await NodeRedProcess.start(program, userDir);
    });
    after(async () => {
      await nodeRed?.stop();
      if (userDir !== undefined) rmSync(userDir, { recursive: true });
    });

    it('cannot have passwords stored, nor get what is stored of them', async () => {
      assert.ok(nodeRed);
      assert.ok(await nodeRed.get('/flows'));
      const answer = await fetch(`${nodeRed.url}/mqtt-ros/embedded-broker/some-node/passwords`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify([{ name: 'anna', was: 'anna' }]),
      });
      assert.equal(answer.status, 401);
    });
  });
}
