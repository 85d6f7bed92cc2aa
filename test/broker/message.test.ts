import assert from 'node:assert/strict';
import { messageOfWill } from '../../src/broker/message';

describe('a message that expires', () => {
  it('has as many seconds left as it came with, and fewer as time goes on, whatever the clock shows', () => {
    const will = {
      topic: 't',
      payload: Buffer.alloc(0),
      qos: 0 as const,
      retain: false,
      properties: { messageExpiryInterval: 60 },
    };
    // Here the time and its sum with the expiry have not the same precision: the sum is often a little too much.
    for (let index = 0; index < 500; index++) {
      const now = 2 ** 23 - 30_000 + Math.sqrt(index);
      const message = messageOfWill(will, 'c', now);
      assert.equal(message.remainingExpiry(now), 60);
      assert.equal(message.remainingExpiry(now + 1000), 59);
      assert.equal(message.remainingExpiry(now + 61_000), 0);
    }
  });
});
