import assert from 'node:assert/strict';
import { LoginThrottle } from '../../src/broker/access/login-throttle';

describe('the throttle of logins', () => {
  const peer = (host: string) => ({ address: `${host}:1`, host });
  let throttle: LoginThrottle;
  const keys = (user: string, host = '192.0.2.1') => throttle.keysOf(peer(host), user);
  const fail = (count: number, user: string, now: number) => {
    for (let index = 0; index < count; index++) throttle.failed(keys(user), now);
  };
  beforeEach(() => {
    throttle = new LoginThrottle();
  });

  it('makes a user who fails wait ever longer, others not', () => {
    fail(2, 'anna', 0);
    assert.equal(throttle.wait(keys('anna'), 0), 0);
    const waits = [];
    let now = 0;
    for (let count = 0; count < 8; count++) {
      fail(1, 'anna', now);
      const wait = throttle.wait(keys('anna'), now) as number;
      waits.push(wait);
      now += wait;
    }
    assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 4000, 4000]);
    assert.equal(throttle.wait(keys('ben'), now), 0);
    assert.equal(throttle.wait(keys('anna', '192.0.2.2'), now), 0);
    throttle.succeeded(keys('anna'));
    assert.equal(throttle.wait(keys('anna'), now), 0);
  });

  it('lets attempts at the same time wait for each other, and refuses what would wait too long', () => {
    fail(3, 'anna', 0);
    const waits = Array.from({ length: 43 }, () => throttle.wait(keys('anna'), 0));
    assert.deepEqual(waits.slice(0, 3), [100, 200, 300]);
    assert.deepEqual(waits.slice(-4), [4000, undefined, undefined, undefined]);
  });

  it('forgives a user after five minutes without failure', () => {
    fail(20, 'anna', 0);
    assert.equal(throttle.wait(keys('anna'), 300_001), 0);
  });

  it('stops an address that fails for ever new users, except who is known there', () => {
    throttle.succeeded(keys('anna'));
    for (let count = 0; count < 30; count++) {
      assert.ok(throttle.mayTry(keys('ben'), 0));
      fail(1, `user-${count}`, 0);
    }
    assert.equal(throttle.mayTry(keys('ben'), 0), false);
    assert.equal(throttle.mayTry(keys('anna'), 0), true);
    assert.equal(throttle.mayTry(keys('ben', '192.0.2.2'), 0), true);
    assert.equal(throttle.mayTry(keys('ben'), 2001), true, 'one is forgiven every two seconds');
  });

  it('takes an IPv6 network for one address', () => {
    assert.deepEqual(keys('anna', '2001:db8::1'), keys('anna', '2001:db8:0:0:ffff::2'));
    assert.notDeepEqual(keys('anna', '2001:db8::1'), keys('anna', '2001:db8:0:1::1'));
  });

  it('remembers a bounded number, and does not take a long name with it', () => {
    assert.ok(keys('x'.repeat(60_000)).user.length < 100);
    fail(20, 'first', 0);
    for (let count = 0; count < 10_000; count++) throttle.failed(keys(`user-${count}`, '192.0.2.9'), 0);
    assert.equal(throttle.wait(keys('first'), 0), 0);
  });
});
