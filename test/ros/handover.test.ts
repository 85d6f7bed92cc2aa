import assert from 'node:assert/strict';
import type { Connection, ReceivedMessage } from '../../src/client/connection';
import { ActionServer } from '../../src/ros/action-server';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosServiceClient } from '../../src/ros/ros-backend';
import { Mosquitto } from '../client/mosquitto';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { BridgeProcess } from './bridge-process';
import { carries, Stage, standsBy } from './several-bridges';

const TYPE = 'example_interfaces/srv/AddTwoInts';
const ACTION = 'example_interfaces/action/Fibonacci';
const library = InterfaceLibrary.bundled();
const request = MessageCodec.for(library, `${TYPE}_Request`);
const response = MessageCodec.for(library, `${TYPE}_Response`);
const serviceOf = (rosName: string) => ({
  rosName,
  type: TYPE,
  requestHash: request.typeHash,
  responseHash: response.typeHash,
});

/** How often each number was met. */
class Tally {
  readonly #times = new Map<number, number>();

  add(number: number): void {
    this.#times.set(number, this.times(number) + 1);
  }

  times(number: number): number {
    return this.#times.get(number) ?? 0;
  }

  get repeated(): number[] {
    return [...this.#times].filter(([, times]) => times > 1).map(([number]) => number);
  }
}

/** Calls both ways over the bridges of a stage, each with a number: `/add` is a service of ROS, `/answer` one of MQTT. */
class Calls {
  /** What the servers were asked, and the clients were answered. */
  readonly added = new Tally();
  readonly asked = new Tally();
  readonly replied = new Tally();
  /** The bridge that carried the last answer of each way. */
  readonly last = { toRos: '', toMqtt: '' };
  #number = 0;

  private constructor(
    readonly client: Connection,
    readonly replies: Inbox,
    readonly caller: RosServiceClient,
    readonly topic: string,
  ) {}

  static async open(stage: Stage): Promise<Calls> {
    const ros = await stage.ros();
    const client = await stage.client();
    const replies = await Inbox.on(client, 'replies');
    const topic = `ros/${stage.domain}`;
    const calls = new Calls(client, replies, ros.createServiceClient(serviceOf('/answer')), topic);
    ros.createServiceServer(serviceOf('/add'), async (cdr) => {
      const { a } = JSON.parse(request.decodeToJson(cdr));
      calls.added.add(a);
      return response.encode({ sum: a });
    });
    client.subscribe(`${topic}/answer/@req`, { qos: 1 }, { message: (asked) => calls.#answer(asked) });
    return calls;
  }

  get next(): number {
    return this.#number++;
  }

  /** Asks ROS, and waits for nothing. */
  ask(number: number): Promise<unknown> {
    const properties = { responseTopic: 'replies', correlationData: Buffer.from(`${number}`) };
    return this.client.publish(`${this.topic}/add/@req`, `{"a":${number}}`, {
      qos: 1,
      retain: false,
      properties,
    });
  }

  /** Asks MQTT from ROS. Resolves with whether there was an answer in time. */
  call(number: number, timeout: number): Promise<boolean> {
    return this.caller.call(request.encode({ a: number }), timeout).then(
      () => true,
      () => false,
    );
  }

  /** Calls both ways until that bridge carries both. */
  async until(bridge: string): Promise<void> {
    while (this.last.toRos !== bridge || this.last.toMqtt !== bridge) {
      const number = this.next;
      await this.ask(number);
      await this.call(number, 500);
      this.#countReplies();
    }
  }

  #countReplies(): void {
    for (const { properties } of this.replies.messages.splice(0)) {
      this.replied.add(Number(properties?.correlationData));
      this.last.toRos = String(properties?.userProperties?.['ros-via']);
    }
  }

  #answer({ payload, properties }: ReceivedMessage): void {
    const { a } = JSON.parse(String(payload));
    this.asked.add(a);
    this.last.toMqtt = String(properties?.userProperties?.['ros-via']);
    void this.client.publish(String(properties?.responseTopic), `{"sum":${a}}`, { qos: 1, retain: false });
  }

