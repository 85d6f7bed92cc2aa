import assert from 'node:assert/strict';
import { Requester } from '../../src/client/requester';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { PatternSettings } from '../../src/ros/name-patterns';
import { RosThread } from '../../src/ros/ros-thread';
import { Inbox } from '../client/observed';
import { RELIABLE, route, STRING, TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

const ALL: PatternSettings = { action: 'allow', pattern: '/**', direction: 'both' };

describe('routes by patterns', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const open = async (change: Partial<BridgeSettings> = {}, protocolVersion: 4 | 5 = 5) => {
    const mqtt = bridges.mqtt({ protocolVersion });
    const bridge = await bridges.open({ mqtt, routes: [], patterns: [ALL], meta: false, ...change });
    await bridge.until(
      () => bridge.status?.mqtt?.state === 'connected' && bridge.status.patterns?.subscribed !== false,
    );
    return bridge;
  };
  const topic = (name: string) => `ros/${bridges.domain}/${name}`;
  const routes = (bridge: TestBridge, count: number) =>
    bridge.until(() => bridge.status?.patterns?.routes === count);

  /** Until a bridge that has no route for it yet has found it in ROS. */
  const found = async (bridge: TestBridge, rosName: string) => {
    for (;;) {
      const { topics, services, actions } = await bridge.handle.graph(bridges.domain);
      if ([...topics, ...services, ...actions].some(({ name }) => name === rosName)) return;
    }
  };

  it('carry what publishers say that appear, but what is denied, hidden or of ROS itself', async () => {
    const patterns: PatternSettings[] = [ALL, { action: 'deny', pattern: '/camera/**', direction: 'both' }];
    const bridge = await open({ patterns });
    const inbox = await Inbox.on(bridges.client, topic('#'));
    const peer = await bridges.peer();
    for (const name of ['/camera/image', '/_hidden', '/rosout']) {
      await peer.publisher(name, STRING, RELIABLE, 0);
    }
    const { publish } = await peer.publisher('/robot/chatter');
    publish({ data: 'hello' });
    await inbox.until(({ texts }) => texts.some((text) => text.startsWith(topic('robot/chatter'))));
    assert.deepEqual(
      inbox.texts.filter((text) => !text.includes('/@')),
      [`${topic('robot/chatter')}={"data":"hello"}`],
    );
    await routes(bridge, 1);
    await bridge.until(() => bridge.messages.length === 1);
    const { topic: from, rosName, rosType } = bridge.messages[0] ?? {};
    assert.deepEqual([from, rosName, rosType], [topic('robot/chatter'), '/robot/chatter', STRING]);
    assert.deepEqual(bridge.problems, []);
  });

  it('of two bridges carry each message once, from the first on', async () => {
    const own = [route(bridges.domain, { rosName: '/own' })];
    const both = [await open({ id: 'a', routes: own }), await open({ id: 'b', routes: own })];
    await both[1]?.until(() => both[1]?.route()?.standby?.['mqtt-to-ros'] === 'a');
    const peer = await bridges.peer();
    const names = Array.from({ length: 10 }, (_each, index) => `topic${index}`);
    for (const name of names) await peer.listen(`/${name}`, STRING, RELIABLE, 0);
    for (const bridge of both) await bridge.until(() => bridge.status?.domains[0]?.participants === 1);
    for (const name of names) await bridges.say(topic(name), '{"data":"MQTT"}', { 'ros-type': STRING });
    const counted = async () => {
      const all = (await Promise.all(both.map((bridge) => bridge.handle.listRoutes()))).flat();
      const sum = (count: 'mqttReceived' | 'rosPublished') =>
        all.reduce((total, { counts }) => total + (counts?.[count] ?? 0), 0);
      return { received: sum('mqttReceived'), published: sum('rosPublished') };
    };
    let now = await counted();
    while (now.received < 2 * names.length) now = await counted();
    assert.deepEqual(now, { received: 2 * names.length, published: names.length });
  });

  it('of two bridges answer each call once, from the first on', async () => {
    const patterns = [{ ...ALL, kind: 'service', pattern: '/tools/*', direction: 'mqtt-to-ros' }] as const;
    const own = [route(bridges.domain, { rosName: '/own' })];
    const both = [
      await open({ id: 'a', routes: own, patterns: [...patterns] }),
      await open({ id: 'b', routes: own, patterns: [...patterns] }),
    ];
    await both[1]?.until(() => both[1]?.route()?.standby?.['mqtt-to-ros'] === 'a');
    const ros = await bridges.ros();
    const type = 'example_interfaces/srv/AddTwoInts';
    const library = InterfaceLibrary.bundled();
    const [request, response] = ['Request', 'Response'].map((part) =>
      MessageCodec.for(library, `${type}_${part}`),
    ) as [MessageCodec, MessageCodec];
    const hashes = { requestHash: request.typeHash, responseHash: response.typeHash };
    const served = Array.from({ length: 5 }, (_each, index) => `add${index}`);
    let asked = 0;
    for (const name of served) {
      ros.createServiceServer({ rosName: `/tools/${name}`, type, ...hashes }, async () => {
        asked++;
        return response.encode({ sum: 3 });
      });
    }
    for (const bridge of both) for (const name of served) await found(bridge, `/tools/${name}`);
    const names = served.flatMap((name) => [name, `no_${name}`]);
    const inbox = await Inbox.on(bridges.client, topic('tools/+/@rep/+'));
    for (const name of names) await bridges.say(topic(`tools/${name}/@req/1`), '{"a":1,"b":2}');
    const received = async () => {
      const all = (await Promise.all(both.map((bridge) => bridge.handle.listRoutes()))).flat();
      return all.reduce((sum, { counts }) => sum + (counts?.mqttReceived ?? 0), 0);
    };
    while ((await received()) < 2 * names.length);
    await inbox.until(({ texts }) => texts.length >= names.length);
    assert.deepEqual(
      inbox.texts.map((text) => text.slice(topic('tools/').length, text.indexOf('/@rep'))).sort(),
      [...names].sort(),
    );
    assert.equal(asked, served.length);
  });

  it('carry the first message already, each once, and none back', async () => {
    const bridge = await open();
    const peer = await bridges.peer();
    await peer.listen('/chatter', STRING, RELIABLE, 0);
    await found(bridge, '/chatter');
    const inbox = await Inbox.on(bridges.client, topic('chatter'));
    for (const text of ['first', 'second', 'third']) {
      await bridges.say(topic('chatter'), `{"data":"${text}"}`, { 'ros-type': STRING });
    }
    await peer.until(() => peer.heard.length === 3);
    assert.deepEqual(peer.heard, ['{"data":"first"}', '{"data":"second"}', '{"data":"third"}']);
    await routes(bridge, 1);
    const { publish } = await peer.publisher('/chatter');
    publish({ data: 'from ROS' });
    await inbox.until(({ texts }) => texts.length === 4);
    await routes(bridge, 2);
    assert.equal(peer.heard.length, 3);
  });

  for (const protocolVersion of [5, 4] as const) {
    it(`leave listed topics to their routes, so that nothing comes twice over MQTT ${protocolVersion}`, async () => {
      const { domain } = bridges;
      const direction = 'mqtt-to-ros' as const;
      const bridge = await open(
        { routes: [route(domain, { direction })], patterns: [{ ...ALL, direction }] },
        protocolVersion,
      );
      const peer = await bridges.peer();
      await peer.listen('/chatter');
      await bridge.ready({ subscriptions: 1 });
      await bridges.say(topic('chatter'), '{"data":"one"}');
      await bridges.say(topic('other'), '{"data":"by pattern"}', { 'ros-type': STRING });
      await bridges.say(topic('chatter'), '{"data":"two"}');
      await peer.until(() => peer.heard.length === 2);
      await bridge.until(() => bridge.route()?.counts?.rosPublished === 2);
      await routes(bridge, protocolVersion === 5 ? 1 : (bridge.status?.patterns?.routes ?? 0));
      assert.deepEqual(peer.heard, ['{"data":"one"}', '{"data":"two"}']);
    });
  }

  it('are closed when they have carried nothing for a while and no publisher is there, and opened again', async () => {
    const bridge = await open({ idleTimeout: 200, typeTable: [{ name: 'chatter', type: STRING }] });
    const peer = await bridges.peer();
    const { writer } = await peer.publisher('/talk', STRING);
    // The second may be closed again when the broker's acknowledgement has come.
    const both = (saying: Promise<void>) => Promise.all([routes(bridge, 2), saying]);
    await routes(bridge, 1);
    await both(bridges.say(topic('chatter'), '{"data":"one"}'));
    await routes(bridge, 1);
    writer.close();
    await routes(bridge, 0);
    // The peer may take the reader that was closed for there still.
    const { publish } = await peer.publisher('/talk', STRING, RELIABLE, 0);
    const repeat = setInterval(() => publish({ data: 'again' }), 50);
    await bridge.until(() => bridge.messages.length > 0).finally(() => clearInterval(repeat));
    await both(bridges.say(topic('chatter'), '{"data":"two"}'));
    await routes(bridge, 1);
    assert.deepEqual(bridge.problems, []);
  });

  it('are bounded in number, what is beyond is counted and named, and has its turn later', async () => {
    const bridge = await open({ maxPatternRoutes: 1, idleTimeout: 200 });
    const peer = await bridges.peer();
    const { writer } = await peer.publisher('/first', STRING);
    await peer.publisher('/second', STRING, RELIABLE, 0);
    await peer.publisher('/third', STRING, RELIABLE, 0);
    await bridges.say(topic('fourth'), '{}', { 'ros-type': STRING });
    const problem = 'patterns: 1 routes are open, which is the most; ';
    await bridge.until(() => bridge.status?.patterns?.dropped === 1 && bridge.status.patterns.left === 2);
    assert.match(
      bridge.status?.patterns?.problem ?? '',
      /^patterns: 1 routes are open, which is the most; \/\w+ is the first topic that is left$/,
    );
    assert.ok(bridge.problems.every((each) => each.startsWith(problem)));
    const first = bridge.messages.length;
    writer.close();
    const { publish } = await peer.publisher('/second', STRING, RELIABLE, 0);
    const { publish: other } = await peer.publisher('/third', STRING, RELIABLE, 0);
    const repeat = setInterval(() => {
      publish({ data: 'second' });
      other({ data: 'third' });
    }, 50);
    await bridge.until(() => bridge.messages.length > first).finally(() => clearInterval(repeat));
    assert.equal(bridge.status?.patterns?.routes, 1);
  });

  it('take nothing from the broker any more when no pattern is left that allows it, whatever is open', async () => {
    const bridge = await open();
    const peer = await bridges.peer();
    await peer.publisher('/chatter');
    await routes(bridge, 1);
    await bridge.handle.addPattern({ ...ALL, direction: 'ros-to-mqtt' });
    await bridge.handle.removePattern({ pattern: '/**', direction: 'both' });
    await bridges.mosquitto.logged(new RegExp(`: bridge-\\S+ ${topic('#')}$`));
    await bridge.until(() => bridge.status?.patterns?.subscribed === undefined);
    assert.equal(bridge.status?.patterns?.routes, 1);
  });

  it('have the options of the pattern that allows them', async () => {
    const bridge = await open({
      patterns: [
        {
          ...{ ...ALL, pattern: '/slow/*', direction: 'ros-to-mqtt', format: 'text' },
          qos: { depth: 3, retain: true, mqtt: 0 },
          deadband: { path: 'data', threshold: 1 },
        },
        { ...ALL, direction: 'ros-to-mqtt' },
      ],
    });
    const peer = await bridges.peer();
    const live = await Inbox.on(bridges.client, topic('slow/x'));
    const { publish } = await peer.publisher('/slow/x', 'std_msgs/msg/Float64');
    for (const data of [1, 1.5, 3]) publish({ data });
    await bridge.until(() => bridge.messages.length === 2);
    const [listed] = await bridge.handle.listRoutes();
    assert.deepEqual(
      [listed?.requested?.depth, listed?.counts?.dropped, listed?.byPattern],
      [3, { deadband: 1 }, true],
    );
    await live.until(({ texts }) => texts.length === 2);
    assert.deepEqual(live.texts, [`${topic('slow/x')}=1`, `${topic('slow/x')}=3`]);
    const stored = await Inbox.on(await bridges.connect(), topic('slow/x'));
    await stored.until(({ texts }) => texts.length === 1);
    assert.deepEqual(stored.texts, [`${topic('slow/x')}=3`]);
    await bridges.say(topic('slow/x'), '', undefined, true);
  });

  it('take messages of the flow, and refuse what no pattern allows', async () => {
    const bridge = await open({ patterns: [{ ...ALL, pattern: '/robot/**', direction: 'mqtt-to-ros' }] });
    const peer = await bridges.peer();
    await peer.listen('/robot/say', STRING, RELIABLE, 0);
    await peer.publisher('/robot/hear', STRING, RELIABLE, 0);
    await bridge.handle.publish(topic('robot/say'), { data: 'hello' });
    await peer.until(() => peer.heard.length === 1);
    await assert.rejects(bridge.handle.publish(topic('other'), {}), {
      message: `topic "${topic('other')}": the bridge has no route for it`,
    });
    await routes(bridge, 1);
  });

  for (const protocolVersion of [5, 4] as const) {
    it(`call services that are found when somebody asks, over MQTT ${protocolVersion}`, async function () {
      const { domain } = bridges;
      const called = { kind: 'service', action: 'allow', direction: 'mqtt-to-ros' } as const;
      const bridge = await open(
        { patterns: [{ ...called, pattern: '/tools/*' }], idleTimeout: 3_600_000 },
        protocolVersion,
      );
      bridges
        .vendor('cyclone')
        .peer(this, 'serve', { args: { service: '/tools/add', domain, timeout: 20, count: 0 } });
      await found(bridge, '/tools/add');
      const requester = bridges.keep(new Requester(await bridges.connect(protocolVersion), 'reply'));
      const ask = async (name: string) => {
        const request = requester.request(topic(name), '{"a":1,"b":2}', { qos: 1, retain: false }, 20);
        return String((await request).payload);
      };
      assert.equal(await ask('tools/add/@req'), '{"sum":3}');
      assert.match(await ask('tools/other/@req'), /"@status":"unavailable".*nobody has it in ROS/);
      assert.deepEqual(await bridge.handle.publish(topic('tools/add/@req'), { a: 2, b: 3 }), { sum: 5 });
      await assert.rejects(bridge.handle.publish(topic('add/@req'), {}), /the bridge has no route for it/);
      const listed = await bridge.handle.listRoutes();
      assert.deepEqual(
        listed.map(({ kind, rosName, type }) => [kind, rosName, type]),
        [
          ['service', '/tools/add', 'example_interfaces/srv/AddTwoInts'],
          ['service', '/tools/other', ''],
        ],
      );
      await routes(bridge, 2);
    });
  }

  it('have goals for actions that are found when somebody has one, and stay while one is under way', async () => {
    const rosName = '/tools/count';
    const type = 'example_interfaces/action/Fibonacci';
    // A bridge of its own thread, so that the one is another's in ROS for the other.
    const thread = new RosThread();
    const serving = bridges.keep(
      TestBridge.create(thread, {
        domains: [bridges.domain],
        routes: [{ kind: 'action', domain: bridges.domain, rosName, type, direction: 'ros-to-mqtt' }],
      }),
    );
    await serving.handle.open();
    const bridge = await open({
      patterns: [{ ...ALL, kind: 'action', pattern: '/tools/*', direction: 'mqtt-to-ros' }, ALL],
      idleTimeout: 200,
    });
    await found(bridge, rosName);
    const goal_id = '00000000-0000-4000-8000-000000000001';
    const results = await Inbox.on(bridges.client, topic('tools/count/@action/result'));
    const requester = bridges.keep(new Requester(await bridges.connect(), 'reply'));
    const ask = async () => {
      const goal = JSON.stringify({ goal_id, goal: { order: 1 } });
      const options = { qos: 1, retain: false } as const;
      return String((await requester.request(topic('tools/count/@action/goal'), goal, options, 20)).payload);
    };
    const say = (part: string, message: object) =>
      serving.handle.publish(topic(`tools/count/@action/${part}`), { goal_id, ...message });
    const accepted = serving
      .until(() => serving.messages.length === 1)
      .then(() => say('status', { status: 'accepted' }));
    assert.match(await ask(), /"accepted"/);
    await accepted;
    // A topic's route is opened meanwhile, and closed when it is idle.
    await Promise.all([routes(bridge, 2), bridges.say(topic('x'), '{"data":""}', { 'ros-type': STRING })]);
    await routes(bridge, 1);
    await say('result', { status: 'succeeded', result: { sequence: [0, 1] } });
    const succeeded = (text: string) => text.includes('"succeeded"');
    await results.until(({ texts }) => texts.some(succeeded));
    await routes(bridge, 0);
  });

  it('count and tell topic names that stand for no ROS name, once each', async () => {
    const bridge = await open();
    for (const name of ['9lives', '9lives', 'no-name', '@nothing']) await bridges.say(topic(name), '{}');
    await bridges.say(topic('chatter/@meta'), '{}');
    await bridge.until(() => bridge.status?.patterns?.dropped === 4);
    assert.deepEqual(
      bridge.problems.map((problem) => problem.slice(0, `topic "${topic('9lives')}"`.length)),
      ['9lives', 'no-name', '@nothing'].map((name) =>
        `topic "${topic(name)}": `.slice(0, `topic "${topic('9lives')}"`.length),
      ),
    );
    assert.equal(bridge.status?.patterns?.routes, 0);
  });
});
