import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { ReceivedMessage } from '../../src/client/connection';
import { ActionClient, type ActionClientListener } from '../../src/ros/action-client';
import type { BridgeMessage } from '../../src/ros/bridge-message';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { freshDomain } from '../rtps/test-domain';
import { ACTION, ActionBridges, dropped, GOAL_ID, PATIENCE, upTo } from './action-bridges';
import { Watch } from './bridge-fixture';

const library = InterfaceLibrary.bundled();

describe('routes of actions for ROS', function () {
  this.timeout(60_000);
  const bridges = ActionBridges.forSuite();

  /** A client of the test's own. */
  const caller = async (id = bridges.domain) => {
    const watch = new Watch();
    const feedbacks: unknown[] = [];
    const listener: ActionClientListener = {
      feedback: (_goalId, feedback) => {
        feedbacks.push(feedback);
        watch.changed();
      },
      status: () => {},
      serversChanged: () => watch.changed(),
      problem: assert.fail,
    };
    const client = new ActionClient(await bridges.ros(id), library, ACTION, listener);
    bridges.keep(client);
    return { client, feedbacks, watch };
  };

  for (const name of ['cyclone', 'fast'] as const) {
    it(`are served to ${name}`, async function () {
      const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')], mqtt: bridges.mqtt() });
      await bridge.ready();
      const responder = await bridges.mqttClient();
      const client = bridges.program(this, name, 'call', { order: 2 });
      const [{ goal_id, ...said } = {}] = await responder.heard('goal', 1);
      assert.deepEqual(said, { goal: { order: 2 } });
      const { properties } = responder.messages('goal')[0] as ReceivedMessage;
      assert.equal(properties?.responseTopic, `${bridges.topic}/status`);
      await responder.say('status', { goal_id, status: 'accepted' });
      for (const order of [0, 1, 2]) {
        await responder.say('feedback', { goal_id, feedback: { sequence: upTo(order) } });
      }
      const of = (key: string) => client.messages.filter((message) => Object.hasOwn(message as object, key));
      await client.until(() => of('feedback').length === 3);
      await responder.say('result', { goal_id, status: 'succeeded', result: { sequence: upTo(2) } });
      assert.equal(await client.exited(), 0);
      assert.deepEqual(of('accepted'), [{ accepted: true }]);
      assert.deepEqual(
        of('feedback'),
        [0, 1, 2].map((order) => ({ feedback: upTo(order) })),
      );
      assert.deepEqual(of('result'), [{ result: 4, sequence: upTo(2) }]);
      assert.deepEqual(bridge.problems, []);
    });

    it(`are served to ${name} until it cancels`, async function () {
      const bridge = await bridges.open({
        routes: [bridges.route('ros-to-mqtt')],
        mqtt: bridges.mqtt({ protocolVersion: 4 }),
      });
      await bridge.ready();
      const responder = await bridges.mqttClient(4);
      const client = bridges.program(this, name, 'call', { order: 40, cancel: 1 });
      const [{ goal_id } = {}] = await responder.heard('goal', 1);
      // A responder that just begins has taken the goal.
      await responder.say('feedback', { goal_id, feedback: { sequence: [7] } });
      assert.deepEqual(await responder.heard('cancel', 1), [{ goal_id }]);
      await responder.say('status', { goal_id, status: 'canceling' });
      await responder.say('result', { goal_id, status: 'canceled', result: { sequence: [7, 8] } });
      assert.equal(await client.exited(), 0);
      assert.deepEqual(client.messages.at(-1), { result: 5, sequence: [7, 8] });
    });
  }

  it('reject a goal that the responder rejects', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')], mqtt: bridges.mqtt() });
    await bridge.ready();
    const responder = await bridges.mqttClient();
    const { client } = await caller();
    const rejected = assert.rejects(client.sendGoal({}, PATIENCE, GOAL_ID), { status: 'rejected' });
    await responder.heard('goal', 1);
    await responder.say('status', { goal_id: GOAL_ID, status: 'rejected' });
    await rejected;
    assert.deepEqual(bridge.problems, []);
  });

  it('reject a goal that nobody answers', async () => {
    const bridge = await bridges.open({
      routes: [bridges.route('ros-to-mqtt', { timeout: 300 })],
      mqtt: bridges.mqtt(),
    });
    await bridge.ready();
    // It hears the goal, or the bridge would know at once that nobody does.
    await bridges.mqttClient();
    const { client } = await caller();
    await assert.rejects(client.sendGoal({}, PATIENCE), { status: 'rejected' });
    await bridge.until(() => dropped(bridge)?.timeout === 1);
    assert.deepEqual(bridge.problems, [
      `${ACTION.rosName}: nobody has answered at ${bridges.topic}/status in time`,
    ]);
  });

  it('go on when the responder does not cancel, and end at once when it has', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')], mqtt: bridges.mqtt() });
    await bridge.ready();
    const responder = await bridges.mqttClient();
    const { client } = await caller();
    const sent = client.sendGoal({}, PATIENCE, GOAL_ID);
    await responder.heard('goal', 1);
    await responder.say('status', { goals: [{ goal_id: GOAL_ID, status: 'executing' }] });
    await sent;
    const refused = client.cancel({ goalId: GOAL_ID }, PATIENCE);
    await responder.heard('cancel', 1);
    await responder.say('status', { goal_id: GOAL_ID, error: 'rejected', goals: [] });
    assert.deepEqual(await refused, { answer: 'rejected', goals: [] });
    const canceled = client.cancel({ goalId: GOAL_ID }, PATIENCE);
    await responder.heard('cancel', 2);
    await responder.say('result', { goal_id: GOAL_ID, status: 'canceled', result: { sequence: [1] } });
    assert.equal((await canceled).answer, 'none');
    const result = await client.result(GOAL_ID, PATIENCE);
    assert.deepEqual(result, { state: 'canceled', result: { sequence: [1] } });
  });

  it('report what the responder says wrong, and abort a goal whose result is', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')], mqtt: bridges.mqtt() });
    await bridge.ready();
    const responder = await bridges.mqttClient();
    const { client, feedbacks, watch } = await caller();
    const sent = client.sendGoal({}, PATIENCE, GOAL_ID);
    await responder.heard('goal', 1);
    await responder.say('status', '{');
    await responder.say('feedback', { goal_id: 'of nobody' });
    await responder.say('feedback', { goal_id: GOAL_ID, feedback: { sequence: 5 } });
    await responder.say('feedback', { goal_id: GOAL_ID, feedback: { sequence: [5] } });
    await sent;
    await watch.until(() => feedbacks.length === 1);
    assert.deepEqual(feedbacks, [{ sequence: [5] }]);
    await responder.say('result', { goal_id: GOAL_ID, status: 'succeeded', result: { sequence: 'x' } });
    const result = await client.result(GOAL_ID, PATIENCE);
    assert.deepEqual(result, { state: 'aborted', result: { sequence: [] } });
    await bridge.until(() => bridge.problems.length === 3);
    const faults = bridge.problems.map((problem) => problem.slice(ACTION.rosName.length + 2).slice(0, 17));
    assert.deepEqual(faults, ['not valid JSON: E', 'feedback.sequence', 'result.sequence: ']);
    await bridge.until(() => dropped(bridge)?.invalid === 3);
  });

  it('are aborted when their results do not come in time', async () => {
    const settings = bridges.route('ros-to-mqtt', { resultTimeout: 1 });
    const bridge = await bridges.open({ routes: [settings], mqtt: bridges.mqtt() });
    await bridge.ready();
    const responder = await bridges.mqttClient();
    const { client } = await caller();
    const sent = client.sendGoal({}, PATIENCE, GOAL_ID);
    await responder.heard('goal', 1);
    await responder.say('status', { goal_id: GOAL_ID, status: 'accepted' });
    await sent;
    await bridge.until(() => bridge.problems.length > 0);
    assert.deepEqual(bridge.problems, [`${ACTION.rosName}: goal ${GOAL_ID} has no result in time`]);
    // How long the end of a goal is known is another matter than how long it may take.
    assert.equal((await client.result(GOAL_ID, PATIENCE)).state, 'aborted');
  });

  it('are served by the flow, and rejected while nobody is there', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')] });
    const { client, feedbacks, watch } = await caller();
    const { handle } = bridge;
    const sent = client.sendGoal({ order: 9 }, PATIENCE, GOAL_ID);
    await bridge.until(() => bridge.messages.length === 1);
    assert.deepEqual(bridge.messages[0], {
      topic: `${bridges.topic}/goal`,
      payload: { goal_id: GOAL_ID, goal: { order: 9 } },
      domain: bridges.domain,
      rosName: ACTION.rosName,
      rosType: ACTION.type,
    });
    await handle.publish(`${bridges.topic}/feedback`, { goal_id: GOAL_ID, feedback: { sequence: [1] } });
    await sent;
    await watch.until(() => feedbacks.length === 1);
    await assert.rejects(handle.publish(`${bridges.topic}/feedback`, { goal_id: 'x' }), {
      message: `${ACTION.rosName}/@action/feedback: no goal of that goal_id is under way`,
    });
    await assert.rejects(handle.publish(`${bridges.topic}/goal`, {}), {
      message: `${ACTION.rosName}: an action for ROS takes messages at ${bridges.topic}/status, ${bridges.topic}/feedback, ${bridges.topic}/result`,
    });
    await handle.publish(`${bridges.topic}/result`, { goal_id: GOAL_ID, status: 'succeeded' });
    const result = await client.result(GOAL_ID, PATIENCE);
    assert.deepEqual(result, { state: 'succeeded', result: { sequence: [] } });
    const ends: Array<[Record<string, unknown>, string]> = [
      [{ status: 'lost' }, 'status: expected succeeded, aborted, canceled, got "lost"'],
      [{ '@error': 'x'.repeat(101) }, `${'x'.repeat(100)}…`],
    ];
    for (const [end, reason] of ends) {
      const count = bridge.messages.length + 1;
      const next = client.sendGoal({}, PATIENCE);
      await bridge.until(() => bridge.messages.length === count);
      const { goal_id } = (bridge.messages.at(-1) as BridgeMessage).payload as { goal_id: string };
      await handle.publish(`${bridges.topic}/status`, { goal_id, status: 'accepted' });
      await next;
      await assert.rejects(handle.publish(`${bridges.topic}/result`, { goal_id, ...end }), {
        message: `${ACTION.rosName}/@action/result: goal ${goal_id} is aborted: ${reason}`,
      });
      assert.equal((await client.result(goal_id, PATIENCE)).state, 'aborted');
    }
    handle.flowOutput = false;
    // Its answer comes when the bridge knows.
    await assert.rejects(handle.publish(`${bridges.topic}/result`, {}), /no goal of that goal_id/);
    await assert.rejects(client.sendGoal({}, PATIENCE), { status: 'rejected' });
    await bridge.until(() => dropped(bridge)?.offline === 1);
  });

  it('keep a bounded number of messages about a goal whose client does not know yet that it is accepted', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('ros-to-mqtt')] });
    const { client, feedbacks, watch } = await caller();
    const sent = client.sendGoal({}, PATIENCE, GOAL_ID);
    await bridge.until(() => bridge.messages.length === 1);
    const say = (n: number) =>
      bridge.handle.publish(`${bridges.topic}/feedback`, { goal_id: GOAL_ID, feedback: { sequence: [n] } });
    // In one batch: the worker takes them before anything else.
    await Promise.all(Array.from({ length: 105 }, (_, n) => say(n)));
    await sent;
    await watch.until(() => feedbacks.some((feedback) => isDeepStrictEqual(feedback, { sequence: [104] })));
    await bridge.until(() => dropped(bridge)?.['in-flight'] === 5);
    assert.equal(
      feedbacks.some((feedback) => isDeepStrictEqual(feedback, { sequence: [4] })),
      false,
    );
  });

  it('are served by one of two bridges', async () => {
    await bridges.open({ id: 'a', routes: [bridges.route('ros-to-mqtt')], mqtt: bridges.mqtt() });
    const second = await bridges.open({
      id: 'b',
      routes: [bridges.route('ros-to-mqtt')],
      mqtt: bridges.mqtt(),
    });
    await second.until(() => second.route()?.standby?.['ros-to-mqtt'] === 'a');
    const responder = await bridges.mqttClient();
    const { client, watch } = await caller();
    await watch.until(() => client.servers === 1);
    const sent = client.sendGoal({ order: 1 }, PATIENCE, GOAL_ID);
    await responder.heard('goal', 1);
    await responder.say('status', { goal_id: GOAL_ID, status: 'accepted' });
    await sent;
    await responder.say('result', { goal_id: GOAL_ID, status: 'succeeded', result: { sequence: [1] } });
    const result = await client.result(GOAL_ID, PATIENCE);
    assert.deepEqual(result, { state: 'succeeded', result: { sequence: [1] } });
    assert.equal(responder.messages('goal').length, 1);
  });

  it('reach from one domain into another over MQTT', async function () {
    const other = freshDomain();
    // So slowly that a long goal runs still when it is to be canceled.
    bridges.program(this, 'cyclone', 'serve', { domain: other, period: 200 });
    await bridges.mqttClient(5, `ros/site${ACTION.rosName}/@action`);
    const near = { domains: [bridges.domain], aliases: { site: bridges.domain }, mqtt: bridges.mqtt() };
    const far = { domains: [other], aliases: { site: other }, mqtt: bridges.mqtt() };
    const serving = await bridges.open({ ...near, routes: [bridges.route('ros-to-mqtt')] });
    const calling = await bridges.open({ ...far, routes: [bridges.route('mqtt-to-ros', { domain: other })] });
    await serving.ready();
    await calling.ready({ servers: 1 });
    const { client, feedbacks, watch } = await caller();
    const { goalId } = await client.sendGoal({ order: 3 }, PATIENCE);
    const result = await client.result(goalId, PATIENCE);
    assert.deepEqual(result, { state: 'aborted', result: { sequence: upTo(3) } });
    await watch.until(() => feedbacks.length === 4);
    const long = await client.sendGoal({ order: 40 }, PATIENCE);
    assert.equal((await client.cancel({ goalId: long.goalId }, PATIENCE)).answer, 'none');
    assert.equal((await client.result(long.goalId, PATIENCE)).state, 'canceled');
    await assert.rejects(client.sendGoal({ order: 99 }, PATIENCE), { status: 'rejected' });
  });
});
