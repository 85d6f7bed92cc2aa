import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import type { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, type RosPeer, STRING, TestBridge } from './bridge-fixture';
import { BridgeProcess } from './bridge-process';
import {
  type AnyBridge,
  carries,
  type SharedBroker,
  Stage,
  seesOthers,
  standsBy,
  startEmbeddedBroker,
} from './several-bridges';

/** Messages that are sent one way to count what comes of them. */
const COUNT = 200;

const brokers: Record<string, (test: Mocha.Context) => Promise<SharedBroker>> = {
  mosquitto: (test) => Mosquitto.start(test),
  'the embedded broker': startEmbeddedBroker,
};

/** What the stage's listeners heard of a stream each way, and the streams themselves. */
class Streams {
  readonly topic: string;
  sent = 0;

  private constructor(
    readonly client: Connection,
    readonly inbox: Inbox,
    readonly peer: RosPeer,
    readonly publish: (value: unknown) => void,
    domain: number,
  ) {
    this.topic = `ros/${domain}/chatter`;
  }

  /** @param others publishers and subscriptions of bridges that match first */
  static async open(stage: Stage, bridges: number): Promise<Streams> {
    const client = await stage.client();
    const observer = await stage.client();
    const inbox = await Inbox.on(observer, `ros/${stage.domain}/chatter`);
    const peer = await stage.peer();
    await peer.listen('/chatter', STRING, { ...RELIABLE, depth: 1000 }, bridges);
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: 1000 }, bridges);
    return new Streams(client, inbox, peer, publish, stage.domain);
  }

  /** One more message each way. */
  async say(): Promise<void> {
    const number = this.sent++;
    this.publish({ data: `ROS ${number}` });
    await this.client.publish(this.topic, `{"data":"MQTT ${number}"}`, { qos: 1, retain: false });
  }

  /** Says until something has come true, at a pace that leaves the bridges time. */
  async sayUntil(passes: () => boolean): Promise<void> {
    while (!passes()) {
      await this.say();
      await setTimeout(5);
    }
  }

  /** Says more, until the last of it has come out at both sides. Returns the first number of these. */
  async sayOn(count: number): Promise<number> {
    const from = this.sent;
    for (let n = 0; n < count; n++) await this.say();
    const last = this.sent - 1;
    const isLast = (text: string | Buffer | undefined, source: string) =>
      String(text) === `{"data":"${source} ${last}"}`;
    await this.inbox.until(({ messages }) =>
      messages.slice(-5).some(({ payload }) => isLast(payload, 'ROS')),
    );
    await this.peer.until(() => this.peer.heard.slice(-5).some((text) => isLast(text, 'MQTT')));
    return from;
  }

  /** Numbers of messages that came out at the other side, in their order. */
  get toRos(): number[] {
    return numbersIn(this.peer.heard, 'MQTT');
  }

  get toMqtt(): number[] {
    return numbersIn(
      this.inbox.messages.map(({ payload }) => String(payload)),
      'ROS',
    );
  }
}

