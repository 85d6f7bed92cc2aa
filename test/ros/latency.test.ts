import assert from 'node:assert/strict';
import { Latency } from '../../src/ros/latency';

describe('Latency', () => {
  it('tells nothing where nothing was measured', () => {
    assert.equal(new Latency().summary(0), undefined);
  });

  it('has the median and the 99th percentile within 9 %', () => {
    const latency = new Latency();
    for (let count = 1; count <= 1000; count++) latency.add(count / 10, 0);
    const { p50 = 0, p99 = 0, messages } = latency.summary(0) ?? {};
    assert.equal(messages, 1000);
    assert.ok(p50 >= 50 && p50 <= 55, `p50 ${p50}`);
    assert.ok(p99 >= 99 && p99 <= 110, `p99 ${p99}`);
  });

  it('takes microseconds and hours, and what clocks make negative', () => {
    const latency = new Latency();
    latency.add(-5, 0);
    assert.deepEqual(latency.summary(0), { p50: 0.0011, p99: 0.0011, messages: 1 });
    latency.add(1e9, 0);
    latency.add(1e9, 0);
    assert.deepEqual(latency.summary(0), { p50: 1_100_000, p99: 1_100_000, messages: 3 });
  });

  it('forgets what is older than one to two minutes', () => {
    const latency = new Latency();
    latency.add(1, 0);
    latency.add(100, 60_000);
    assert.equal(latency.summary(119_999)?.messages, 2);
    assert.equal(latency.summary(120_000)?.messages, 1);
    assert.equal(latency.summary(180_000), undefined);
    latency.add(1, 200_000);
    assert.equal(latency.summary(1_000_000), undefined);
    latency.add(1, 1_000_001);
    assert.equal(latency.summary(1_000_001)?.messages, 1);
  });
});
