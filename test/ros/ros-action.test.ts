import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import {
  ActionServer,
  type ActionServerHandler,
  type ActionServerOptions,
} from '../../src/ros/action-server';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { actionsAmong, FEEDBACK_QOS, type GoalInfo } from '../../src/ros/ros-action';
import { ACTION, Caller, PATIENCE, upTo, Worker } from './action-ends';
import { Watch } from './bridge-fixture';
import { Bridges } from './bridges';

const library = InterfaceLibrary.bundled();
const OTHER_ID = '0b8f1ec2-3c52-4a0e-9d3c-6f1f6f6b9a01';

describe('actions of ROS 2', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });
  const open = () => bridges.ros();
  const caller = async (): Promise<Caller> => {
    const one = new Caller(await open());
    bridges.keep(one.client);
    return one;
  };
  const worker = async (options?: Partial<ActionServerOptions>): Promise<Worker> => {
    const one = new Worker(await open(), options);
    bridges.keep(one.server);
    return one;
  };

  for (const vendor of ['cyclone', 'fast'] as const) {
    describe(`with ${vendor}`, () => {
      const peer = (
        test: Mocha.Context,
        role: 'serve' | 'call',
        args: Record<string, string | number> = {},
      ) => {
        const all = { action: ACTION.rosName, domain, timeout: 20, ...args };
        return bridges.vendor(vendor).peer(test, role, { args: all }, 'action');
      };

      it('are called: feedback in order, states, and each kind of end', async function () {
        peer(this, 'serve');
        const one = await caller();
        const { goalId, stamp } = await one.send(4);
        assert.deepEqual(await one.result(goalId), { state: 'succeeded', result: { sequence: upTo(4) } });
        await one.until(() => one.feedbacks.length === 5);
        assert.deepEqual(
          one.feedbacks,
          [0, 1, 2, 3, 4].map((order) => ({ goalId, sequence: upTo(order) })),
        );
        await one.until(() => one.goals[0]?.state === 'succeeded');
        assert.deepEqual(one.goals, [{ goalId, stamp, state: 'succeeded' }]);
        const second = await one.send(1);
        assert.deepEqual(await one.result(second.goalId), {
          state: 'aborted',
          result: { sequence: upTo(1) },
        });
        await assert.rejects(one.send(99, OTHER_ID), {
          name: 'ActionError',
          status: 'rejected',
          message: `action /robot1/fibonacci: the server has rejected the goal ${OTHER_ID}`,
        });
        await assert.rejects(one.result(OTHER_ID), { name: 'ActionError', status: 'unknown-goal' });
        assert.deepEqual(one.problems, []);
      });

      it('are canceled, where the server knows them and they run', async function () {
        // So slowly that they run still when they are to be canceled.
        peer(this, 'serve', { period: 500 });
        const one = await caller();
        const goals = await Promise.all([one.send(40), one.send(38)]);
        const [first, second] = goals.map(({ goalId }) => goalId) as [string, string];
        await one.until(() => one.feedbacks.some(({ goalId }) => goalId === first));
        assert.deepEqual(await one.cancel({ goalId: first }), { answer: 'none', goals: [goals[0]] });
        assert.equal((await one.result(first)).state, 'canceled');
        assert.deepEqual(await one.cancel({}), { answer: 'none', goals: [goals[1]] });
        assert.equal((await one.result(second)).state, 'canceled');
        assert.deepEqual(await one.cancel({ goalId: first }), { answer: 'goal-terminated', goals: [] });
        assert.deepEqual(await one.cancel({ goalId: OTHER_ID }), { answer: 'unknown-goal-id', goals: [] });
      });

      it('go on when the server refuses to cancel them', async function () {
        peer(this, 'serve', { 'refuse-cancel': 1, period: 100 });
        const one = await caller();
        const { goalId } = await one.send(30);
        assert.deepEqual(await one.cancel({ goalId }), { answer: 'rejected', goals: [] });
        assert.equal((await one.result(goalId)).state, 'succeeded');
      });

      it('tell a client that comes late of the goals before it', async function () {
        peer(this, 'serve');
        const early = await caller();
        const { goalId, stamp } = await early.send(2);
        await early.result(goalId);
        const late = await caller();
        await late.until(() => late.goals.length > 0);
        assert.deepEqual(late.goals, [{ goalId, stamp, state: 'succeeded' }]);
      });

      it('end with what was asked when the server leaves in the middle', async function () {
        const server = peer(this, 'serve', { period: 100 });
        const one = await caller();
        const { goalId } = await one.send(40);
        const result = assert.rejects(one.result(goalId), {
          name: 'ServiceError',
          status: 'unavailable',
          message: /the server has left/,
        });
        await one.until(() => one.feedbacks.length > 0);
        await server.stop();
        await result;
        await one.until(() => one.client.servers === 0);
        await assert.rejects(one.client.sendGoal({ order: 1 }, 50), { status: 'unavailable' });
      });

      it('are served', async function () {
        const one = await worker();
        const first = peer(this, 'call', { order: 4 });
        const goal = await one.goal();
        assert.deepEqual(goal.goal, { order: 4 });
        for (let step = 0; step <= 4; step++) goal.feedback({ sequence: upTo(step) });
        const of = (key: string) => first.messages.filter((message) => Object.hasOwn(message as object, key));
        await first.until(() => of('feedback').length === 5);
        goal.end('succeeded', { sequence: upTo(4) });
        assert.equal(await first.exited(), 0);
        assert.deepEqual(of('accepted'), [{ accepted: true }]);
        assert.deepEqual(
          of('feedback'),
          [0, 1, 2, 3, 4].map((step) => ({ feedback: upTo(step) })),
        );
        assert.deepEqual(of('result'), [{ result: 4, sequence: upTo(4) }]);
        one.execute = (next) => next.end('aborted', { sequence: upTo(3) });
        const second = peer(this, 'call', { order: 3, late: 1 });
        assert.equal(await second.exited(), 0);
        assert.deepEqual(second.messages[0], { status: [4] });
        assert.deepEqual(second.messages.at(-1), { result: 6, sequence: upTo(3) });
      });

      it('are served with a refusal', async function () {
        const one = await worker();
        one.accept = async ({ goal }) => (goal as { order: number }).order < 10;
        const client = peer(this, 'call', { order: 11 });
        assert.equal(await client.exited(), 0);
        assert.deepEqual(client.messages, [{ accepted: false }]);
        assert.equal(one.server.active, 0);
      });

      it('are served until a client cancels', async function () {
        const one = await worker();
        const client = peer(this, 'call', { order: 40, cancel: 2 });
        const goal = await one.goal();
        goal.canceling.addEventListener('abort', () => goal.end('canceled', { sequence: upTo(1) }));
        goal.feedback({ sequence: upTo(0) });
        goal.feedback({ sequence: upTo(1) });
        assert.equal(await client.exited(), 0);
        const of = (key: string) =>
          client.messages.filter((message) => Object.hasOwn(message as object, key));
        assert.deepEqual(of('feedback'), [{ feedback: upTo(0) }, { feedback: upTo(1) }]);
        assert.deepEqual(of('result'), [{ result: 5, sequence: upTo(1) }]);
      });
    });
  }

  describe('between two of our own', () => {
    it('come to their ends', async () => {
      const [there, here] = [await worker(), await caller()];
      const { goalId } = await here.send(3);
      const goal = await there.goal();
      assert.deepEqual([goal.goalId, goal.goal, goal.state], [goalId, { order: 3 }, 'executing']);
      const result = here.result(goalId);
      goal.feedback({ sequence: [7] });
      await here.until(() => here.feedbacks.length === 1);
      goal.end('succeeded', { sequence: [7, 8] });
      assert.deepEqual(await result, { state: 'succeeded', result: { sequence: [7, 8] } });
      await here.until(() => here.goals[0]?.state === 'succeeded');
      assert.deepEqual(await here.result(goalId), await result, 'who asks again hears the same');
      assert.equal(there.server.active, 0);
      assert.throws(() => goal.feedback({ sequence: [] }), {
        message: `goal ${goalId} is succeeded already`,
      });
      assert.throws(() => goal.end('aborted'), {
        message: `goal ${goalId} is succeeded: it cannot become aborted`,
      });
    });

    it('show all the states through which they go', async () => {
      const [there, here] = [await worker(), await caller()];
      const { goalId } = await here.send(3);
      const goal = await there.goal();
      await here.until(() => here.goals[0]?.state === 'executing');
      await here.cancel({ goalId });
      assert.equal(goal.canceling.aborted, true);
      await here.until(() => here.goals[0]?.state === 'canceling');
      goal.end('canceled');
      await here.until(() => here.goals[0]?.state === 'canceled');
      // A depth of one keeps the last state only, so that one that does not last may be skipped.
      const states = here.states.flat().filter((state) => state !== 'accepted');
      assert.deepEqual(states, ['executing', 'canceling', 'canceled']);
    });

    it('refuse a value that is not of the type, and go on', async () => {
      const [there, here] = [await worker(), await caller()];
      await assert.rejects(here.client.sendGoal({ order: 'many' }, PATIENCE), {
        name: 'PayloadError',
        message: /goal\.order/,
      });
      await assert.rejects(here.client.sendGoal({ order: 1 }, PATIENCE, 'first'), {
        message: /^goal_id: expected a UUID such as ".*", got "first"$/,
      });
      const { goalId } = await here.send(3);
      const goal = await there.goal();
      assert.throws(() => goal.feedback({ sequence: ['x'] }), { message: /feedback\.sequence\[0\]/ });
      assert.throws(() => goal.end('succeeded', { sequence: 1 }), { message: /result\.sequence/ });
      assert.equal(goal.state, 'executing');
      assert.throws(() => goal.end('canceled'), { message: /is executing: it cannot become canceled/ });
      goal.end('succeeded');
      assert.deepEqual(await here.result(goalId), { state: 'succeeded', result: { sequence: [] } });
    });

    it('reject a goal whose id is taken, and one above the bound', async () => {
      const [there, here] = [await worker(), await caller()];
      await here.send(1, OTHER_ID);
      await assert.rejects(here.send(2, OTHER_ID), { status: 'rejected' });
      for (let goals = 1; goals < 100; goals++) await here.send(1);
      assert.equal(there.server.active, 100);
      await assert.rejects(here.send(1), { status: 'rejected' });
      (await there.goal()).end('succeeded');
      await here.send(1);
    });

    it('are canceled by the time of their acceptance, or all', async () => {
      const [there, here] = [await worker(), await caller()];
      const first = await here.send(1);
      // A stamp counts milliseconds.
      while (Date.now() <= first.stamp.sec * 1000 + first.stamp.nanosec / 1_000_000) await setImmediate();
      const second = await here.send(2);
      const third = await here.send(3);
      const refused = (await there.goal(2)).goalId;
      there.cancel = async ({ goalId }) => goalId !== refused;
      assert.deepEqual(await here.cancel({ until: first.stamp }), { answer: 'none', goals: [first] });
      const both = await here.cancel({ goalId: third.goalId, until: first.stamp });
      assert.deepEqual(
        both,
        { answer: 'none', goals: [first] },
        'one is canceling already, the other refused',
      );
      assert.deepEqual((await here.cancel({})).goals, [first, second]);
      assert.deepEqual(await here.cancel({ goalId: refused }), { answer: 'rejected', goals: [] });
      for (const goal of there.goals) goal.end('aborted');
      assert.deepEqual(await here.cancel({}), { answer: 'none', goals: [] });
    });

    it('are aborted, and told of, when their handler fails', async () => {
      const [there, here] = [await worker(), await caller()];
      there.execute = () => {
        throw new Error('no arm');
      };
      const { goalId } = await here.send(1);
      assert.equal((await here.result(goalId)).state, 'aborted');
      there.accept = async () => {
        throw new Error('no leg');
      };
      await assert.rejects(here.send(1), { status: 'rejected' });
      assert.deepEqual(there.problems, ['/robot1/fibonacci: no arm', '/robot1/fibonacci: no leg']);
    });

    it('time out for who waits for a result, and nobody else', async () => {
      const [there, here] = [await worker(), await caller()];
      const { goalId } = await here.send(1);
      const patient = here.result(goalId);
      await assert.rejects(here.client.result(goalId, 20), { name: 'ServiceError', status: 'timeout' });
      (await there.goal()).end('succeeded', { sequence: [1] });
      assert.deepEqual(await patient, { state: 'succeeded', result: { sequence: [1] } });
    });

    it('keep no more requests for a result than the bound, the newest', async () => {
      const there = await worker();
      const user = await open();
      // A client's history holds ten requests.
      const callers = [1, 2, 3].map(() => new Caller(user));
      const { goalId } = await (callers[0] as Caller).send(1);
      const results = callers.flatMap((one) => Array.from({ length: 7 }, () => one.result(goalId)));
      const settled = Promise.allSettled(results);
      await there.until(() => there.problems.length > 0);
      assert.deepEqual(there.problems, [
        '/robot1/fibonacci/_action/get_result: more than 20 wait for the result of one goal',
      ]);
      (await there.goal()).end('succeeded');
      // What is asked after the rest is answered after it.
      for (const one of callers) await one.result(goalId);
      for (const one of callers) one.client.close();
      const unanswered = (await settled).filter(({ status }) => status === 'rejected');
      assert.equal(unanswered.length, 1);
    });

    it('forget results in time, and the oldest above a number', async () => {
      const [brief, here] = [await worker({ resultTimeout: 1 }), await caller()];
      brief.execute = (goal) => goal.end('succeeded');
      const { goalId } = await here.send(1);
      await here.until(() => here.states.length > 0 && here.goals.length === 0);
      await assert.rejects(here.result(goalId), { status: 'unknown-goal' });
      brief.server.close();
      await here.until(() => here.client.servers === 0);
      const there = await worker();
      there.execute = brief.execute;
      const goals: GoalInfo[] = [];
      for (let sent = 0; sent <= 100; sent++) goals.push(await here.send(1));
      await assert.rejects(here.result(goals[0]?.goalId ?? ''), { status: 'unknown-goal' });
      assert.equal((await here.result(goals[1]?.goalId ?? '')).state, 'succeeded');
    });

    it('go on while their states cannot be published, as while rclnodejs is started again', async () => {
      const [user, here] = [await open(), await caller()];
      let isDown = false;
      const createPublisher = user.createPublisher.bind(user);
      user.createPublisher = (options) => {
        const publisher = createPublisher(options);
        return {
          publish: (...sample) => {
            if (isDown) throw new Error('it is being started again');
            publisher.publish(...sample);
          },
          close: () => publisher.close(),
        };
      };
      const there = new Worker(user, { resultTimeout: 1 });
      bridges.keep(there.server);
      await here.send(1);
      const goal = await there.goal();
      isDown = true;
      goal.end('succeeded');
      assert.equal(goal.state, 'succeeded');
      // The second is of the timer by which the result is forgotten.
      await there.until(() => there.problems.length === 2);
      const problem = '/robot1/fibonacci/_action/status: it is being started again';
      assert.deepEqual(there.problems, [problem, problem]);
    });

    it('give up what waits when either side closes', async () => {
      const [there, here] = [await worker(), await caller()];
      const { goalId } = await here.send(1);
      const lost = assert.rejects(here.result(goalId), { status: 'unavailable', message: /has left/ });
      await there.goal();
      there.server.close();
      await lost;
      const closed = assert.rejects(here.send(1), { status: 'unavailable', message: /client was closed/ });
      here.client.close();
      await closed;
    });

    it('report what is not of the type', async () => {
      const [there, here] = [await worker(), await caller()];
      await here.send(1);
      let matched = false;
      const publisher = (await open()).createPublisher({
        rosName: `${ACTION.rosName}/_action/feedback`,
        type: `${ACTION.type}_FeedbackMessage`,
        typeHash: `RIHS01_${'0'.repeat(64)}`,
        qos: FEEDBACK_QOS,
        onIncompatible: () => {
          matched = true;
          here.changed();
        },
      });
      await here.until(() => here.problems.length > 0 && matched);
      assert.deepEqual(here.problems, [
        '/robot1/fibonacci/_action/feedback: a server does not suit by its type hash',
      ]);
      publisher.publish(Buffer.from([0, 1, 0, 0, 1]), []);
      await here.until(() => here.problems.length > 1);
      assert.match(
        here.problems[1] ?? '',
        /_action\/feedback: example_interfaces\/action\/Fibonacci_Feedback/,
      );
      assert.deepEqual(there.problems, []);
    });

    it('are among what is known of the domain', async () => {
      const user = await open();
      const watch = new Watch();
      user.onGraphChange(() => watch.changed());
      await worker();
      await caller();
      const known = () => [...actionsAmong(user.services())].map(({ kind }) => kind).sort();
      await watch.until(() => known().length === 2);
      assert.deepEqual(known(), ['client', 'server']);
      for (const { rosName, type } of actionsAmong(user.services()))
        assert.deepEqual({ rosName, type }, ACTION);
    });
  });

  it('need a name that leaves room for those of its parts', async () => {
    const user = await open();
    const name = (length: number) => `/${'a'.repeat(length - 1)}`;
    const make =
      (rosName: string, type = ACTION.type) =>
      () =>
        new ActionServer(user, library, { rosName, type }, {} as ActionServerHandler);
    assert.throws(make(name(228)), { message: /has 248 characters; at most 247 are allowed/ });
    make(name(227))().close();
    assert.throws(make('fibonacci'), { message: /does not start with/ });
    assert.throws(make('/a', 'my_msgs/action/Dance'), { name: 'UnknownTypeError' });
  });
});
