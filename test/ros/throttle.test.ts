import assert from 'node:assert/strict';
import { Deadband, type DeadbandSettings, deadbandFault, numberAt } from '../../src/ros/deadband';
import { RateLimit, type RatePolicy, rateLimitFault } from '../../src/ros/rate-limit';
import { Throttle, type ThrottleSettings } from '../../src/ros/throttle';
import { clockOfEach } from '../clock';

/** What a rate limit does with messages. */
function limited(policy: RatePolicy, perSecond = 1000) {
  const passed: number[] = [];
  const dropped: number[] = [];
  const limit = new RateLimit<number>(
    { perSecond, policy },
    (message) => passed.push(message),
    (message) => dropped.push(message),
  );
  return { limit, passed, dropped };
}

describe('RateLimit', () => {
  const wait = clockOfEach();

  it('passes the first at once, and the newest of the others when it is its turn', () => {
    const { limit, passed, dropped } = limited('latest', 5);
    for (const message of [1, 2, 3, 4]) limit.take(message, 10);
    wait(199);
    assert.deepEqual(passed, [1]);
    wait(1);
    assert.deepEqual(
      [passed, dropped],
      [
        [1, 4],
        [2, 3],
      ],
    );
  });

  it('lets all wait their turn, in their order', () => {
    const { limit, passed, dropped } = limited('queue');
    const messages = Array.from({ length: 20 }, (_, index) => index);
    for (const message of messages) limit.take(message, 10);
    for (const last of messages) {
      assert.deepEqual(passed, messages.slice(0, last + 1));
      wait(1);
    }
    assert.deepEqual(dropped, []);
  });

  it('bounds what waits by number, and drops the oldest', () => {
    const { limit, passed, dropped } = limited('queue', 0.001);
    for (let message = 0; message < 1003; message++) limit.take(message, 10);
    assert.deepEqual([passed, dropped], [[0], [1, 2]]);
    limit.close();
    assert.equal(dropped.length, 1002);
  });

  it('bounds what waits by bytes, but lets one wait that is larger', () => {
    const { limit, dropped } = limited('queue', 0.001);
    for (const message of [0, 1, 2]) limit.take(message, 20 * 1024 * 1024);
    assert.deepEqual(dropped, [1]);
    limit.close();
    assert.deepEqual(dropped, [1, 2]);
  });

  const faults: Array<[number | string, string, string]> = [
    [0, 'latest', 'rate: expected messages per second from 0.00001 to 1000000, got 0'],
    [1e-10, 'latest', 'rate: expected messages per second from 0.00001 to 1000000, got 1e-10'],
    ['5', 'latest', 'rate: expected messages per second from 0.00001 to 1000000, got "5"'],
    [Number.NaN, 'queue', 'rate: expected messages per second from 0.00001 to 1000000, got NaN'],
    [5, 'newest', 'rate policy: expected one of latest, queue, got "newest"'],
  ];
  for (const [perSecond, policy, message] of faults) {
    it(`is refused: ${message}`, () => {
      assert.equal(rateLimitFault({ perSecond: perSecond as number, policy: policy as RatePolicy }), message);
    });
  }
  it('is taken with a rate below one', () => {
    assert.equal(rateLimitFault({ perSecond: 0.1, policy: 'queue' }), undefined);
  });
});

