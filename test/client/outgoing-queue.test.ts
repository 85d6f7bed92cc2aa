import assert from 'node:assert/strict';
import { mock } from 'node:test';
import type { PublishOptions } from '../../src/client/connection';
import { OutgoingMessage } from '../../src/client/outgoing-message';
import { MAX_WAITING_BYTES, OutgoingQueue } from '../../src/client/outgoing-queue';
import { clockOfEach } from '../clock';

const message = (text: string, properties?: PublishOptions['properties']): OutgoingMessage =>
  new OutgoingMessage('t', text, { qos: 1, retain: false, ...(properties && { properties }) });

const add = (queue: OutgoingQueue, text: string, reason?: string): Promise<string> => {
  const next = message(text);
  queue.add(next, reason);
  return next.result.then(
    () => 'done',
    (error: Error) => error.message,
  );
};

const rest = (queue: OutgoingQueue): string => {
  let texts = '';
  for (let next = queue.take(); next !== undefined; next = queue.take()) texts += next.payload;
  return texts;
};

describe('queue of messages that wait to be sent', () => {
  it('refuses more bytes than it may hold, and says why they wait', async () => {
    const queue = new OutgoingQueue({});
    const half = 'x'.repeat(MAX_WAITING_BYTES / 2 - 600);
    void add(queue, half);
    void add(queue, half);
    assert.match(
      await add(queue, half, 'no connection'),
      /^topic "t" not published: 2 messages \(\d+ bytes\) are already waiting; no connection$/,
    );
    queue.take();
    void add(queue, half);
    assert.equal(queue.size, 2);
    assert.equal(queue.dropped, 0);
  });

  it('counts the properties of a message too', () => {
    const queue = new OutgoingQueue({ maxBytes: 10_000 });
    for (let n = 0; n < 20; n++) {
      const next = message('', { userProperties: { key: 'x'.repeat(3000) } });
      next.result.catch(() => {});
      queue.add(next, undefined);
    }
    assert.equal(queue.size, 2);
  });

  it('refuses the message too many', async () => {
    const queue = new OutgoingQueue({ maxMessages: 2 });
    void add(queue, 'a');
    void add(queue, 'b');
    assert.match(await add(queue, 'c'), /2 messages .* already waiting/);
    assert.equal(rest(queue), 'ab');
  });

  for (const [overflow, left] of [
    ['drop-newest', 'ab'],
    ['drop-oldest', 'bc'],
  ] as const) {
    it(`has ${left} left of three where two fit and it is to ${overflow}`, async () => {
      const queue = new OutgoingQueue({ maxMessages: 2, overflow });
      const results = [...'abc'].map((text) => add(queue, text));
      assert.equal(rest(queue), left);
      assert.equal(queue.dropped, 1);
      assert.equal(
        await results['abc'.indexOf([...'abc'].find((text) => !left.includes(text)) as string)],
        'topic "t" not published: dropped, because the queue of waiting messages was full',
      );
    });
  }

  it('drops no other message for one that does not fit at all', async () => {
    const queue = new OutgoingQueue({ maxBytes: 2000, overflow: 'drop-oldest' });
    void add(queue, 'a');
    assert.match(await add(queue, 'x'.repeat(3000)), /dropped/);
    assert.equal(rest(queue), 'a');
  });

  it('takes back in front, in order, whatever its bounds', () => {
    const queue = new OutgoingQueue({ maxMessages: 2 });
    void add(queue, 'c');
    void add(queue, 'd');
    queue.putBack([message('a'), message('b')]);
    assert.equal(queue.size, 4);
    assert.equal(rest(queue), 'abcd');
    assert.equal(queue.bytes, 0);
  });

  it('keeps the order of many that come and go', () => {
    const queue = new OutgoingQueue({});
    let [next, expected] = [0, 0];
    for (let round = 0; round < 100; round++) {
      for (let n = 0; n < 100; n++) void add(queue, String(next++));
      for (let n = 0; n < 80; n++) assert.equal(queue.take()?.payload, String(expected++));
    }
    assert.equal(queue.size, 2000);
    queue.refuseAll(() => new Error('enough'));
    assert.deepEqual([queue.size, queue.bytes], [0, 0]);
  });

  describe('in time', () => {
    const tick = clockOfEach();

    it('ends what has waited too long, and has room again', async () => {
      const queue = new OutgoingQueue({ expiry: 10 });
      const waited = add(queue, 'a');
      tick(9000);
      void add(queue, 'b');
      tick(1000);
      assert.equal(await waited, 'topic "t" not published: it waited 10 s to be sent');
      assert.equal(queue.expired, 1);
      tick(8999);
      assert.equal(queue.size, 1);
      tick(1);
      assert.deepEqual([queue.size, queue.bytes, queue.expired], [0, 0, 2]);
    });

    it('heeds the expiry interval of a message, and takes off it what the message has waited', () => {
      const queue = new OutgoingQueue({});
      const brief = message('brief', { messageExpiryInterval: 5 });
      const long = message('long', { messageExpiryInterval: 60, contentType: 'text/plain' });
      brief.result.catch(() => {});
      queue.add(long, undefined);
      queue.add(brief, undefined);
      tick(7500);
      assert.equal(queue.size, 1);
      assert.deepEqual(queue.take()?.properties, { messageExpiryInterval: 53, contentType: 'text/plain' });
    });

    it('does not mind that the time of day is set', () => {
      const queue = new OutgoingQueue({ expiry: 10 });
      const waits = message('a', { messageExpiryInterval: 60 });
      queue.add(waits, undefined);
      const start = Date.now();
      let hours = 0;
      mock.method(Date, 'now', () => start + hours * 3_600_000);
      for (hours of [5, -5]) {
        void add(queue, 'b');
        tick(2000);
      }
      assert.equal(queue.size, 3);
      assert.deepEqual(waits.properties, { messageExpiryInterval: 56 });
    });

    it('counts no time that passes while a message is made', () => {
      const queue = new OutgoingQueue({ expiry: 10 });
      let now = Date.now();
      mock.method(Date, 'now', () => now++);
      const waits = message('a');
      waits.result.catch(() => {});
      queue.add(waits, undefined);
      tick(9999);
      assert.equal(queue.size, 1);
      tick(1);
      assert.equal(queue.size, 0);
    });

    it('keeps for ever what has no expiry', () => {
      const queue = new OutgoingQueue({});
      void add(queue, 'a');
      tick(0x7fffffff);
      assert.equal(queue.size, 1);
    });
  });
});
