import assert from 'node:assert/strict';
import type { GoalInfo } from '../../../src/ros/ros-action';
import type { RosBackend } from '../../../src/ros/ros-backend';
import type { Keep } from '../../ending-after-each';
import { freshDomain } from '../../rtps/test-domain';
import { ACTION, Caller, upTo, Worker } from '../action-ends';
import type { PeerKind, Peers } from './peers';
import {
  add,
  BEST_EFFORT,
  LATCHED,
  repeat,
  request,
  response,
  say,
  serviceOptions,
  type User,
  VOLATILE,
} from './user';

/** As long as a call may wait for a server on a busy machine, in ms. */
const PATIENCE = 30_000;

const ids = (goals: readonly GoalInfo[]) => goals.map(({ goalId }) => goalId);

export interface WithPeers {
  kind: PeerKind;
  backend(): RosBackend;
  /** The test's domain, until the test after it. */
  domain(): number;
  open(through?: RosBackend, options?: { number?: number }): Promise<User>;
  keep: Keep;
}

/** Declares what a backend does with programs of other people. */
export function describeWithPeers({ kind, backend, domain, open, keep }: WithPeers): void {
  const enter = (test: Mocha.Context, number = domain()): Peers =>
    keep(kind.enter(test, number), (made) => made.leave());

  describe(`with ${kind.name}`, () => {
    it('hears a talker and is heard, reliably', async function () {
      const others = enter(this);
      const user = await open();
      const heard = user.hear('/spoken');
      others.talk('/spoken', 'from others', VOLATILE);
      const listener = others.listen('/said', VOLATILE);
      await user.hasHeard(heard, 'from others');
      await repeat(user.publisher('/said'), 'from us', listener.hears('from us'));
    });

    it('hears a talker and is heard by best effort', async function () {
      const others = enter(this);
      const user = await open();
      const heard = user.hear('/spoken', BEST_EFFORT);
      others.talk('/spoken', 'from others', BEST_EFFORT);
      const listener = others.listen('/said', BEST_EFFORT);
      await user.hasHeard(heard, 'from others');
      await repeat(user.publisher('/said', BEST_EFFORT), 'from us', listener.hears('from us'));
    });

    it('is given what a transient-local talker said before, and gives it to late listeners', async function () {
      const others = enter(this);
      const user = await open();
      others.talk('/map', 'their map', LATCHED, true);
      const publisher = user.publisher('/our_map', { ...LATCHED, depth: 1 });
      publisher.publish(say('old map'), []);
      publisher.publish(say('our map'), []);
      await user.finds('publisher', '/map');
      const heard = user.hear('/map', LATCHED);
      await user.hasHeard(heard, 'their map');
      await others.listen('/our_map', LATCHED).hears('our map');
    });

    it('knows what a transient-local talker said again when it comes once more', async function () {
      const others = enter(this);
      const user = await open();
      others.talk('/map', 'their map', LATCHED, true);
      await user.finds('publisher', '/map');
      const keys: string[] = [];
      const subscribe = () =>
        user.subscribe('/map', LATCHED, ({ sequence, writerGuid, identity }) =>
          keys.push(String(sequence === undefined ? identity : `${writerGuid} ${sequence}`)),
        );
      subscribe();
      await user.until(() => keys.length === 1);
      subscribe();
      await user.until(() => keys.length === 2);
      assert.notEqual(keys[0], 'undefined');
      assert.equal(keys[0], keys[1]);
    });

    it('names the policy that keeps two from matching', async function () {
      const others = enter(this);
      const user = await open();
      user.hear('/weak');
      user.publisher('/strong', BEST_EFFORT);
      user.hear('/fleeting', LATCHED);
      others.talk('/weak', 'lost', BEST_EFFORT);
      others.listen('/strong', VOLATILE);
      others.talk('/fleeting', 'lost', VOLATILE);
      await user.until(() => new Set(user.incompatible).size === 3);
      assert.deepEqual([...new Set(user.incompatible)].sort(), [
        'publisher /fleeting: durability',
        'publisher /weak: reliability',
        'subscription /strong: reliability',
      ]);
    });

    it('knows the endpoints of others with their types and QoS, as long as they are there', async function () {
      const others = enter(this);
      const user = await open();
      const told = new Set<string>();
      for (const rosName of ['/spoken', '/said', '/never'])
        user.domain.onGraphChange(() => told.add(rosName), rosName);
      const talker = others.talk('/spoken', 'hello', BEST_EFFORT);
      const listener = others.listen('/said', VOLATILE);
      await user.finds('publisher', '/spoken');
      await user.finds('subscription', '/said');
      assert.deepEqual(told, new Set(['/spoken', '/said']));
      const found = [...user.domain.endpoints()].filter(({ rosName }) =>
        ['/spoken', '/said'].includes(rosName),
      );
      assert.deepEqual(
        found
          .map(({ kind, rosName, type, qos }) =>
            [kind, rosName, type, qos.reliability, qos.durability].join(' '),
          )
          .sort(),
        [
          'publisher /spoken std_msgs/msg/String best-effort volatile',
          'subscription /said std_msgs/msg/String reliable volatile',
        ],
      );
      assert.ok(user.domain.participants > 0);
      told.clear();
      await talker.stop();
      await user.misses('publisher', '/spoken');
      await listener.stop();
      await user.misses('subscription', '/said');
      assert.deepEqual(told, new Set(['/spoken', '/said']));
      assert.deepEqual([...user.domain.endpoints('/spoken')], []);
    });

    it('calls a service, and knows its servers', async function () {
      const others = enter(this);
      const user = await open();
      const client = user.domain.createServiceClient(serviceOptions('/robot1/add'), () => user.changed());
      const server = others.serve('/robot1/add');
      const call = async (a: number, b: number) =>
        JSON.parse(response.decodeToJson(await client.call(request.encode({ a, b }), PATIENCE))).sum;
      assert.equal(await call(40, 2), 42);
      assert.deepEqual(await Promise.all([call(1, 2), call(3, -4), call(5, 6)]), [3, -1, 11]);
      await user.until(() => client.servers === 1);
      const servers = [...user.domain.services('/robot1/add')];
      assert.deepEqual(
        servers.map(({ kind, type }) => [kind, type]),
        [['server', 'example_interfaces/srv/AddTwoInts']],
      );
      await server.stop();
      await user.until(() => client.servers === 0);
    });

    it('serves a service', async function () {
      const others = enter(this);
      const user = await open();
      user.domain.createServiceServer(serviceOptions('/robot1/add'), add);
      assert.equal(await others.call('/robot1/add', 30, 12), 42);
      assert.equal(await others.call('/robot1/add', 5, -12), -7);
    });

    it('withdraws a server of a service, which answers what it was asked before', async function () {
      const others = enter(this);
      const user = await open();
      let answer: (() => void) | undefined;
      const server = user.domain.createServiceServer(
        serviceOptions('/robot1/add'),
        (cdr) =>
          new Promise((resolve) => {
            answer = () => resolve(add(cdr));
            user.changed();
          }),
      );
      const call = others.call('/robot1/add', 30, 12);
      await user.until(() => answer !== undefined);
      server.withdraw();
      answer?.();
      assert.equal(await call, 42);
    });

    it('calls an action: feedback, result, refusal and cancelation', async function () {
      const server = enter(this).serveAction(ACTION.rosName);
      const caller = new Caller((await open()).domain, PATIENCE);
      keep(caller.client);
      const { goalId } = await caller.send(4);
      assert.deepEqual(await caller.result(goalId), {
        state: 'succeeded',
        result: { sequence: upTo(4) },
      });
      await caller.until(() => caller.goals[0]?.state === 'succeeded');
      // Not by their stamps: rclcpp gives none when it accepts.
      assert.deepEqual(ids(caller.goals), [goalId]);
      assert.ok(caller.feedbacks.length > 0);
      for (const { goalId: of, sequence } of caller.feedbacks) {
        assert.equal(of, goalId);
        assert.deepEqual(sequence, upTo(sequence.length - 1));
      }
      await assert.rejects(caller.send(10_000), { status: 'rejected' });
      const second = await caller.send(40);
      await caller.until(() => caller.feedbacks.some(({ goalId: of }) => of === second.goalId));
      const { answer, goals } = await caller.cancel({ goalId: second.goalId });
      assert.deepEqual([answer, ids(goals)], ['none', [second.goalId]]);
      assert.equal((await caller.result(second.goalId)).state, 'canceled');
      await caller.until(() => caller.client.servers === 1);
      const third = await caller.send(40);
      const left = caller.result(third.goalId).then(
        // rclcpp ends its goals so when it has the time to.
        ({ state }) => assert.equal(state, 'canceled'),
        ({ status, message }) => assert.match(`${status}: ${message}`, /^unavailable: .*the server has left/),
      );
      await caller.until(() => caller.feedbacks.some(({ goalId: of }) => of === third.goalId));
      await server.stop();
      await left;
      await caller.until(() => caller.client.servers === 0);
      assert.deepEqual(caller.problems, []);
    });

    it('serves an action', async function () {
      const others = enter(this);
      const user = await open();
      const worker = new Worker(user.domain);
      keep(worker.server);
      const outcome = others.callAction(ACTION.rosName, 4);
      const goal = await worker.goal();
      assert.deepEqual(goal.goal, { order: 4 });
      await user.finds('subscription', `${ACTION.rosName}/_action/feedback`);
      goal.feedback({ sequence: upTo(3) });
      goal.end('succeeded', { sequence: upTo(4) });
      assert.deepEqual(await outcome, {
        feedback: [upTo(3)],
        succeeded: true,
        sequence: upTo(4),
      });
      assert.deepEqual(worker.problems, []);
    });

    it('keeps two domains apart', async function () {
      const elsewhere = freshDomain();
      const shared = backend();
      const here = await open(shared);
      const there = await open(shared, { number: elsewhere });
      const [heardHere, heardThere] = [here.hear('/spoken'), there.hear('/spoken')];
      enter(this).talk('/spoken', 'here', VOLATILE);
      enter(this, elsewhere).talk('/spoken', 'there', VOLATILE);
      await here.hasHeard(heardHere, 'here');
      await there.hasHeard(heardThere, 'there');
      assert.ok(heardHere.every((text) => text.startsWith('here')));
      assert.ok(heardThere.every((text) => text.startsWith('there')));
    });

    it('does not hear itself, from the first moment and as a late listener', async function () {
      const others = enter(this);
      const user = await open();
      const heard = user.hear('/shared');
      const publisher = user.publisher('/shared', LATCHED);
      const listener = others.listen('/shared', VOLATILE);
      await repeat(publisher, 'own', listener.hears('own'));
      const late = user.hear('/shared', LATCHED);
      others.talk('/shared', 'of others', LATCHED);
      await user.hasHeard(heard, 'of others');
      await user.hasHeard(late, 'of others');
      assert.deepEqual(
        [...heard, ...late].filter((text) => text.startsWith('own')),
        [],
      );
    });
  });
}
