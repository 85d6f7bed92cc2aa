import assert from 'node:assert/strict';
import type { Connection, ReceivedMessage } from '../../src/client/connection';
import { ActionClient } from '../../src/ros/action-client';
import { ActionServer } from '../../src/ros/action-server';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosServiceClient } from '../../src/ros/ros-backend';
import { Inbox } from '../client/observed';
import { NODE, ParameterNode } from './parameter-node';
import type { Stage } from './several-bridges';

const SERVICE = 'example_interfaces/srv/AddTwoInts';
const ACTION = 'example_interfaces/action/Fibonacci';
const library = InterfaceLibrary.bundled();
const request = MessageCodec.for(library, `${SERVICE}_Request`);
const response = MessageCodec.for(library, `${SERVICE}_Response`);
const serviceOf = (rosName: string) => ({
  rosName,
  type: SERVICE,
  requestHash: request.typeHash,
  responseHash: response.typeHash,
});

/** `add`, `set` and `drive` are of ROS and called from MQTT; `answer` and `task` are of MQTT and called from ROS. */
const KINDS = ['add', 'set', 'drive', 'answer', 'task'] as const;
type Kind = (typeof KINDS)[number];

/** How often each number was met, by the kinds of calls. */
class Tally {
  readonly #times = new Map<string, number>();

  add(kind: Kind, number: number): void {
    this.#times.set(`${kind} ${number}`, this.times(kind, number) + 1);
  }

  times(kind: Kind, number: number): number {
    return this.#times.get(`${kind} ${number}`) ?? 0;
  }

  get repeated(): string[] {
    return [...this.#times].filter(([, times]) => times > 1).map(([call]) => call);
  }
}

/** Calls both ways over the bridges of a stage, each with a number: of services, actions and a node's parameters. */
export class NumberedCalls {
  /** What the servers were asked, and the clients were answered. */
  readonly asked = new Tally();
  readonly answered = new Tally();
  /** The goals of MQTT clients that came to the server in ROS with a number below 0: it leaves them under way. */
  left = 0;
  /** The bridge that carried the last answer of each kind. */
  readonly #last = new Map<Kind, string>();
  readonly #topic: string;
  readonly #closers: Array<() => unknown> = [];
  #number = 0;

  private constructor(
    readonly client: Connection,
    readonly replies: Inbox,
    readonly caller: RosServiceClient,
    readonly tasks: ActionClient,
    domain: number,
  ) {
    this.#topic = `ros/${domain}`;
  }

  /** The routes of a bridge that carries all of them. */
  static routes(domain: number): RouteSettings[] {
    const common = { domain, timeout: 5000 };
    const [toRos, toMqtt] = [{ direction: 'mqtt-to-ros' }, { direction: 'ros-to-mqtt' }] as const;
    return [
      { ...common, ...toRos, kind: 'service', rosName: '/add', type: SERVICE },
      { ...common, ...toMqtt, kind: 'service', rosName: '/answer', type: SERVICE },
      { ...common, ...toRos, kind: 'action', rosName: '/drive', type: ACTION },
      { ...common, ...toMqtt, kind: 'action', rosName: '/task', type: ACTION },
      { ...common, direction: 'both', kind: 'parameters', rosName: NODE, type: '' },
    ];
  }

