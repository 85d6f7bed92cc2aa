import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { Paced } from '../../src/ros/paced';
import { Watch } from './bridge-fixture';

describe('Paced', () => {
  /** An action that takes so long, on a clock of its own. */
  const acting = (takes: number) => {
    const watch = new Watch();
    const clock = { now: 0 };
    let times = 0;
    const paced = new Paced(
      () => {
        times++;
        clock.now += takes;
        watch.changed();
      },
      () => clock.now,
    );
    return { paced, clock, watch, times: () => times };
  };

  it('does once, at the end of the turn, what is asked for many times', async () => {
    const { paced, times } = acting(0);
    for (let time = 0; time < 3; time++) paced.schedule();
    assert.equal(times(), 0);
    await turn();
    assert.equal(times(), 1);
    paced.schedule();
    await turn();
    assert.equal(times(), 2);
  });

  it('waits nine times as long as it takes until it does it again, and does it then', async () => {
    const { paced, clock, watch, times } = acting(10);
    paced.run();
    paced.run();
    for (let time = 0; time < 3; time++) {
      paced.schedule();
      await turn();
    }
    assert.equal(times(), 2);
    await watch.until(() => times() === 3);
    clock.now += 89;
    paced.schedule();
    await turn();
    assert.equal(times(), 3);
    await watch.until(() => times() === 4);
    clock.now += 90;
    paced.schedule();
    await turn();
    assert.equal(times(), 5);
  });

  it('does not wait because it took long once', async () => {
    const clock = { now: 0 };
    let times = 0;
    const takes = [1000, 0, 0, 1000, 0];
    const paced = new Paced(
      () => {
        clock.now += takes[times++] ?? 0;
      },
      () => clock.now,
    );
    for (let time = 1; time <= takes.length; time++) {
      paced.schedule();
      await turn();
      assert.equal(times, time);
    }
  });

  it('waits half a second at most', async () => {
    const { paced, clock, times } = acting(60_000);
    paced.run();
    paced.run();
    clock.now += 499;
    paced.schedule();
    await turn();
    assert.equal(times(), 2);
    paced.close();
    const other = acting(60_000);
    other.paced.run();
    other.paced.run();
    other.clock.now += 500;
    other.paced.schedule();
    await turn();
    assert.equal(other.times(), 3);
  });

  it('does at once what cannot wait, and not once more', async () => {
    const { paced, times } = acting(10);
    paced.schedule();
    paced.run();
    assert.equal(times(), 1);
    await turn();
    assert.equal(times(), 1);
  });

  it('goes on after an error', async () => {
    let times = 0;
    const paced = new Paced(
      () => {
        if (++times === 1) throw new Error('of the action');
      },
      () => 0,
    );
    assert.throws(() => paced.run(), /of the action/);
    paced.schedule();
    await turn();
    assert.equal(times, 2);
  });

  it('does nothing any more when it is closed', async () => {
    const { paced, times } = acting(10);
    paced.schedule();
    paced.close();
    await turn();
    paced.schedule();
    await turn();
    assert.equal(times(), 0);
  });
});
