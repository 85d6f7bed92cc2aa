import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { locatorOf } from '../../src/rtps/locator';
import { Outbox } from '../../src/rtps/outbox';
import { SendQueue } from '../../src/rtps/send-queue';
import { SendRate } from '../../src/rtps/send-rate';
import { Statistics } from '../../src/rtps/statistics';
import { READER, WRITER } from './link';

describe('the rate of large samples', () => {
  const rateAfter = (...events: Array<number | undefined>) => {
    const rate = new SendRate();
    for (const part of events) {
      if (part === undefined) rate.grow();
      else rate.shrink(part);
    }
    return rate.bytesPerMs / 1024;
  };
  const [arrived, first] = [undefined, rateAfter()];

  it('doubles until the first loss, up to 4 MB in a millisecond', () => {
    assert.deepEqual([rateAfter(arrived), rateAfter(arrived, arrived)], [2 * first, 4 * first]);
    assert.equal(rateAfter(...Array(20).fill(arrived)), 4096);
  });

  it('shrinks by the part that was lost, a sixteenth at least and a half at most', () => {
    assert.equal(rateAfter(arrived, 0.25), 2 * first * 0.75);
    assert.equal(rateAfter(arrived, 0.01), 2 * first * (15 / 16));
    assert.equal(rateAfter(arrived, arrived, 1), 2 * first);
  });

  it('stays at what any receive buffer takes', () => {
    assert.equal(rateAfter(...Array(20).fill(1)), 32);
  });

  it('grows by steps after a loss, larger ones the longer nothing is lost', () => {
    const rates = Array.from({ length: 40 }, (_, count) =>
      rateAfter(arrived, 0.5, ...Array(count).fill(arrived)),
    );
    const steps = rates.slice(1).map((rate, index) => rate - (rates[index] as number));
    assert.equal(steps[0], 4);
    assert.ok(steps.every((step, index) => index === 0 || step >= (steps[index - 1] as number)));
    assert.equal(rateAfter(...Array(5).fill(arrived), 0.5, 0.5, ...Array(200).fill(arrived)), 4096);
  });
});

describe('the queue of a writer', () => {
  let now = 0;
  beforeEach(() => {
    mock.method(performance, 'now', () => now);
  });
  afterEach(() => mock.restoreAll());

  function queueOf(depth = 100) {
    const locator = locatorOf('127.0.0.1', 1);
    const outbox = new Outbox(WRITER.prefix, {
      batchBytes: () => 1000,
      messageBytes: () => 50_000,
      requestBytes: 0,
      send: (_message, _locator, sent) => sent(),
    });
    const statistics = new Statistics();
    let through = 0;
    const limits = { depth, bytes: 100_000_000 };
    const queue = new SendQueue(WRITER.entityId, locator, outbox, limits, statistics, () => through++);
    const change = (sequence: number, bytes: number) => ({
      sequence,
      timestamp: { seconds: 0, fraction: 0 },
      payload: Buffer.alloc(bytes),
      keyOnly: false,
      inlineQos: undefined,
    });
    const send = (sequence: number, bytes: number, acknowledged = true) =>
      queue.send({ prefix: READER.prefix, locator }, READER.entityId, change(sequence, bytes), acknowledged);
    const to = { prefix: READER.prefix, locator };
    const resend = (sequence: number, bytes: number) =>
      queue.sendAgain(to, READER.entityId, change(sequence, bytes));
    const resendFragments = (sequence: number, bytes: number, numbers: number[]) =>
      queue.sendFragmentsAgain(to, READER.entityId, change(sequence, bytes), numbers);
    /** Sends until so many are through, or it waits. */
    const pump = (count: number) => {
      while (through < count && !queue.isEmpty && queue.waitMs === 0) queue.sendNext();
      return through;
    };
    const close = () => {
      queue.close();
      outbox.flush();
    };
    return { queue, send, resend, resendFragments, pump, statistics, close };
  }

  it('lets two megabytes be under way until they are acknowledged', () => {
    const { queue, send, pump, close } = queueOf();
    for (let sequence = 1; sequence <= 6; sequence++) send(sequence, 1024 * 1024);
    assert.equal(pump(6), 2);
    assert.ok(queue.waitMs > 0);
    assert.equal(queue.firstUnsent, 3);
    queue.acknowledged(1);
    assert.equal(pump(6), 3);
    queue.acknowledged(3);
    assert.equal(pump(6), 5);
    close();
  });

  it('waits for nobody who acknowledges nothing', () => {
    const { queue, send, pump, close } = queueOf();
    for (let sequence = 1; sequence <= 4; sequence++) send(sequence, 1024 * 1024);
    assert.equal(pump(4), 2);
    now += queue.waitMs;
    assert.equal(pump(4), 4);
    close();
  });

  it('does not wait where nobody acknowledges', () => {
    const { queue, send, pump, close } = queueOf();
    for (let sequence = 1; sequence <= 4; sequence++) send(sequence, 1024 * 1024, false);
    assert.equal(pump(4), 4);
    assert.ok(queue.isEmpty);
    close();
  });

  it('sends nothing again that waits to be sent', () => {
    const { queue, send, resend, resendFragments, statistics, close } = queueOf();
    send(1, 1_000_000);
    send(2, 1_000_000);
    queue.sendNext();
    queue.sendNext();
    resend(1, 1_000_000);
    resend(2, 1_000_000);
    resendFragments(2, 1_000_000, [1]);
    assert.equal(statistics.samplesResent, 0);
    assert.equal(statistics.fragmentsResent, 0);
    resendFragments(1, 1_000_000, [1, 2, 3]);
    resendFragments(1, 1_000_000, [2]);
    assert.equal(statistics.fragmentsResent, 2);
    while (!queue.isEmpty) queue.sendNext();
    resend(1, 1_000_000);
    resend(1, 1_000_000);
    assert.equal(statistics.samplesResent, 1);
    close();
  });

  it('brings to its end what has begun, and gives up the oldest of what waits', () => {
    const { queue, send, statistics, close } = queueOf(2);
    send(1, 1_000_000);
    queue.sendNext();
    for (let sequence = 2; sequence <= 5; sequence++) send(sequence, 1_000_000);
    assert.equal(statistics.samplesUnsent, 2);
    assert.equal(queue.firstUnsent, 1);
    while (queue.firstUnsent === 1) queue.sendNext();
    assert.equal(queue.firstUnsent, 4);
    close();
  });
});
