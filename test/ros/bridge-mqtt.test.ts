import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { Connection } from '../../src/client/connection';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { RosThread } from '../../src/ros/ros-thread';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { BEST_EFFORT, RELIABLE, route, STRING, TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

describe('bridge between ROS and mosquitto', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const open = (settings: Partial<BridgeSettings> & Pick<BridgeSettings, 'routes'>) =>
    bridges.open({ mqtt: bridges.mqtt(), ...settings });

  it('publishes what ROS says, with QoS and facts as MQTT 5 properties', async () => {
    const bridge = await open({ id: 'b1', routes: [route(bridges.domain)] });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/chatter`);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1 });
    publish({ data: 'hello' });
    await inbox.until(({ messages }) => messages.length === 1);
    const { payload, qos, retain, properties } = inbox.messages[0] ?? {};
    assert.deepEqual([String(payload), qos, retain], ['{"data":"hello"}', 1, false]);
    assert.equal(properties?.contentType, 'application/json');
    assert.equal(properties?.payloadFormatIndicator, true);
    const { 'ros-stamp': stamp, ...facts } = properties?.userProperties ?? {};
    assert.deepEqual(facts, {
      'ros-type': STRING,
      'ros-type-hash': 'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18',
      'ros-seq': '1',
      'ros-via': 'b1',
    });
    assert.match(String(stamp), /^\d{19}$/);
    await bridge.until(() => bridge.route()?.counts?.mqttPublished === 1);
  });

  it('publishes what a best-effort publisher says at QoS 0', async () => {
    const bridge = await open({ routes: [route(bridges.domain, { direction: 'ros-to-mqtt' })] });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/chatter`);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter', STRING, BEST_EFFORT);
    await bridge.ready({ publishers: 1 });
    publish({ data: 'sensor' });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.qos, 0);
  });

  it('carries both ways without an echo on either side', async () => {
    const bridge = await open({ routes: [route(bridges.domain)] });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/chatter`);
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    await bridges.say(`ros/${bridges.domain}/chatter`, '{"data":"from MQTT"}');
    await peer.until(() => peer.heard.length === 1);
    publish({ data: 'from ROS' });
    await inbox.until(({ messages }) => messages.length === 2);
    // What comes after both shows that nothing came between.
    await bridges.say(`ros/${bridges.domain}/chatter`, '{"data":"last"}');
    await peer.until(() => peer.heard.length === 2);
    await inbox.until(({ messages }) => messages.length === 3);
    const texts = ['{"data":"from MQTT"}', '{"data":"from ROS"}', '{"data":"last"}'];
    assert.deepEqual(
      inbox.messages.map(({ payload }) => String(payload)),
      texts,
    );
    assert.deepEqual(peer.heard, [texts[0], texts[2]]);
    assert.deepEqual(
      bridge.messages.map(({ payload }) => payload),
      [{ data: 'from ROS' }],
    );
    // No Local: its own message did not even come to be dropped.
    await bridge.until(() => bridge.route()?.counts?.rosPublished === 2);
    assert.deepEqual(bridge.route()?.counts?.dropped, {});
  });

  it('drops a message that bears its own ros-via, and counts it', async () => {
    const bridge = await open({ id: 'b2', routes: [route(bridges.domain)] });
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    await bridge.ready({ subscriptions: 1 });
    await bridges.say(`ros/${bridges.domain}/chatter`, '{"data":"round"}', { 'ros-via': 'b2' });
    await bridges.say(`ros/${bridges.domain}/chatter`, '{"data":"new"}', { 'ros-via': 'b3' });
    await peer.until(() => peer.heard.length > 0);
    assert.deepEqual(peer.heard, ['{"data":"new"}']);
    await bridge.until(() => bridge.route()?.counts?.dropped.echo === 1);
  });

  it('reports a payload that is not of the type once each, counts it, and carries the next', async () => {
    const routes = [route(bridges.domain, { rosName: '/cmd_vel', type: 'geometry_msgs/msg/Twist' })];
    const bridge = await open({ routes });
    const peer = await bridges.peer();
    await peer.listen('/cmd_vel', 'geometry_msgs/msg/Twist');
    await bridge.ready({ subscriptions: 1 });
    await bridges.say(`ros/${bridges.domain}/cmd_vel`, '{"angular":{"z":"fast"}}');
    await bridges.say(`ros/${bridges.domain}/cmd_vel`, 'full speed');
    await bridge.until(() => bridge.problems.length === 2);
    assert.equal(bridge.problems[0], '/cmd_vel: payload angular.z: expected a number, got "fast"');
    assert.match(bridge.problems[1] ?? '', /^\/cmd_vel: payload not valid JSON: /);
    await bridge.until(() => bridge.route()?.counts?.dropped.invalid === 2);
    assert.equal(bridge.route()?.problem, bridge.problems[1]);
    await bridges.say(`ros/${bridges.domain}/cmd_vel`, '{"angular":{"z":1.5}}');
    await peer.until(() => peer.heard.length > 0);
    assert.match(peer.heard[0] ?? '', /"z":1.5/);
    await bridge.until(() => bridge.route()?.problem === undefined);
    assert.equal(bridge.problems.length, 2);
  });

  it('tells a flood of bad payloads in few words', async () => {
    const bridge = await open({ routes: [route(bridges.domain)] });
    await bridge.ready();
    for (let n = 0; n < 50; n++) await bridges.say(`ros/${bridges.domain}/chatter`, `{"data":${n}}`);
    const keptBack = () =>
      bridge.problems.map(
        (problem) => Number(/^(\d+) more problems in the same second$/.exec(problem)?.[1]) || 0,
      );
    // On a slow machine the flood may last longer than a second.
    const told = () => keptBack().reduce((sum, count) => sum + (count || 1), 0);
    await bridge.until(() => told() === 50);
    assert.ok(keptBack()[10], bridge.problems.join('\n'));
    await bridge.until(() => bridge.route()?.counts?.dropped.invalid === 50);
  });

  it('does not publish stored messages in ROS', async () => {
    await bridges.client.publish(`ros/${bridges.domain}/chatter`, '{"data":"stored"}', {
      qos: 1,
      retain: true,
    });
    for (const protocolVersion of [5, 4] as const) {
      const direction = 'mqtt-to-ros';
      const bridge = await open({
        mqtt: bridges.mqtt({ protocolVersion }),
        routes: [route(bridges.domain, { direction })],
      });
      const peer = await bridges.peer();
      await peer.listen('/chatter');
      await bridge.ready({ subscriptions: 1 });
      await bridges.say(`ros/${bridges.domain}/chatter`, '{"data":"live"}');
      await peer.until(() => peer.heard.length > 0);
      assert.deepEqual(peer.heard, ['{"data":"live"}']);
      await bridge.close();
      await peer.stop();
    }
    await bridges.client.publish(`ros/${bridges.domain}/chatter`, '', { qos: 1, retain: true });
  });

  it('says online while it is connected, offline when it is closed', async () => {
    const other = freshDomain();
    const inbox = await Inbox.on(bridges.client, 'ros/+/@bridge/b4');
    const bridge = await open({
      id: 'b4',
      domains: [bridges.domain, other],
      aliases: { car: bridges.domain },
      routes: [],
      graph: false,
    });
    await inbox.until(({ messages }) => messages.length === 1);
    await bridge.close();
    await inbox.until(({ messages }) => messages.length === 2);
    const [online, offline] = inbox.messages.map(({ payload }) => JSON.parse(String(payload)));
    assert.deepEqual(online, { state: 'online', domains: [bridges.domain, other], from: online.from });
    assert.deepEqual(offline, { state: 'offline', from: offline.from });
    const stored = await Inbox.on(bridges.client, 'ros/car/@bridge/b4');
    await stored.until(({ messages }) => messages.length === 1);
    assert.deepEqual([stored.messages[0]?.retain, stored.texts[0]], [true, inbox.texts[1]]);
  });

  it('says what a broker has to allow that keeps it from knowing other bridges, and carries', async function () {
    const folder = mkdtempSync(join(tmpdir(), 'bridge-access-'));
    bridges.keep(folder, () => rmSync(folder, { recursive: true }));
    const rules = join(folder, 'rules');
    writeFileSync(rules, `topic readwrite ros/${bridges.domain}/chatter\n`, { mode: 0o600 });
    const strict = bridges.keep(await Mosquitto.start(this, [`acl_file ${rules}`]));
    const mqtt = bridges.mqtt({ target: { url: strict.url } });
    const bridge = await bridges.open({ id: 'b6', mqtt, routes: [route(bridges.domain)], graph: false });
    await bridge.ready();
    await bridge.until(() => bridge.status?.problem !== undefined);
    const problem = bridge.status?.problem ?? '';
    assert.match(
      problem,
      new RegExp(`let the bridge's client publish ros/${bridges.domain}/@bridge/b6 and subscribe `),
    );
    assert.deepEqual(bridge.warnings, [`MQTT connection: ${problem}`]);
  });

  it('is said to be broken by its will when its worker dies, and comes back', async () => {
    const workers: Worker[] = [];
    const note = (worker: Worker) => workers.push(worker);
    process.on('worker', note);
    const own = new RosThread();
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/@bridge/b5`);
    const bridge = bridges.keep(
      await TestBridge.open(own, {
        id: 'b5',
        mqtt: bridges.mqtt(),
        domains: [bridges.domain],
        routes: [],
        graph: false,
      }),
    );
    process.off('worker', note);
    await inbox.until(({ messages }) => messages.length === 1);
    const worker = workers[0] as Worker;
    const exited = once(worker, 'exit');
    await worker.terminate();
    await exited;
    await inbox.until(({ messages }) => messages.length === 3);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => JSON.parse(String(payload)).state),
      ['online', 'broken', 'online'],
    );
    await bridge.close();
  });

  it('drops what ROS says while there is no broker, and carries on when it is back', async function () {
    const broker = bridges.keep(await Mosquitto.start(this));
    const bridge = await open({
      mqtt: bridges.mqtt({ target: { url: broker.url } }),
      routes: [route(bridges.domain)],
    });
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    await broker.kill();
    await bridge.until(() => bridge.status?.mqtt?.state !== 'connected');
    publish({ data: 'nobody hears' });
    await bridge.until(() => bridge.route()?.counts?.dropped.offline === 1);
    await broker.run();
    await bridge.ready({ publishers: 1, subscriptions: 1 });
    const listener = bridges.keep(new Connection(settingsFor(broker.url)));
    listener.open();
    const inbox = await Inbox.on(listener, `ros/${bridges.domain}/chatter`);
    publish({ data: 'back' });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(String(inbox.messages[0]?.payload), '{"data":"back"}');
    await listener.publish(`ros/${bridges.domain}/chatter`, '{"data":"here too"}', { qos: 1, retain: false });
    await peer.until(() => peer.heard.length === 1);
  });

  it('bounds what waits for the broker, and counts what it drops', async () => {
    const routes = [route(bridges.domain, { direction: 'ros-to-mqtt' })];
    // What the bridge says of the route and the domain would wait with the messages.
    const bridge = await open({ routes, meta: false, graph: false });
    const inbox = await Inbox.on(bridges.client, `ros/${bridges.domain}/chatter`);
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: 1200 });
    await bridge.ready({ publishers: 1 });
    bridges.mosquitto.suspend();
    try {
      for (let n = 0; n < 1200; n++) publish({ data: `${n}` });
      await bridge.until(() => bridge.route()?.counts?.rosReceived === 1200);
    } finally {
      bridges.mosquitto.resume();
    }
    assert.deepEqual(bridge.route()?.counts?.dropped, { 'in-flight': 200 });
    const kept = 1000;
    await inbox.until(({ messages }) => messages.length === kept);
    assert.equal(String(inbox.messages[kept - 1]?.payload), `{"data":"${kept - 1}"}`);
    await bridge.until(() => bridge.route()?.counts?.mqttPublished === kept);
  });

  it('names the reason when the broker refuses it', async function () {
    const broker = bridges.keep(await Mosquitto.start(this, [], { robot: 'secret' }));
    const bridge = await open({
      mqtt: bridges.mqtt({ target: { url: broker.url }, username: 'robot', password: 'wrong' }),
      routes: [route(bridges.domain)],
    });
    await bridge.until(() => bridge.status?.mqtt?.state === 'error');
    assert.match(bridge.status?.mqtt?.reason ?? '', /Not authorized|Bad user name/i);
    await bridge.until(() => bridge.problems.length > 0);
    assert.match(bridge.problems[0] ?? '', /^MQTT connection: /);
  });
});