  static async open(stage: Stage): Promise<NumberedCalls> {
    const ros = await stage.ros();
    const client = await stage.client();
    const replies = await Inbox.on(client, 'replies');
    const ignored = { feedback: () => {}, status: () => {}, serversChanged: () => {}, problem: assert.fail };
    const tasks = new ActionClient(ros, library, { rosName: '/task', type: ACTION }, ignored);
    const caller = ros.createServiceClient(serviceOf('/answer'));
    const calls = new NumberedCalls(client, replies, caller, tasks, stage.domain);
    ros.createServiceServer(serviceOf('/add'), async (cdr) => {
      const { a } = JSON.parse(request.decodeToJson(cdr));
      calls.asked.add('add', a);
      return response.encode({ sum: a });
    });
    const worker = new ActionServer(
      ros,
      library,
      { rosName: '/drive', type: ACTION },
      {
        accept: () => true,
        execute: (goal) => {
          const { order } = goal.goal as { order: number };
          if (order < 0) calls.left++;
          else {
            calls.asked.add('drive', order);
            goal.end('succeeded', { sequence: [order] });
          }
        },
        cancel: () => false,
        problem: assert.fail,
      },
    );
    const node = await ParameterNode.start(stage.domain, { number: 0 });
    node.onSet = ({ integer_value }) => calls.asked.add('set', Number(integer_value));
    calls.#closers.push(
      () => worker.close(),
      () => tasks.close(),
      () => node.stop(),
    );
    const serve = (rest: string, answer: (message: ReceivedMessage) => void) =>
      client.subscribe(`${calls.#topic}/${rest}`, { qos: 1 }, { message: answer });
    serve('answer/@req', (message) => calls.#answer(message));
    serve('task/@action/goal', (message) => calls.#doTask(message));
    return calls;
  }

  /** It would keep results, and the process with them. */
  async close(): Promise<void> {
    for (const close of this.#closers) await close();
  }

  get next(): number {
    return this.#number++;
  }

  /** Asks ROS all that there is, and waits for nothing. */
  async ask(number: number): Promise<void> {
    await this.#send('add', 'add/@req', `{"a":${number}}`, number);
    await this.#send('set', `${NODE.slice(1)}/@param/set`, `{"number":${number}}`, number);
    await this.drive(number);
  }

  async drive(number: number): Promise<void> {
    await this.#send('drive', 'drive/@action/goal', `{"goal":{"order":${number}}}`, number);
  }

  /** Asks MQTT from ROS. Resolves with how many of the two answers came in time. */
  async call(number: number, timeout: number): Promise<number> {
    const outcomes = await Promise.allSettled([
      this.caller
        .call(request.encode({ a: number }), timeout)
        .then(() => this.answered.add('answer', number)),
      this.tasks
        .sendGoal({ order: number }, timeout)
        .then(({ goalId }) => this.tasks.result(goalId, timeout))
        .then(() => this.answered.add('task', number)),
    ]);
    return outcomes.filter(({ status }) => status === 'fulfilled').length;
  }

  /** Calls both ways until that bridge carries all. */
  async until(bridge: string): Promise<void> {
    while (!KINDS.every((kind) => this.#last.get(kind) === bridge)) {
      const number = this.next;
      await this.ask(number);
      await this.call(number, 500);
      this.#countReplies();
    }
  }

  /** No call has had an effect twice, nor two answers. */
  assertOnce(): void {
    this.#countReplies();
    assert.deepEqual([this.asked.repeated, this.answered.repeated], [[], []]);
  }

  /** Nobody was asked this. */
  assertNever(number: number): void {
    const met = KINDS.filter((kind) => this.asked.times(kind, number) > 0);
    assert.deepEqual(met, [], `call ${number}`);
  }

  async #send(kind: Kind, rest: string, payload: string, number: number): Promise<void> {
    const properties = { responseTopic: 'replies', correlationData: Buffer.from(`${kind} ${number}`) };
    await this.client.publish(`${this.#topic}/${rest}`, payload, { qos: 1, retain: false, properties });
  }

  #countReplies(): void {
    for (const { properties } of this.replies.messages.splice(0)) {
      const [kind, number] = String(properties?.correlationData).split(' ') as [Kind, string];
      this.answered.add(kind, Number(number));
      this.#last.set(kind, String(properties?.userProperties?.['ros-via']));
    }
  }

  #answer({ payload, properties }: ReceivedMessage): void {
    const { a } = JSON.parse(String(payload));
    this.asked.add('answer', a);
    this.#last.set('answer', String(properties?.userProperties?.['ros-via']));
    void this.client.publish(String(properties?.responseTopic), `{"sum":${a}}`, { qos: 1, retain: false });
  }

  #doTask({ payload, properties }: ReceivedMessage): void {
    const { goal_id, goal } = JSON.parse(String(payload));
    this.asked.add('task', goal.order);
    this.#last.set('task', String(properties?.userProperties?.['ros-via']));
    const result = { goal_id, status: 'succeeded', result: { sequence: [goal.order] } };
    const topic = `${this.#topic}/task/@action/result`;
    void this.client.publish(topic, JSON.stringify(result), { qos: 1, retain: false });
  }
}
