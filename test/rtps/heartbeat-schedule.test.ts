import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { HeartbeatSchedule } from '../../src/rtps/heartbeat-schedule';

describe('the schedule of the HEARTBEATs that ask for an answer', () => {
  let now = 0;
  let asked = 0;
  let isLagging = true;
  let schedule: HeartbeatSchedule;

  function open(depth: number): void {
    schedule = new HeartbeatSchedule(depth, () => {
      if (isLagging) asked++;
      return isLagging;
    });
  }

  function pass(milliseconds: number): void {
    now += milliseconds;
    mock.timers.tick(milliseconds);
  }

  beforeEach(() => {
    now = asked = 0;
    isLagging = true;
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => now);
  });
  afterEach(() => {
    schedule.close();
    mock.timers.reset();
    mock.restoreAll();
  });

  it('asks behind a change after a pause, and not behind the next ones', () => {
    open(1000);
    schedule.written(10);
    assert.ok(schedule.isDue);
    schedule.asked();
    now += 49;
    schedule.written(10);
    assert.ok(!schedule.isDue);
    now += 1;
    assert.ok(schedule.isDue);
  });

  for (const [depth, changes] of [
    [1, 1],
    [7, 2],
    [10, 3],
    [1000, 64],
    [Number.POSITIVE_INFINITY, 64],
  ] as const)
    it(`asks after ${changes} of ${depth} changes`, () => {
      open(depth);
      schedule.asked();
      for (let written = 1; written <= changes; written++) {
        assert.ok(!schedule.isDue);
        schedule.written(10);
      }
      assert.ok(schedule.isDue);
    });

  it('asks after 64 KiB', () => {
    open(1000);
    schedule.asked();
    schedule.written(65_535);
    assert.ok(!schedule.isDue);
    schedule.written(1);
    assert.ok(schedule.isDue);
  });

  it('asks by time ever more rarely, until something new comes', () => {
    open(1000);
    schedule.written(10);
    for (const delay of [50, 100, 200, 400, 800, 1000, 1000]) {
      pass(delay - 1);
      const before = asked;
      pass(1);
      assert.equal(asked, before + 1);
    }
    schedule.written(10);
    pass(50);
    assert.equal(asked, 8);
    assert.ok(!schedule.isDue);
  });

  it('asks by time as long as it must', () => {
    open(1000);
    schedule.written(10);
    pass(50);
    isLagging = false;
    pass(100);
    isLagging = true;
    pass(10_000);
    assert.equal(asked, 1);
  });
});
