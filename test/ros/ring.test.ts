import assert from 'node:assert/strict';
import { Mosquitto } from '../client/mosquitto';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, route, STRING } from './bridge-fixture';
import { type AnyBridge, carries, Stage, seesOthers, standsBy } from './several-bridges';

const COUNT = 100;
const DEEP = { ...RELIABLE, depth: 1000 };

const texts = (source: string) =>
  Array.from({ length: COUNT }, (_, index) => `{"data":"${source} ${index}"}`);
const said = (inbox: Inbox) => inbox.messages.map(({ payload }) => String(payload));
const droppedBy = (bridge: AnyBridge) => bridge.route()?.counts?.dropped ?? {};

describe('bridges over several brokers and domains', function () {
  this.timeout(60_000);
  const stage = new Stage();

  before(async function () {
    stage.brokers.push(await Mosquitto.start(this), await Mosquitto.start(this));
  });
  after(() => stage.end());
  beforeEach(() => {
    stage.domain = freshDomain();
  });
  afterEach(() => stage.leave());

  const say = async (texts: readonly string[], broker = 0, topic = `ros/${stage.domain}/chatter`) => {
    const client = await stage.client(broker);
    for (const text of texts) await client.publish(topic, text, { qos: 1, retain: false });
  };
  const hear = async (broker = 0, topic = `ros/${stage.domain}/chatter`) =>
    Inbox.on(await stage.client(broker), topic);

  it('do not carry back what another one has carried the other way', async () => {
    const one = { routes: [route(stage.domain, { direction: 'ros-to-mqtt' })] };
    const other = { routes: [route(stage.domain, { direction: 'mqtt-to-ros' })] };
    const a = await stage.bridge('a', 'process', one);
    const b = await stage.bridge('b', 'process', other);
    for (const bridge of [a, b]) await bridge.until(() => carries(bridge));
    await a.until(() => a.route()?.publishers === 1);
    await b.until(() => b.route()?.subscriptions === 1);
    const inbox = await hear();
    const peer = await stage.peer();
    await peer.listen('/chatter', STRING, DEEP);
    const { publish } = await peer.publisher('/chatter', STRING, DEEP);
    await say(texts('MQTT'));
    for (let n = 0; n < COUNT; n++) publish({ data: `ROS ${n}` });
    await a.until(() => droppedBy(a).echo === COUNT);
    await b.until(() => droppedBy(b).echo === COUNT);
    await peer.until(() => peer.heard.length >= COUNT);
    await inbox.until(({ messages }) => messages.length >= 2 * COUNT);
    assert.deepEqual(peer.heard, texts('MQTT'));
    assert.deepEqual(said(inbox), [...texts('MQTT'), ...texts('ROS')]);
  });

  it('carry from a broker over ROS to another broker, and back', async () => {
    const a = await stage.bridge('a', 'runtime');
    const b = await stage.bridge('b', 'process', { broker: 1 });
    for (const bridge of [a, b]) await bridge.until(() => carries(bridge));
    for (const bridge of [a, b]) await bridge.until(() => seesOthers(bridge, 1));
    const inboxes = [await hear(0), await hear(1)];
    await say(texts('first'), 0);
    await inboxes[1]?.until(({ messages }) => messages.length >= COUNT);
    await say(texts('second'), 1);
    await inboxes[0]?.until(({ messages }) => messages.length >= 2 * COUNT);
    for (const inbox of inboxes) assert.deepEqual(said(inbox), [...texts('first'), ...texts('second')]);
    assert.deepEqual([a, b].map(droppedBy), [{}, {}]);
  });

  it('are three: two share a broker, and one has another', async () => {
    const [a, b] = [await stage.bridge('a'), await stage.bridge('b')];
    const c = await stage.bridge('c', 'process', { broker: 1 });
    await a.until(() => carries(a));
    await b.until(() => standsBy(b, 'a'));
    await c.until(() => carries(c));
    for (const bridge of [a, b, c]) await bridge.until(() => seesOthers(bridge, 2));
    const inboxes = [await hear(0), await hear(1)];
    const peer = await stage.peer();
    await peer.listen('/chatter', STRING, DEEP, 3);
    await say(texts('first'), 0);
    await inboxes[1]?.until(({ messages }) => messages.length >= COUNT);
    await say(texts('second'), 1);
    await inboxes[0]?.until(({ messages }) => messages.length >= 2 * COUNT);
    // Of the first, b hears the client and a; of the second a in ROS and at the broker, and c.
    await b.until(() => droppedBy(b).standby === 4 * COUNT);
    await peer.until(() => peer.heard.length >= 2 * COUNT);
    for (const inbox of inboxes) await inbox.until(({ messages }) => messages.length >= 2 * COUNT);
    const all = [...texts('first'), ...texts('second')];
    for (const inbox of inboxes) assert.deepEqual(said(inbox), all);
    assert.deepEqual(peer.heard, all);
  });

  it('recognise a ring, break it and name it', async () => {
    const [first, second] = [stage.domain, freshDomain()];
    const ring: AnyBridge[] = [];
    // In one topic, because each domain has the same alias.
    for (const [id, domain, broker] of [
      ['p', first, 0],
      ['q', first, 1],
      ['r', second, 1],
      ['s', second, 0],
    ] as const) {
      const place = { domains: [domain], aliases: { loop: domain }, routes: [route(domain)] };
      const kind = id === 'p' || id === 'q' ? 'runtime' : 'process';
      ring.push(await stage.bridge(id, kind, { ...place, broker }));
    }
    for (const bridge of ring) await bridge.until(() => carries(bridge));
    for (const bridge of ring.slice(2)) await bridge.until(() => seesOthers(bridge, 1));
    const [p, , , last] = ring as [AnyBridge, AnyBridge, AnyBridge, AnyBridge];
    const inbox = await hear(0, 'ros/loop/chatter');
    const peer = await stage.peer(second);
    await peer.listen('/chatter', STRING, DEEP, 2);
    await say(texts('MQTT'), 0, 'ros/loop/chatter');
    // It goes round both ways, and each way ends where it began.
    await p.until(() => droppedBy(p).ring === COUNT);
    await last.until(() => droppedBy(last).ring === COUNT);
    await inbox.until(({ messages }) => messages.length === 3 * COUNT);
    await peer.until(() => peer.heard.length === 2 * COUNT);
    for (const text of texts('MQTT')) {
      assert.equal(said(inbox).filter((other) => other === text).length, 3);
      assert.equal(peer.heard.filter((other) => other === text).length, 2);
    }
    assert.deepEqual([p, last].map(droppedBy), [{ ring: COUNT }, { ring: COUNT }]);
    const problem = (bridge: AnyBridge) => bridge.route()?.problem;
    assert.equal(problem(p), '/chatter: carried in a ring over bridges p, q, r, s');
    assert.equal(problem(last), '/chatter: carried in a ring over bridges s, r, q, p');
    assert.deepEqual(p.problems, [problem(p)]);
  });
});
