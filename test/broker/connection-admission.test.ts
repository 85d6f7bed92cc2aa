import assert from 'node:assert/strict';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { ConnectionAdmission } from '../../src/broker/connection-admission';
import { type Limits, limitsOf } from '../../src/broker/limits';

const { quotaExceeded, connectionRateExceeded } = ReasonCode;

describe('the admission of connections', () => {
  let admission: ConnectionAdmission;
  const start = (limits: Partial<Limits>) => {
    admission = new ConnectionAdmission(limitsOf(limits));
  };
  /** What becomes of one connection from each host, at a time in ms. */
  const enter = (now: number, ...hosts: (string | undefined)[]) =>
    hosts.map((host) => admission.enter(host, now)?.reasonCode);

  it('is bounded in all, and has room again when one has left', () => {
    start({ connections: 2 });
    assert.deepEqual(enter(0, '192.0.2.1', undefined, '192.0.2.2', undefined), [
      undefined,
      undefined,
      quotaExceeded,
      quotaExceeded,
    ]);
    admission.leave(undefined);
    assert.deepEqual(enter(0, '192.0.2.2'), [undefined]);
  });

  it('is bounded for each address, not for this process', () => {
    start({ connectionsPerAddress: 1 });
    assert.deepEqual(enter(0, '192.0.2.1', '192.0.2.2', '192.0.2.1'), [undefined, undefined, quotaExceeded]);
    assert.deepEqual(enter(0, undefined, undefined), [undefined, undefined]);
    admission.leave('192.0.2.1');
    assert.deepEqual(enter(0, '192.0.2.1', '192.0.2.1'), [undefined, quotaExceeded]);
  });

  it('takes an IPv6 /64 network for one address', () => {
    start({ connectionsPerAddress: 1 });
    assert.deepEqual(
      enter(
        0,
        '2001:db8::1',
        '2001:db8:0:0:ffff::2',
        '2001:db8:0:1::1',
        '2001:db8:0:1:2:3:4:5',
        '::1',
        '::2',
      ),
      [undefined, quotaExceeded, undefined, quotaExceeded, undefined, quotaExceeded],
    );
  });

  it('is bounded in its rate, which refused connections do not use up', () => {
    start({ connectRate: 2 });
    assert.deepEqual(enter(0, ...Array(4).fill('192.0.2.1')), [
      undefined,
      undefined,
      connectionRateExceeded,
      connectionRateExceeded,
    ]);
    assert.deepEqual(enter(0, '192.0.2.2', undefined), [undefined, undefined]);
    assert.deepEqual(enter(500, '192.0.2.1', '192.0.2.1'), [undefined, connectionRateExceeded]);
    assert.deepEqual(enter(60_000, ...Array(3).fill('192.0.2.1')), [
      undefined,
      undefined,
      connectionRateExceeded,
    ]);
  });

  it('remembers the rate of an address whose connections are closed, until it has recovered', () => {
    start({ connectRate: 1 });
    enter(0, '192.0.2.1');
    admission.leave('192.0.2.1');
    admission.forgetIdle(500);
    assert.deepEqual(enter(500, '192.0.2.1'), [connectionRateExceeded]);
    admission.forgetIdle(1000);
    assert.deepEqual(enter(1000, '192.0.2.1'), [undefined]);
  });
});
