interface Endable {
  close?: () => unknown;
  stop?: () => unknown;
}

/** Has what it is given ended after the test that runs; without a second argument by its own `close` or `stop`. */
export interface Keep {
  <Made extends Endable>(made: Made): Made;
  <Made>(made: Made, end: (made: Made) => unknown): Made;
}

/** For the mocha suite in which it is called. What was kept last is ended first, and all of it whatever fails. */
export function endingAfterEach(): Keep {
  const ends: Array<() => unknown> = [];
  afterEach(async () => {
    const faults: unknown[] = [];
    for (const end of ends.splice(0).reverse())
      try {
        await end();
      } catch (error) {
        faults.push(error);
      }
    if (faults.length > 0) throw faults[0];
  });
  return <Made extends Endable>(
    made: Made,
    end: (made: Made) => unknown = ({ close, stop }) => (close ?? stop)?.call(made),
  ) => {
    ends.push(() => end(made));
    return made;
  };
}
