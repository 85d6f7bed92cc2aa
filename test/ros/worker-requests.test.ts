import assert from 'node:assert/strict';
import type { RosWorkerRequest } from '../../src/ros/ros-worker-messages';
import { WorkerRequests } from '../../src/ros/worker-requests';

const MEBIBYTE = 1024 * 1024;

describe('what waits for the ROS worker', function () {
  this.timeout(60_000);
  const requests = () => {
    const posted: RosWorkerRequest[] = [];
    const made = new WorkerRequests(0, { post: (request) => posted.push(request) });
    return { made, posted };
  };
  const full = (count: number) => ({
    message: `topic "x": ${count} messages already wait for the ROS worker`,
  });
  const publish = (made: WorkerRequests, payload: unknown = '') => {
    const ended = made.publish('x', payload, {});
    ended.catch(() => {});
    return ended;
  };

  it('is a bounded number of messages', async () => {
    const { made } = requests();
    const first = publish(made);
    for (let count = 1; count < 10_000; count++) void publish(made);
    assert.throws(() => publish(made), full(10_000));
    assert.throws(() => made.ask({ type: 'graph', domain: 0 }), /10000 requests already wait/);
    made.answer({ id: 0 });
    assert.equal(await first, undefined);
    void publish(made);
    assert.throws(() => publish(made), full(10_000));
  });

  it('has a bounded size, but for one message alone', async () => {
    const { made } = requests();
    const large = publish(made, Buffer.alloc(65 * MEBIBYTE));
    assert.throws(() => publish(made), full(1));
    made.reject('the worker ended');
    await assert.rejects(large, { message: 'the worker ended' });
  });
});
