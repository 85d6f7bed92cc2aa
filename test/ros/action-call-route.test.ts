import assert from 'node:assert/strict';
import type { ReceivedMessage } from '../../src/client/connection';
import { ActionServer, type ActionServerHandler } from '../../src/ros/action-server';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import type { ServerGoal } from '../../src/ros/server-goal';
import { Inbox } from '../client/observed';
import { ACTION, ActionBridges, dropped, GOAL_ID, parsed, upTo } from './action-bridges';
import { Watch } from './bridge-fixture';

const library = InterfaceLibrary.bundled();

describe('routes of actions to ROS', function () {
  this.timeout(60_000);
  const bridges = ActionBridges.forSuite();

  /** A server of the test's own, which leaves the goals to the test. */
  const server = async (change: Partial<ActionServerHandler> = {}) => {
    const watch = new Watch();
    const goals: ServerGoal[] = [];
    const made = new ActionServer(await bridges.ros(), library, ACTION, {
      accept: () => true,
      execute: (goal) => {
        goals.push(goal);
        watch.changed();
      },
      cancel: () => true,
      problem: assert.fail,
      ...change,
    });
    bridges.keep(made);
    const next = async () => {
      await watch.until(() => goals.length > 0);
      return goals.shift() as ServerGoal;
    };
    return { next, close: () => made.close() };
  };

  for (const name of ['cyclone', 'fast'] as const) {
    it(`have goals worked on by ${name}`, async function () {
      bridges.program(this, name, 'serve');
      const bridge = await bridges.open({
        id: 'b1',
        routes: [bridges.route('mqtt-to-ros')],
        mqtt: bridges.mqtt(),
      });
      await bridge.ready({ servers: 1 });
      const client = await bridges.mqttClient();
      const answers = await Inbox.on(client.connection, 'answers');
      const correlationData = Buffer.from([0, 255]);
      await client.say('goal', { goal: { order: 4 } }, { responseTopic: 'answers', correlationData });
      await answers.until(({ messages }) => messages.length === 1);
      const answer = answers.messages[0] as ReceivedMessage;
      const { goal_id, status, stamp } = parsed(answer);
      assert.equal(status, 'accepted');
      assert.deepEqual(answer.properties?.correlationData, correlationData);
      assert.deepEqual(
        { ...answer.properties?.userProperties },
        { 'ros-status': 'ok', 'ros-type': ACTION.type, 'ros-via': 'b1' },
      );
      assert.deepEqual(await client.heard('result', 1), [
        { goal_id, status: 'succeeded', result: { sequence: upTo(4) } },
      ]);
      assert.deepEqual(
        await client.heard('feedback', 5),
        [0, 1, 2, 3, 4].map((order) => ({ goal_id, feedback: { sequence: upTo(order) } })),
      );
      const ended = JSON.stringify({ goals: [{ goal_id, status: 'succeeded', stamp }] });
      await client.inbox.until(() => client.inbox.texts.includes(`${bridges.topic}/status=${ended}`));
      assert.deepEqual(bridge.problems, []);
    });
  }

  it('tell clients of MQTT 3.1.1, which have no response topic, of the end of their goals', async () => {
    const there = await server({ accept: ({ goal }) => (goal as { order: number }).order > 0 });
    const bridge = await bridges.open({
      routes: [bridges.route('mqtt-to-ros')],
      mqtt: bridges.mqtt({ protocolVersion: 4 }),
    });
    await bridge.ready({ servers: 1 });
    const client = await bridges.mqttClient(4);
    await client.say('goal', { goal_id: GOAL_ID, goal: { order: 3 } });
    const goal = await there.next();
    assert.deepEqual([goal.goalId, goal.goal], [GOAL_ID, { order: 3 }]);
    // Sent twice, as MQTT may: it is one goal, which ends once.
    await client.say('goal', { goal_id: GOAL_ID.toUpperCase(), goal: { order: 3 } });
    const twice = `action ${ACTION.rosName}: goal ${GOAL_ID} is under way already`;
    await bridge.until(() => bridge.problems.includes(twice));
    goal.end('aborted', { sequence: [1] });
    await client.heard('result', 1);
    const other = GOAL_ID.replace('0b', '0c');
    await client.say('goal', { goal_id: other, goal: { order: 0 } });
    assert.deepEqual(await client.heard('result', 2), [
      { goal_id: GOAL_ID, status: 'aborted', result: { sequence: [1] } },
      { goal_id: other, status: 'rejected' },
    ]);
    await bridge.until(() => dropped(bridge)?.rejected === 1);
    const { mqttReceived, rosPublished } = bridge.route()?.counts ?? {};
    assert.deepEqual([mqttReceived, rosPublished], [3, 2]);
    assert.deepEqual([bridge.problems, bridge.route()?.problem], [[twice], undefined]);
  });

  it('are canceled, one or all', async () => {
    const there = await server({ cancel: ({ goal }) => (goal as { order: number }).order !== 3 });
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const client = await bridges.mqttClient();
    const answers = await Inbox.on(client.connection, 'answers');
    const cancel = async (message: unknown) => {
      const count = answers.messages.length + 1;
      await client.say('cancel', message, { responseTopic: 'answers' });
      await answers.until(({ messages }) => messages.length === count);
      return parsed(answers.messages.at(-1) as ReceivedMessage);
    };
    const goals: ServerGoal[] = [];
    for (const order of [1, 2, 3]) {
      await client.say('goal', { goal: { order } });
      goals.push(await there.next());
    }
    const [first, second, third] = goals as [ServerGoal, ServerGoal, ServerGoal];
    const canceling = ({ goalId, stamp }: ServerGoal) => ({ goal_id: goalId, status: 'canceling', stamp });
    assert.deepEqual(await cancel({ goal_id: first.goalId }), {
      goal_id: first.goalId,
      error: 'none',
      goals: [canceling(first)],
    });
    assert.deepEqual(await cancel(''), { error: 'none', goals: [canceling(first), canceling(second)] });
    const refused = { goal_id: third.goalId, error: 'rejected', goals: [] };
    assert.deepEqual(await cancel({ goal_id: third.goalId }), refused);
    const unknown = { goal_id: GOAL_ID, error: 'unknown-goal-id', goals: [] };
    assert.deepEqual(await cancel({ goal_id: GOAL_ID }), unknown);
    first.end('canceled', { sequence: [] });
    assert.deepEqual(await client.heard('result', 1), [
      { goal_id: first.goalId, status: 'canceled', result: { sequence: [] } },
    ]);
  });

  it('say of what fails why', async () => {
    const bridge = await bridges.open({
      routes: [bridges.route('mqtt-to-ros', { timeout: 50 })],
      mqtt: bridges.mqtt(),
    });
    await bridge.ready();
    const client = await bridges.mqttClient();
    const answers = await Inbox.on(client.connection, 'answers');
    const fails = async (part: string, message: unknown, status: string, reason: string) => {
      const count = answers.messages.length + 1;
      await client.say(part, message, { responseTopic: 'answers' });
      await answers.until(({ messages }) => messages.length === count);
      const answer = answers.messages.at(-1) as ReceivedMessage;
      assert.equal(answer.properties?.userProperties?.['ros-status'], status);
      assert.deepEqual([parsed(answer)['@status'], parsed(answer)['@error']], [status, reason]);
      await bridge.until(() => bridge.problems.at(-1) === reason && bridge.route()?.problem === reason);
    };
    const about = `action ${ACTION.rosName}: `;
    await fails('goal', '[', 'bad-request', `${about}not valid JSON: Unexpected end of JSON input`);
    await fails('goal', [], 'bad-request', `${about}expected an object with goal_id, goal`);
    const order = `${about}unknown field "order"; known are goal_id, goal`;
    await fails('goal', { order: 5 }, 'bad-request', order);
    const uuid = `${about}goal_id: expected a UUID such as "${GOAL_ID}", got "first"`;
    await fails('goal', { goal_id: 'first' }, 'bad-request', uuid);
    await fails('cancel', { goal_id: 'first' }, 'bad-request', uuid);
    const number = `${about}goal.order: expected an integer from -2147483648 to 2147483647, got "x"`;
    await fails('goal', { goal: { order: 'x' } }, 'bad-request', number);
    const nobody = (part: string) => `service ${ACTION.rosName}/_action/${part}: no server was found in time`;
    await fails('goal', {}, 'unavailable', nobody('send_goal'));
    await fails('cancel', '', 'unavailable', nobody('cancel_goal'));
    await bridge.until(() => dropped(bridge)?.unavailable === 2);
    assert.deepEqual(dropped(bridge), { invalid: 6, unavailable: 2 });
  });

  it('refuse in few words what is as deep or as long as a message can be', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() });
    await bridge.ready();
    const client = await bridges.mqttClient();
    const answers = await Inbox.on(client.connection, 'answers');
    // Nothing can make it a text again: it is deeper than the stack.
    const deep = `{"goal_id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    await client.say('goal', deep, { responseTopic: 'answers' });
    await client.say('cancel', deep, { responseTopic: 'answers' });
    await client.say('goal', { ['x'.repeat(10_000)]: 5 }, { responseTopic: 'answers' });
    await answers.until(({ messages }) => messages.length === 3);
    const about = `action ${ACTION.rosName}: `;
    const id = `${about}goal_id: expected a UUID such as "${GOAL_ID}", got an array of 1`;
    const field = `${about}unknown field "${'x'.repeat(100)}…"; known are goal_id, goal`;
    assert.deepEqual(
      answers.messages.map((answer) => parsed(answer)),
      [id, id, field].map((reason) => ({ '@status': 'bad-request', '@error': reason })),
    );
    await bridge.until(() => dropped(bridge)?.invalid === 3);
    assert.deepEqual(bridge.problems, [id, id, field]);
  });

  it('tell when the server leaves in the middle, and keep no state of it', async () => {
    const there = await server();
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const client = await bridges.mqttClient();
    await client.say('goal', { goal_id: GOAL_ID });
    await there.next();
    await client.inbox.until(() => client.inbox.texts.some((text) => text.includes('"executing"')));
    there.close();
    const [end] = await client.heard('result', 1);
    assert.deepEqual([end?.goal_id, end?.['@status']], [GOAL_ID, 'unavailable']);
    await client.inbox.until(() => client.inbox.texts.includes(`${bridges.topic}/status={"goals":[]}`));
  });

  it('have the states of all goals stored for clients that come late', async () => {
    const there = await server();
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const client = await bridges.mqttClient();
    await client.say('goal', { goal_id: GOAL_ID });
    const { stamp } = await there.next();
    const running = JSON.stringify({ goals: [{ goal_id: GOAL_ID, status: 'executing', stamp }] });
    await client.inbox.until(() => client.inbox.texts.includes(`${bridges.topic}/status=${running}`));
    const late = await bridges.mqttClient();
    await late.heard('status', 1);
    assert.deepEqual(late.inbox.texts, [`${bridges.topic}/status=${running}`]);
    assert.equal(late.inbox.messages[0]?.retain, true);
  });

  it('refuse response topics by which a client would publish as the bridge', async () => {
    const there = await server();
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const client = await bridges.mqttClient();
    for (const responseTopic of [
      `ros/${bridges.domain}/cmd_vel`,
      `${bridges.topic}/goal`,
      'ros/7/x/@action/status',
    ]) {
      const count = bridge.problems.length + 1;
      await client.say('goal', {}, { responseTopic });
      await bridge.until(() => bridge.problems.length === count);
      assert.match(bridge.problems.at(-1) ?? '', /is one of the bridge's own/);
    }
    await client.say('goal', { goal_id: GOAL_ID }, { responseTopic: `${bridges.topic}/status` });
    const { stamp } = await there.next();
    const accepted = JSON.stringify({ goal_id: GOAL_ID, status: 'accepted', stamp });
    await client.inbox.until(() => client.inbox.texts.includes(`${bridges.topic}/status=${accepted}`));
    await bridge.until(() => dropped(bridge)?.['response-topic'] === 3);
  });

  it('are driven by the flow, which hears the rest at its output', async () => {
    const there = await server({ accept: ({ goal }) => (goal as { order: number }).order > 0 });
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros')] });
    await bridge.ready({ servers: 1 });
    const { handle } = bridge;
    const answered = handle.publish(`${bridges.topic}/goal`, { goal_id: GOAL_ID, goal: { order: 1 } });
    const goal = await there.next();
    const { stamp } = goal;
    assert.deepEqual(await answered, { goal_id: GOAL_ID, status: 'accepted', stamp });
    goal.feedback({ sequence: [0] });
    const at = (part: string) =>
      bridge.messages.filter((message) => message.topic === `${bridges.topic}/${part}`);
    await bridge.until(() => at('feedback').length === 1);
    const canceled = await handle.publish(`${bridges.topic}/cancel`, `{"goal_id":"${GOAL_ID}"}`);
    assert.deepEqual(canceled, {
      goal_id: GOAL_ID,
      error: 'none',
      goals: [{ goal_id: GOAL_ID, status: 'canceling', stamp }],
    });
    goal.end('canceled', { sequence: [0] });
    await bridge.until(() => at('result').length === 1);
    assert.deepEqual(at('feedback')[0], {
      topic: `${bridges.topic}/feedback`,
      payload: { goal_id: GOAL_ID, feedback: { sequence: [0] } },
      domain: bridges.domain,
      rosName: ACTION.rosName,
      rosType: ACTION.type,
    });
    const result = { goal_id: GOAL_ID, status: 'canceled', result: { sequence: [0] } };
    assert.deepEqual(at('result')[0]?.payload, result);
    await assert.rejects(
      handle.publish(`${bridges.topic}/goal`, { goal: {} }),
      /the server has rejected the goal/,
    );
    await assert.rejects(handle.publish(`${bridges.topic}/status`, {}), {
      message: `${ACTION.rosName}: an action of ROS takes messages at ${bridges.topic}/goal and ${bridges.topic}/cancel`,
    });
    assert.equal(at('result').length, 1);
  });

  it('are carried by one of two bridges, and by the other when that one ends', async () => {
    const there = await server();
    const [first, second] = [
      await bridges.open({ id: 'a', routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() }),
      await bridges.open({ id: 'b', routes: [bridges.route('mqtt-to-ros')], mqtt: bridges.mqtt() }),
    ];
    await first.ready({ servers: 1, clients: 1 });
    await second.ready({ servers: 1, clients: 1 });
    await second.until(() => second.route()?.standby?.['mqtt-to-ros'] === 'a');
    const client = await bridges.mqttClient();
    await client.say('goal', { goal_id: GOAL_ID });
    const goal = await there.next();
    goal.feedback({ sequence: [1] });
    await second.until(() =>
      second.messages.some(({ topic: heard }) => heard === `${bridges.topic}/feedback`),
    );
    goal.end('succeeded', { sequence: [1] });
    await client.heard('result', 1);
    await first.close();
    await second.until(() => second.route()?.standby === undefined);
    const other = GOAL_ID.replace('0b', '0c');
    await client.say('goal', { goal_id: other });
    const next = await there.next();
    next.feedback({ sequence: [2] });
    next.end('aborted');
    const results = await client.heard('result', 2);
    assert.deepEqual(
      results.map(({ goal_id, status }) => [goal_id, status]),
      [
        [GOAL_ID, 'succeeded'],
        [other, 'aborted'],
      ],
    );
    const feedbacks = await client.heard('feedback', 2);
    assert.deepEqual(
      feedbacks.map(({ goal_id }) => goal_id),
      [GOAL_ID, other],
    );
  });

  it('refuse what would be the hundred and first goal under way', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros', { timeout: 50 })] });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 101 }, () => bridge.handle.publish(`${bridges.topic}/goal`, {})),
    );
    const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message);
    assert.match(String(reasons[99]), /no server was found in time/);
    assert.equal(reasons[100], `action ${ACTION.rosName}: 100 goals are under way`);
  });

  it('refuse what would be the hundred and first request to cancel', async () => {
    const bridge = await bridges.open({ routes: [bridges.route('mqtt-to-ros', { timeout: 50 })] });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 101 }, () => bridge.handle.publish(`${bridges.topic}/cancel`, {})),
    );
    const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message);
    assert.match(String(reasons[99]), /no server was found in time/);
    assert.equal(reasons[100], `action ${ACTION.rosName}: 100 requests to cancel are under way`);
  });

  it('of an unknown type are refused, because no robot can be asked for it', async () => {
    const bridge = await bridges.open({
      routes: [bridges.route('mqtt-to-ros', { type: 'acme_msgs/action/Dock' })],
    });
    assert.equal(
      bridge.route()?.problem,
      `route 1 (${ACTION.rosName}): no definition of type acme_msgs/action/Dock_SendGoal_Request`,
    );
  });
});
