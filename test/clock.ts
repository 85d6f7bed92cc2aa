import { mock } from 'node:test';

/**
 * For the mocha suite in which it is called: `setTimeout` and `performance.now()` go by a clock that stands still.
 * Returns what turns it, by so many ms.
 */
export function clockOfEach(): (milliseconds: number) => void {
  let now = 0;
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => now);
  });
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });
  return (milliseconds) => {
    now += milliseconds;
    mock.timers.tick(milliseconds);
  };
}

/** Runs it while nothing that `setTimeout` bounds comes to its end, however long it takes here. */
export async function timeless(run: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    await run();
  } finally {
    mock.timers.reset();
  }
}