function numbersIn(texts: readonly string[], prefix: string): number[] {
  const said = texts.map((text) => (JSON.parse(text) as { data: string }).data.split(' '));
  return said.filter(([source]) => source === prefix).map(([, number]) => Number(number));
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Which of the numbers below `count` are missing, and which come more than once. */
function irregular(numbers: readonly number[], count: number): { lost: number[]; doubled: number[] } {
  const times = new Map<number, number>();
  for (const number of numbers) times.set(number, (times.get(number) ?? 0) + 1);
  return {
    lost: upTo(count).filter((number) => !times.has(number)),
    doubled: [...times].filter(([, count]) => count > 1).map(([number]) => number),
  };
}

const droppedBy = (bridge: AnyBridge) => bridge.route()?.counts?.dropped ?? {};

for (const [name, startBroker] of Object.entries(brokers)) {
  describe(`several bridges at ${name}`, function () {
    this.timeout(60_000);
    const stage = new Stage();

    before(async function () {
      stage.brokers.push(await startBroker(this));
    });
    after(() => stage.end());
    beforeEach(() => {
      stage.domain = freshDomain();
    });
    afterEach(() => stage.leave());

    for (const kind of ['runtime', 'process'] as const) {
      it(`carry each message once, both ways (each in a ${kind})`, async () => {
        const [a, b] = [await stage.bridge('a', kind), await stage.bridge('b', kind)];
        await a.until(() => carries(a));
        await b.until(() => standsBy(b, 'a'));
        const streams = await Streams.open(stage, 2);
        // Each sees the other one, too.
        for (const bridge of [a, b]) await bridge.until(() => seesOthers(bridge, 2));
        for (let n = 0; n < COUNT; n++) await streams.say();
        // It has heard all that was sent, and all that the other one has carried.
        await b.until(() => droppedBy(b).standby === 4 * COUNT);
        await streams.peer.until(() => streams.peer.heard.length >= COUNT);
        await streams.inbox.until(({ messages }) => messages.length >= 2 * COUNT);
        assert.deepEqual(droppedBy(b), { standby: 4 * COUNT });
        assert.deepEqual(droppedBy(a), {});
        assert.deepEqual(streams.toRos, upTo(COUNT));
        assert.deepEqual(streams.toMqtt, upTo(COUNT));
        assert.equal(streams.peer.heard.length, COUNT);
        assert.equal(streams.inbox.messages.length, 2 * COUNT);
      });
    }

    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      it(`take over from one that ends (${signal})`, async () => {
        const [a, b] = [await stage.bridge('a'), await stage.bridge('b')];
        assert.ok(a instanceof BridgeProcess);
        await a.until(() => carries(a));
        await b.until(() => standsBy(b, 'a'));
        const streams = await Streams.open(stage, 2);
        for (const bridge of [a, b]) await bridge.until(() => seesOthers(bridge, 2));
        for (let n = 0; n < 50; n++) await streams.say();
        await b.until(() => droppedBy(b).standby === 200);
        let ended = false;
        void a.end(signal).then(() => {
          ended = true;
        });
        await streams.sayUntil(() => ended && carries(b));
        const handedOver = await streams.sayOn(50);
        const [toRos, toMqtt] = [
          irregular(streams.toRos, streams.sent),
          irregular(streams.toMqtt, streams.sent),
        ];
        for (const number of [toRos, toMqtt].flatMap(({ lost, doubled }) => [...lost, ...doubled]))
          assert.ok(number >= 50 && number < handedOver, `message ${number} of ${streams.sent}`);
        // What the first has carried to ROS is not carried back by the second.
        const said = numbersIn(
          streams.inbox.messages.map(({ payload }) => String(payload)),
          'MQTT',
        );
        assert.deepEqual(irregular(said, streams.sent).doubled, []);
      });
    }

    it('carry each message to ROS once when the route is removed from the one that carries it', async () => {
      const [a, b] = [await stage.bridge('a', 'runtime'), await stage.bridge('b', 'process')];
      await a.until(() => carries(a));
      await b.until(() => standsBy(b, 'a'));
      const streams = await Streams.open(stage, 2);
      for (const bridge of [a, b]) await bridge.until(() => seesOthers(bridge, 2));
      await streams.sayOn(20);
      assert.ok(a instanceof TestBridge);
      const said = Array.from({ length: COUNT }, () => streams.say());
      await a.handle.removeRoute({ domain: stage.domain, rosName: '/chatter' });
      await Promise.all(said);
      await b.until(() => carries(b));
      await streams.sayOn(20);
      // What the two have carried comes in no order.
      await streams.peer.until(() => streams.toRos.length >= streams.sent);
      assert.deepEqual(irregular(streams.toRos, streams.sent), { lost: [], doubled: [] });
      // Nor does b carry back what a still carried from ROS.
      assert.deepEqual(numbersIn(streams.peer.heard, 'ROS'), []);
    });

    it('give back to one that returns', async () => {
      const b = await stage.bridge('b');
      await b.until(() => carries(b));
      const streams = await Streams.open(stage, 1);
      const a = await stage.bridge('a');
      await streams.sayUntil(() => carries(a) && standsBy(b, 'a'));
      const from = await streams.sayOn(50);
      const [toRos, toMqtt] = [
        irregular(streams.toRos, streams.sent),
        irregular(streams.toMqtt, streams.sent),
      ];
      const all = [toRos, toMqtt].flatMap(({ lost, doubled }) => [...lost, ...doubled]);
      assert.deepEqual(
        all.filter((number) => number >= from),
        [],
      );
    });
  });
}
