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
    // At one in a hundred of these times the sum of time and expiry is a little more than it should be.
    for (let now = 8_000_000; now < 8_000_500; now += 0.7303) {
      const message = messageOfWill(will, 'c', now);
      assert.equal(message.remainingExpiry(now), 60);
      assert.equal(message.remainingExpiry(now + 1000), 59);
      assert.equal(message.remainingExpiry(now + 61_000), 0);
    }
  });
});