describe('Deadband', () => {
  const carried = (settings: DeadbandSettings, messages: Array<[unknown, number]>) => {
    const deadband = new Deadband(settings);
    return messages.map(([message, now]) => deadband.passes(message, now));
  };

  it('passes a message whose number has moved by more than the threshold since the last that passed', () => {
    const at = (x: number): [unknown, number] => [{ pose: { position: { x } } }, 0];
    assert.deepEqual(
      carried({ path: 'pose.position.x', threshold: 0.5 }, [
        at(1),
        at(1.5),
        at(1.6),
        at(1.2),
        at(1),
        at(0.9),
      ]),
      [true, false, true, false, true, false],
    );
  });

  it('passes one in any case when nothing was carried for so long', () => {
    const at = (now: number): [unknown, number] => [{ data: 1 }, now];
    assert.deepEqual(
      carried({ path: 'data', threshold: 1, maxSilence: 1000 }, [
        at(0),
        at(999),
        at(1000),
        at(1500),
        at(2000),
      ]),
      [true, false, true, false, true],
    );
  });

  it('passes each change at the threshold 0, and each message without a number there', () => {
    const of = (data: unknown): [unknown, number] => [{ data }, 0];
    assert.deepEqual(
      carried({ path: 'data', threshold: 0 }, [
        of(1),
        of(1),
        of(2),
        of('NaN'),
        of('NaN'),
        of('Infinity'),
        of('Infinity'),
        of(1),
      ]),
      [true, false, true, true, false, true, false, true],
    );
    assert.deepEqual(carried({ path: 'other', threshold: 9 }, [of(1), of(1), [null, 0]]), [true, true, true]);
  });

  const numbers: Array<[string, unknown, number | undefined]> = [
    ['data', { data: 1 }, 1],
    ['data', { data: '9007199254740993' }, 9007199254740992],
    ['ranges[1]', { ranges: [1, 2] }, 2],
    ['poses[0].x', { poses: [{ x: 3 }] }, 3],
    ['matrix[1][0]', { matrix: [[1], [5]] }, 5],
    ['ranges[2]', { ranges: [1, 2] }, undefined],
    ['data', { data: 'NaN' }, Number.NaN],
    ['data', { data: 'warm' }, undefined],
    ['data', { data: true }, undefined],
    ['data.x', { data: 1 }, undefined],
    ['constructor', {}, undefined],
  ];
  for (const [path, message, number] of numbers) {
    it(`finds ${number} at ${path} of ${JSON.stringify(message)}`, () => {
      assert.equal(numberAt(path, message), number);
    });
  }

  const faults: Array<[Record<string, unknown>, string]> = [
    [{ path: '' }, 'deadband field: expected a path such as pose.position.x or ranges[0], got ""'],
    [{ path: 'a..b' }, 'deadband field: expected a path such as pose.position.x or ranges[0], got "a..b"'],
    [{ threshold: -1 }, 'deadband threshold: expected a number of at least 0, got -1'],
    [{ maxSilence: 0 }, 'deadband silence: expected milliseconds from 1 to 31622400000, got 0'],
  ];
  for (const [change, message] of faults) {
    it(`is refused: ${message}`, () => {
      assert.equal(deadbandFault({ path: 'data', threshold: 1, ...change }), message);
    });
  }
  it('is taken with a path into arrays', () => {
    assert.equal(deadbandFault({ path: 'poses[0].position.x', threshold: 0, maxSilence: 10 }), undefined);
  });
});

describe('Throttle', () => {
  const throttled = (settings: ThrottleSettings) => {
    const events: unknown[] = [];
    const throttle = Throttle.for<number>(settings, {
      pass: (message) => events.push(message),
      dropped: (reason) => events.push(reason),
    });
    return { throttle, events };
  };
  const deadband = { path: 'data', threshold: 1 };
  const rate = { perSecond: 0.001, policy: 'latest' } as const;

  it('is none where nothing is to be kept back', () => {
    assert.equal(throttled({}).throttle, undefined);
  });

  it('counts by reason, and the rate of what says something new alone', () => {
    const { throttle, events } = throttled({ rate, deadband });
    for (const data of [1, 1.5, 3, 3.5, 5]) throttle?.take(data, 1, () => ({ data }));
    assert.deepEqual(events, [1, 'deadband', 'deadband', 'rate']);
    throttle?.close();
    assert.equal(events.at(-1), 'rate');
  });

  it('does not look into messages without a deadband', () => {
    const { throttle, events } = throttled({ rate });
    throttle?.take(1, 1, () => assert.fail('looked into'));
    throttle?.close();
    assert.deepEqual(events, [1]);
  });
});
