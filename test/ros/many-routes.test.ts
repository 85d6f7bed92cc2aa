import assert from 'node:assert/strict';
import { ManyRoutes } from './many-routes';

describe('many routes that are added and removed while data flows', function () {
  this.timeout(60_000);
  const many = new ManyRoutes();

  before(() => many.open());
  after(() => many.close());

  it('leave nothing at the broker, in ROS or in timers, and keep nothing back', async () => {
    const before = await many.remains();
    assert.deepEqual(await many.round(42), { said: 84, toRos: 84, toMqtt: 84 });
    await many.settled(before);
    const { subscriptions, endpoints } = await many.remains();
    assert.deepEqual([subscriptions, endpoints], [before.subscriptions, before.endpoints]);
    assert.deepEqual(many.problems, []);
  });
});