  /** No call has had an effect twice, nor two answers. */
  assertOnce(): void {
    this.#countReplies();
    const { added, asked, replied } = this;
    assert.deepEqual([added.repeated, asked.repeated, replied.repeated], [[], [], []]);
  }
}

describe('calls over two bridges', function () {
  this.timeout(60_000);
  const stage = new Stage();
  let server: ActionServer | undefined;

  before(async function () {
    stage.brokers.push(await Mosquitto.start(this));
  });
  after(() => Promise.all(stage.brokers.map((broker) => broker.stop())));
  beforeEach(() => {
    stage.domain = freshDomain();
  });
  afterEach(() => {
    // It would keep results, and this process with them.
    server?.close();
    return stage.leave();
  });

  const routes = (): RouteSettings[] => {
    const { domain } = stage;
    const common = { domain, type: TYPE, timeout: 5000 };
    return [
      { ...common, kind: 'service', rosName: '/add', direction: 'mqtt-to-ros' },
      { ...common, kind: 'service', rosName: '/answer', direction: 'ros-to-mqtt' },
      { ...common, kind: 'action', rosName: '/fibonacci', type: ACTION, direction: 'mqtt-to-ros' },
    ];
  };
  const open = async (): Promise<[BridgeProcess, BridgeProcess]> => {
    const a = await stage.bridge('a', 'process', { routes: routes(), keepAlive: 2 });
    await a.until(() => carries(a));
    const b = await stage.bridge('b', 'process', { routes: routes(), keepAlive: 2 });
    await b.until(() => standsBy(b, 'a'));
    assert.ok(a instanceof BridgeProcess && b instanceof BridgeProcess);
    return [a, b];
  };

  it('are answered by the other when one is killed, and none twice', async () => {
    const calls = await Calls.open(stage);
    const goals: unknown[] = [];
    server = new ActionServer(
      await stage.ros(),
      library,
      { rosName: '/fibonacci', type: ACTION },
      {
        accept: () => true,
        execute: (goal) => {
          goals.push(goal.goal);
          // The first is still under way when its bridge is killed.
          if (goals.length > 1) goal.end('succeeded', { sequence: [0, 1] });
        },
        cancel: () => false,
        problem: (message) => assert.fail(message),
      },
    );
    const [a] = await open();
    await calls.until('a');
    const action = `${calls.topic}/fibonacci/@action`;
    const said = await Inbox.on(calls.client, `${action}/+`);
    const send = () =>
      calls.client.publish(`${action}/goal`, '{"goal":{"order":1}}', { qos: 1, retain: false });
    await send();
    const heard = (text: string) => said.until(({ texts }) => texts.some((each) => each.includes(text)));
    await heard('"executing"');
    await a.end('SIGKILL');
    await calls.until('b');
    calls.assertOnce();
    await send();
    await heard(`${action}/result=`);
    assert.equal(goals.length, 2);
    assert.equal(said.texts.filter((text) => text.startsWith(`${action}/result`)).length, 1);
  });

  it('are answered by the other when one stands still, and none twice or late when it goes on', async () => {
    const calls = await Calls.open(stage);
    const [a, b] = await open();
    await calls.until('a');
    await a.stop();
    // These come to the one that stands still.
    const late = [calls.next, calls.next, calls.next];
    for (const number of late) await calls.ask(number);
    const unanswered = await Promise.all(late.map((number) => calls.call(number, 500)));
    await b.until(() => carries(b));
    await calls.until('b');
    a.continue();
    await calls.until('a');
    await b.until(() => standsBy(b, 'a'));
    calls.assertOnce();
    assert.deepEqual(unanswered, [false, false, false]);
    for (const number of late) {
      assert.deepEqual([calls.added.times(number), calls.asked.times(number)], [0, 0], `call ${number}`);
    }
  });
});
