// mocha's "spec" reporter that also writes its counts and what failed, and names what was skipped, for scripts/test.mjs.
const { writeFileSync } = require('node:fs');
const { Spec } = require('mocha').reporters;

/** How long what is left open may take to end, in ms. */
const LEFT_OPEN_MS = 60_000;

module.exports = class CountingReporter extends Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    const failed = [];
    runner.on('pending', (test) => skipped.push(test.fullTitle()));
    runner.on('fail', (test, error) =>
      failed.push({ title: test.fullTitle(), error: error.stack ?? String(error) }),
    );
    runner.once('end', () => {
      if (skipped.length > 0) console.log(`Skipped:\n  ${skipped.join('\n  ')}`);
      writeFileSync(process.env.TEST_STATS, JSON.stringify({ ...runner.stats, failed }));
      // What a test has left open is named, and does not hold up the whole run until it ends by itself.
      setTimeout(() => {
        console.log(`Still open after the tests: ${process.getActiveResourcesInfo().join(', ')}`);
        process.exit(runner.stats.failures > 0 ? 1 : 0);
      }, LEFT_OPEN_MS).unref();
    });
  }
};
