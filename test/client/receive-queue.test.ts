import assert from 'node:assert/strict';
import { ReceiveQueue } from '../../src/client/receive-queue';

describe('a queue that is asked for messages', () => {
  const queueOf = (overflow: 'drop-oldest' | 'drop-newest', ...items: number[]) => {
    const queue = new ReceiveQueue<number>({ maxWaiting: 3, overflow });
    for (const item of items) queue.push(item, 1);
    return queue;
  };

  it('gives what waits in order, then what comes, to those who asked first', async () => {
    const queue = queueOf('drop-oldest', 1, 2);
    assert.deepEqual(await queue.receive(1, 10), [1]);
    const [first, second] = [queue.receive(2, 10), queue.receive(1, 10)];
    queue.push(3, 1);
    queue.push(4, 1);
    assert.deepEqual([await first, await second], [[2, 3], [4]]);
    assert.equal(queue.waiting, 0);
  });

  it('gives fewer, or none, when the time is over', async () => {
    const queue = queueOf('drop-oldest', 1);
    assert.deepEqual(await queue.receive(2, 0.01), [1]);
    assert.deepEqual(await queue.receive(1, 0.01), []);
    queue.push(2, 1);
    assert.deepEqual(await queue.receive(1, 0), [2]);
  });

  it('drops the oldest or the newest beyond its bounds, and counts', async () => {
    const oldest = queueOf('drop-oldest', 1, 2, 3, 4, 5);
    assert.deepEqual([await oldest.receive(3, 0), oldest.dropped], [[3, 4, 5], 2]);
    const newest = queueOf('drop-newest', 1, 2, 3, 4, 5);
    assert.deepEqual([await newest.receive(3, 0), newest.dropped], [[1, 2, 3], 2]);
    const large = queueOf('drop-oldest', 1);
    large.push(2, 16 * 1024 * 1024);
    assert.deepEqual([large.waiting, large.dropped], [1, 1]);
  });

  it('lets those who wait go when it closes, and refuses too many', async () => {
    const queue = queueOf('drop-oldest');
    const waiting = Array.from({ length: 1000 }, () => queue.receive(1, 60));
    await assert.rejects(queue.receive(1, 60), /1000 others wait/);
    queue.close();
    assert.deepEqual(new Set((await Promise.all(waiting)).map((items) => items.length)), new Set([0]));
  });
});
