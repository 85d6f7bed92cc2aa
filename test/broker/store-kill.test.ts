import assert from 'node:assert/strict';
import { accountOverKills } from './kill-account';

describe('a broker that is killed', function () {
  this.timeout(60_000);

  for (const durability of ['write', 'strict'] as const) {
    it(`loses nothing that it acknowledged, and delivers QoS 2 once (${durability})`, async () => {
      const { messages, bytes } = await accountOverKills({ kills: 5, durability, messagesBetween: 300 });
      assert.ok(messages > 20);
      assert.ok(bytes < 1_000_000, `${bytes} bytes of files`);
    });
  }
});
