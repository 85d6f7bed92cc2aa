import assert from 'node:assert/strict';
import { Connection, type MessageProperties, type ReceivedMessage } from '../../src/client/connection';
import { ActionClient, type ActionClientListener } from '../../src/ros/action-client';
import { ActionServer, type ActionServerHandler } from '../../src/ros/action-server';
import type { ActionRouteSettings, BridgeMqttSettings, BridgeSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import type { RosDomain } from '../../src/ros/ros-backend';
import { RosThread } from '../../src/ros/ros-thread';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import type { ServerGoal } from '../../src/ros/server-goal';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { Cast, freshDomain } from '../rtps/fixture';
import { TestBridge, Watch } from './bridge-fixture';

const ACTION = { rosName: '/robot1/fibonacci', type: 'example_interfaces/action/Fibonacci' };
const library = InterfaceLibrary.bundled();
/** Long enough for discovery on a busy machine: none of these is waited for to its end. */
const PATIENCE = 20_000;
const FIRST_NUMBERS = [0, 1, 1, 2, 3, 5];
const GOAL_ID = '0b8f1ec2-3c52-4a0e-9d3c-6f1f6f6b9a01';

const upTo = (order: number) => FIRST_NUMBERS.slice(0, order + 1);
const parsed = ({ payload }: ReceivedMessage) => JSON.parse(String(payload));

/** An MQTT client that hears all that is said about the action. */
class Mqtt {
  private constructor(
    readonly connection: Connection,
    readonly topic: string,
    readonly inbox: Inbox,
  ) {}

  static async start(url: string, topic: string, protocolVersion: 4 | 5): Promise<Mqtt> {
    const connection = new Connection(settingsFor(url, protocolVersion));
    connection.open();
    await connected(connection);
    return new Mqtt(connection, topic, await Inbox.on(connection, `${topic}/#`));
  }

  async say(part: string, message: unknown, properties?: MessageProperties): Promise<void> {
    const payload = typeof message === 'string' ? message : JSON.stringify(message);
    const options = { qos: 1, retain: false, ...(properties && { properties }) } as const;
    await this.connection.publish(`${this.topic}/${part}`, payload, options);
  }

  messages(part: string): ReceivedMessage[] {
    return this.inbox.messages.filter(({ topic }) => topic === `${this.topic}/${part}`);
  }

  /** What was said at a part, once it is that much. */
  async heard(part: string, count: number): Promise<Array<Record<string, unknown>>> {
    await this.inbox.until(() => this.messages(part).length >= count);
    return this.messages(part).map(parsed);
  }
}

describe('routes of actions', function () {
  this.timeout(30_000);
  const thread = new RosThread();
  const opened: Array<() => Promise<unknown>> = [];
  let mosquitto: Mosquitto;
  let domain: number;
  let topic: string;

  before(async function () {
    mosquitto = await Mosquitto.start(this);
  });
  after(() => mosquitto?.stop());
  beforeEach(() => {
    domain = freshDomain();
    topic = `ros/${domain}${ACTION.rosName}/@action`;
  });
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  const route = (
    direction: ActionRouteSettings['direction'],
    change: Partial<ActionRouteSettings> = {},
  ): ActionRouteSettings => ({ kind: 'action', domain, ...ACTION, direction, timeout: PATIENCE, ...change });
  const mqttSettings = (protocolVersion: 4 | 5 = 5): BridgeMqttSettings => ({
    target: { url: mosquitto.url },
    protocolVersion,
    clientId: `bridge-${Math.random().toString(36).slice(2, 10)}`,
    keepAlive: 60,
  });
  const open = async (change: Partial<BridgeSettings> & Pick<BridgeSettings, 'routes'>) => {
    const bridge = await TestBridge.open(thread, { domains: [domain], ...change });
    opened.push(() => bridge.close());
    return bridge;
  };
  const mqtt = async (protocolVersion: 4 | 5 = 5): Promise<Mqtt> => {
    const client = await Mqtt.start(mosquitto.url, topic, protocolVersion);
    opened.push(async () => {
      // What the broker keeps of a test must not meet another one in the same domain.
      await client.connection.publish(`${topic}/status`, '', { qos: 1, retain: true });
      await client.connection.close();
    });
    return client;
  };
  const ros = async (id = domain): Promise<RosDomain> => {
    const place = { domain: id, range: 'localhost', interfaces: ['127.0.0.1'], peers: [] } as const;
    const user = await new RtpsBackend().openDomain({ ...place, nodeName: 'test', bridgeId: 'peer' });
    opened.push(() => user.close());
    return user;
  };
  const vendor = (
    test: Mocha.Context,
    name: 'cyclone' | 'fast',
    role: 'serve' | 'call',
    args: Record<string, string | number> = {},
  ) => {
    const cast = new Cast(name);
    opened.push(() => cast.leave());
    const all = { action: ACTION.rosName, domain, timeout: 20, ...args };
    return cast.peer(test, role, { args: all }, 'action');
  };
  const dropped = (bridge: TestBridge) => bridge.route()?.counts?.dropped;

  describe('to ROS', () => {
    /** A server of the test's own, which leaves the goals to the test. */
    const server = async (change: Partial<ActionServerHandler> = {}) => {
      const watch = new Watch();
      const goals: ServerGoal[] = [];
      const made = new ActionServer(await ros(), library, ACTION, {
        accept: () => true,
        execute: (goal) => {
          goals.push(goal);
          watch.changed();
        },
        cancel: () => true,
        problem: assert.fail,
        ...change,
      });
      opened.push(async () => made.close());
      const next = async () => {
        await watch.until(() => goals.length > 0);
        return goals.shift() as ServerGoal;
      };
      return { next, close: () => made.close() };
    };

    for (const name of ['cyclone', 'fast'] as const) {
      it(`have goals worked on by ${name}`, async function () {
        vendor(this, name, 'serve');
        const bridge = await open({ id: 'b1', routes: [route('mqtt-to-ros')], mqtt: mqttSettings() });
        await bridge.ready({ servers: 1 });
        const client = await mqtt();
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
        await client.inbox.until(() => client.inbox.texts.includes(`${topic}/status=${ended}`));
        assert.deepEqual(bridge.problems, []);
      });
    }

    it('tell clients of MQTT 3.1.1, which have no response topic, of the end of their goals', async () => {
      const there = await server({ accept: ({ goal }) => (goal as { order: number }).order > 0 });
      const bridge = await open({ routes: [route('mqtt-to-ros')], mqtt: mqttSettings(4) });
      await bridge.ready({ servers: 1 });
      const client = await mqtt(4);
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
      const bridge = await open({ routes: [route('mqtt-to-ros')], mqtt: mqttSettings() });
      await bridge.ready({ servers: 1 });
      const client = await mqtt();
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
      const bridge = await open({ routes: [route('mqtt-to-ros', { timeout: 50 })], mqtt: mqttSettings() });
      await bridge.ready();
      const client = await mqtt();
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
      const nobody = (part: string) =>
        `service ${ACTION.rosName}/_action/${part}: no server was found in time`;
      await fails('goal', {}, 'unavailable', nobody('send_goal'));
      await fails('cancel', '', 'unavailable', nobody('cancel_goal'));
      await bridge.until(() => dropped(bridge)?.unavailable === 2);
      assert.deepEqual(dropped(bridge), { invalid: 6, unavailable: 2 });
    });

    it('tell when the server leaves in the middle, and keep no state of it', async () => {
      const there = await server();
      const bridge = await open({ routes: [route('mqtt-to-ros')], mqtt: mqttSettings() });
      await bridge.ready({ servers: 1 });
      const client = await mqtt();
      await client.say('goal', { goal_id: GOAL_ID });
      await there.next();
      await client.inbox.until(() => client.inbox.texts.some((text) => text.includes('"executing"')));
      there.close();
      const [end] = await client.heard('result', 1);
      assert.deepEqual([end?.goal_id, end?.['@status']], [GOAL_ID, 'unavailable']);
      await client.inbox.until(() => client.inbox.texts.includes(`${topic}/status={"goals":[]}`));
    });

    it('have the states of all goals stored for clients that come late', async () => {
      const there = await server();
      const bridge = await open({ routes: [route('mqtt-to-ros')], mqtt: mqttSettings() });
      await bridge.ready({ servers: 1 });
      const client = await mqtt();
      await client.say('goal', { goal_id: GOAL_ID });
      const { stamp } = await there.next();
      const running = JSON.stringify({ goals: [{ goal_id: GOAL_ID, status: 'executing', stamp }] });
      await client.inbox.until(() => client.inbox.texts.includes(`${topic}/status=${running}`));
      const late = await mqtt();
      await late.heard('status', 1);
      assert.deepEqual(late.inbox.texts, [`${topic}/status=${running}`]);
      assert.equal(late.inbox.messages[0]?.retain, true);
    });

    it('refuse response topics by which a client would publish as the bridge', async () => {
      const there = await server();
      const bridge = await open({ routes: [route('mqtt-to-ros')], mqtt: mqttSettings() });
      await bridge.ready({ servers: 1 });
      const client = await mqtt();
      for (const responseTopic of [`ros/${domain}/cmd_vel`, `${topic}/goal`, 'ros/7/x/@action/status']) {
        const count = bridge.problems.length + 1;
        await client.say('goal', {}, { responseTopic });
        await bridge.until(() => bridge.problems.length === count);
        assert.match(bridge.problems.at(-1) ?? '', /below the bridge's own prefix/);
      }
      await client.say('goal', { goal_id: GOAL_ID }, { responseTopic: `${topic}/status` });
      const { stamp } = await there.next();
      const accepted = JSON.stringify({ goal_id: GOAL_ID, status: 'accepted', stamp });
      await client.inbox.until(() => client.inbox.texts.includes(`${topic}/status=${accepted}`));
      await bridge.until(() => dropped(bridge)?.['response-topic'] === 3);
    });

    it('are driven by the flow, which hears the rest at its output', async () => {
      const there = await server({ accept: ({ goal }) => (goal as { order: number }).order > 0 });
      const bridge = await open({ routes: [route('mqtt-to-ros')] });
      await bridge.ready({ servers: 1 });
      const { handle } = bridge;
      const answered = handle.publish(`${topic}/goal`, { goal_id: GOAL_ID, goal: { order: 1 } });
      const goal = await there.next();
      const { stamp } = goal;
      assert.deepEqual(await answered, { goal_id: GOAL_ID, status: 'accepted', stamp });
      goal.feedback({ sequence: [0] });
      const at = (part: string) => bridge.messages.filter((message) => message.topic === `${topic}/${part}`);
      await bridge.until(() => at('feedback').length === 1);
      const canceled = await handle.publish(`${topic}/cancel`, `{"goal_id":"${GOAL_ID}"}`);
      assert.deepEqual(canceled, {
        goal_id: GOAL_ID,
        error: 'none',
        goals: [{ goal_id: GOAL_ID, status: 'canceling', stamp }],
      });
      goal.end('canceled', { sequence: [0] });
      await bridge.until(() => at('result').length === 1);
      assert.deepEqual(at('feedback')[0], {
        topic: `${topic}/feedback`,
        payload: { goal_id: GOAL_ID, feedback: { sequence: [0] } },
        domain,
        rosName: ACTION.rosName,
        rosType: ACTION.type,
      });
      const result = { goal_id: GOAL_ID, status: 'canceled', result: { sequence: [0] } };
      assert.deepEqual(at('result')[0]?.payload, result);
      await assert.rejects(handle.publish(`${topic}/goal`, { goal: {} }), /the server has rejected the goal/);
      await assert.rejects(handle.publish(`${topic}/status`, {}), {
        message: `${ACTION.rosName}: an action of ROS takes messages at ${topic}/goal and ${topic}/cancel`,
      });
      assert.equal(at('result').length, 1);
    });

    it('are carried by one of two bridges, and by the other when that one ends', async () => {
      const there = await server();
      const [first, second] = [
        await open({ id: 'a', routes: [route('mqtt-to-ros')], mqtt: mqttSettings() }),
        await open({ id: 'b', routes: [route('mqtt-to-ros')], mqtt: mqttSettings() }),
      ];
      await first.ready({ servers: 1 });
      await second.ready({ servers: 1 });
      await second.until(() => second.route()?.standby?.['mqtt-to-ros'] === 'a');
      const client = await mqtt();
      await client.say('goal', { goal_id: GOAL_ID });
      const goal = await there.next();
      goal.feedback({ sequence: [1] });
      await second.until(() => second.messages.some(({ topic: heard }) => heard === `${topic}/feedback`));
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
      const bridge = await open({ routes: [route('mqtt-to-ros', { timeout: 50 })] });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 101 }, () => bridge.handle.publish(`${topic}/goal`, {})),
      );
      const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message);
      assert.match(String(reasons[99]), /no server was found in time/);
      assert.equal(reasons[100], `action ${ACTION.rosName}: 100 goals are under way`);
    });
  });

  describe('for ROS', () => {
    /** A client of the test's own. */
    const caller = async (id = domain) => {
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
      const client = new ActionClient(await ros(id), library, ACTION, listener);
      opened.push(async () => client.close());
      return { client, feedbacks, watch };
    };

    for (const name of ['cyclone', 'fast'] as const) {
      it(`are served to ${name}`, async function () {
        const bridge = await open({ routes: [route('ros-to-mqtt')], mqtt: mqttSettings() });
        await bridge.ready();
        const responder = await mqtt();
        const client = vendor(this, name, 'call', { order: 2 });
        const [{ goal_id, ...said } = {}] = await responder.heard('goal', 1);
        assert.deepEqual(said, { goal: { order: 2 } });
        const { properties } = responder.messages('goal')[0] as ReceivedMessage;
        assert.equal(properties?.responseTopic, `${topic}/status`);
        await responder.say('status', { goal_id, status: 'accepted' });
        for (const order of [0, 1, 2]) {
          await responder.say('feedback', { goal_id, feedback: { sequence: upTo(order) } });
        }
        const of = (key: string) =>
          client.messages.filter((message) => Object.hasOwn(message as object, key));
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
        const bridge = await open({ routes: [route('ros-to-mqtt')], mqtt: mqttSettings(4) });
        await bridge.ready();
        const responder = await mqtt(4);
        const client = vendor(this, name, 'call', { order: 40, cancel: 1 });
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

    it('reject a goal that the responder rejects, or that nobody answers', async () => {
      const bridge = await open({ routes: [route('ros-to-mqtt', { timeout: 300 })], mqtt: mqttSettings() });
      await bridge.ready();
      const responder = await mqtt();
      const { client } = await caller();
      const rejected = assert.rejects(client.sendGoal({}, PATIENCE, GOAL_ID), { status: 'rejected' });
      await responder.heard('goal', 1);
      await responder.say('status', { goal_id: GOAL_ID, status: 'rejected' });
      await rejected;
      assert.deepEqual(bridge.problems, []);
      await assert.rejects(client.sendGoal({}, PATIENCE), { status: 'rejected' });
      await bridge.until(() => dropped(bridge)?.timeout === 1);
      assert.deepEqual(bridge.problems, [
        `${ACTION.rosName}: nobody has answered at ${topic}/status in time`,
      ]);
    });

    it('go on when the responder does not cancel, and end at once when it has', async () => {
      const bridge = await open({ routes: [route('ros-to-mqtt')], mqtt: mqttSettings() });
      await bridge.ready();
      const responder = await mqtt();
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
      const bridge = await open({ routes: [route('ros-to-mqtt')], mqtt: mqttSettings() });
      await bridge.ready();
      const responder = await mqtt();
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
      const settings = route('ros-to-mqtt', { resultTimeout: 1 });
      const bridge = await open({ routes: [settings], mqtt: mqttSettings() });
      await bridge.ready();
      const responder = await mqtt();
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
      const bridge = await open({ routes: [route('ros-to-mqtt')] });
      const { client, feedbacks, watch } = await caller();
      const { handle } = bridge;
      const sent = client.sendGoal({ order: 9 }, PATIENCE, GOAL_ID);
      await bridge.until(() => bridge.messages.length === 1);
      assert.deepEqual(bridge.messages[0], {
        topic: `${topic}/goal`,
        payload: { goal_id: GOAL_ID, goal: { order: 9 } },
        domain,
        rosName: ACTION.rosName,
        rosType: ACTION.type,
      });
      await handle.publish(`${topic}/feedback`, { goal_id: GOAL_ID, feedback: { sequence: [1] } });
      await sent;
      await watch.until(() => feedbacks.length === 1);
      await assert.rejects(handle.publish(`${topic}/feedback`, { goal_id: 'x' }), {
        message: `${ACTION.rosName}/@action/feedback: no goal of that goal_id is under way`,
      });
      await assert.rejects(handle.publish(`${topic}/goal`, {}), {
        message: `${ACTION.rosName}: an action for ROS takes messages at ${topic}/status, ${topic}/feedback, ${topic}/result`,
      });
      await handle.publish(`${topic}/result`, { goal_id: GOAL_ID, status: 'succeeded' });
      const result = await client.result(GOAL_ID, PATIENCE);
      assert.deepEqual(result, { state: 'succeeded', result: { sequence: [] } });
      handle.flowOutput = false;
      // Its answer comes when the bridge knows.
      await assert.rejects(handle.publish(`${topic}/result`, {}), /no goal of that goal_id/);
      await assert.rejects(client.sendGoal({}, PATIENCE), { status: 'rejected' });
      await bridge.until(() => dropped(bridge)?.offline === 1);
    });

    it('are served by one of two bridges', async () => {
      await open({ id: 'a', routes: [route('ros-to-mqtt')], mqtt: mqttSettings() });
      const second = await open({ id: 'b', routes: [route('ros-to-mqtt')], mqtt: mqttSettings() });
      await second.until(() => second.route()?.standby?.['ros-to-mqtt'] === 'a');
      const responder = await mqtt();
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
      vendor(this, 'cyclone', 'serve', { domain: other });
      topic = `ros/site${ACTION.rosName}/@action`;
      await mqtt();
      const near = { domains: [domain], aliases: { site: domain }, mqtt: mqttSettings() };
      const far = { domains: [other], aliases: { site: other }, mqtt: mqttSettings() };
      const serving = await open({ ...near, routes: [route('ros-to-mqtt')] });
      const calling = await open({ ...far, routes: [route('mqtt-to-ros', { domain: other })] });
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

  it('of an unknown type are refused, because no robot can be asked for it', async () => {
    const bridge = await open({ routes: [route('mqtt-to-ros', { type: 'acme_msgs/action/Dock' })] });
    assert.equal(
      bridge.route()?.problem,
      `route 1 (${ACTION.rosName}): no definition of type acme_msgs/action/Dock_SendGoal_Request`,
    );
  });
});
