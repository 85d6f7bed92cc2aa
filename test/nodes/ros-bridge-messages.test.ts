import assert from 'node:assert/strict';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import type { RosBridgeNode } from '../../nodes/ros-bridge';
import { Connection } from '../../src/client/connection';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { ServiceCodec } from '../../src/ros/service-codec';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { freePort } from '../counterparts';
import { Bridges } from '../ros/bridges';
import { bridgeFlow, bridgeStatus, listened, receive, routeTo } from './bridge-flow';
import {
  bridgeForm,
  brokerForm,
  DEEP_JSON,
  deploy,
  embeddedForm,
  errorOf,
  type FlowNode,
  Sink,
  sink,
  start,
  statusText,
  stop,
  TOO_DEEP,
} from './flow';

const INT = 'std_msgs/msg/Int32';
const ADD = 'example_interfaces/srv/AddTwoInts';

describe('ros-bridge: messages', function () {
  this.timeout(60_000);
  afterEach(stop);
  const bridges = Bridges.forSuite();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });

  it('carries messages between the flow and ROS without a broker, numbers as text from the form', async () => {
    await start(
      bridgeFlow({ domains: [{ id: String(domain), alias: '' }], routes: [routeTo(String(domain))] }),
    );
    assert.equal(await bridgeStatus('no ROS'), `no ROS 2 found on this machine, domain ${domain}`);
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    await bridgeStatus('1 domain · 0 ROS nodes · 1 route · ');
    const out = new Sink();
    const completed = new Sink('completed');
    publish({ data: 'from ROS' });
    const [message] = await out.until(1);
    assert.deepEqual(
      [message?.topic, message?.payload, message?.rosType],
      [`ros/${domain}/chatter`, { data: 'from ROS' }, 'std_msgs/msg/String'],
    );
    await listened();
    receive(`ros/${domain}/chatter`, { data: 'from the flow' });
    await completed.until(1);
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, ['{"data":"from the flow"}']);
  });

  it('sends nothing to the flow while its output is not wired, and does after it was', async () => {
    const fields = { domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(bridgeFlow({ ...fields, wires: [[]] }));
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    await bridgeStatus('1 domain · 0 ROS nodes · 1 route · ');
    const node = helper.getNode('bridge-1');
    // As many as are told as a rate also where a second lasts longer.
    for (let each = 0; each < 5; each++) publish({ data: 'nobody hears' });
    await statusText('bridge-1', (text) =>
      /^1 domain · 0 ROS nodes · 1 route · [1-5] msg\/s · rtps/.test(text),
    );
    await deploy(bridgeFlow(fields));
    assert.equal(helper.getNode('bridge-1'), node);
    const out = new Sink();
    publish({ data: 'heard' });
    assert.deepEqual((await out.until(1))[0]?.payload, { data: 'heard' });
  });

  it('takes the type that a message says, unless it has come from another name of ROS', async () => {
    const routes = [routeTo(domain, { type: '' }), routeTo(domain, { rosName: '/other' })];
    await start(bridgeFlow({ domains: [{ id: domain, alias: 'car' }], routes }));
    const peer = await bridges.peer();
    await bridgeStatus('1 domain');
    const completed = new Sink('completed');
    const caught = new Sink('caught');
    const say = (facts: object, place = 'chatter') => {
      const message: NodeMessage & object = { topic: `ros/car/${place}`, payload: { data: 1 }, ...facts };
      helper.getNode('bridge-1').receive(message);
    };
    say({ rosType: 7 });
    say({ rosType: 'Int32' });
    say({ rosType: INT });
    await completed.until(1);
    await peer.listen('/chatter', INT, undefined, 1);
    await listened();
    say({ rosName: '/battery', rosType: 'sensor_msgs/msg/BatteryState' });
    await completed.until(2);
    await peer.until(() => peer.heard.length === 1);
    say({ rosName: '/chatter', rosType: 'std_msgs/msg/String' });
    say({ rosType: INT }, 'other');
    await caught.until(4);
    assert.deepEqual(peer.heard, ['{"data":1}']);
    assert.deepEqual(caught.messages.map(errorOf), [
      'Error: msg.rosType: expected an interface type such as std_msgs/msg/String, got 7',
      'Error: /chatter: rosType: "Int32" is not an interface type like "std_msgs/msg/String"',
      `Error: /chatter: a message is of the type std_msgs/msg/String by its rosType, expected ${INT}`,
      `Error: /other: a message is of the type ${INT} by its rosType, expected std_msgs/msg/String`,
    ]);
  });

  it('gives what it cannot publish to a catch node, with the reason', async () => {
    await start(bridgeFlow({ domains: [{ id: domain, alias: 'car' }], routes: [routeTo(domain)] }));
    await bridgeStatus('no ROS');
    const caught = new Sink('caught');
    const completed = new Sink('completed');
    receive('ros/car/chatter', { data: 1 });
    receive('ros/car/nobody', {});
    receive(7, {});
    await caught.until(3);
    assert.deepEqual(caught.messages.map(errorOf), [
      'Error: msg.topic: expected a topic such as ros/0/chatter, got 7',
      'Error: /chatter: payload data: expected a string, got 1',
      'Error: topic "ros/car/nobody": the bridge has no route for it',
    ]);
    receive('ros/car/chatter', { data: '1' });
    await completed.until(1);
    assert.equal(caught.messages.length, 3);
  });

  it('ends each message once, whatever is in it', async () => {
    const routes = [
      routeTo(domain),
      {
        ...routeTo(domain),
        kind: 'service',
        rosName: '/add',
        type: ADD,
        direction: 'mqtt-to-ros',
        timeout: 0.05,
      },
    ];
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes }));
    await bridgeStatus('no ROS');
    const sinks = ['caught', 'completed'].map((id) => new Sink(id));
    const topic = `ros/${domain}/chatter`;
    const circular: Record<string, unknown> = {};
    circular.data = circular;
    const contents: object[] = [
      ...[
        'text',
        '{"data":"x"}',
        '{',
        '',
        Buffer.from('{"data":"x"}'),
        Buffer.alloc(0),
        { data: 'x' },
        7,
        null,
      ].map((payload) => ({ topic, payload })),
      ...[undefined, circular, () => {}, Symbol('x'), 7n, { data: () => {} }, new Map(), [[]]].map(
        (payload) => ({ topic, payload }),
      ),
      ...[
        undefined,
        null,
        '',
        7,
        7n,
        circular,
        'ros',
        `${topic}/@req`,
        `${topic}/@nothing`,
        'x'.repeat(70_000),
      ].map((other) => ({ topic: other, payload: {} })),
      { topic, payload: { data: 'x' }, rosType: 7n, rosName: 7, rosRequest: 'x' },
      { topic: `ros/${domain}/add/@req`, payload: { a: 1 } },
      { topic: `ros/${domain}/add/@req`, payload: { a: 'x' } },
      ...[
        'list-routes',
        'add-route',
        'remove-route',
        'list-patterns',
        'add-pattern',
        'remove-pattern',
        'x',
        7,
      ].flatMap((action) =>
        [undefined, null, {}, circular, { rosName: 7n }].map((payload) => ({ action, payload })),
      ),
    ];
    const messages = contents.map((content, index) => ({ _msgid: `${index}`, ...content }));
    for (const message of messages) helper.getNode('bridge-1').receive(message as NodeMessage);
    const idOf = ({ _msgid }: NodeMessage) => _msgid as string;
    const seen = () => sinks.flatMap((each) => each.messages.map(idOf));
    await Promise.race(sinks.map((each) => each.until(() => seen().length >= messages.length)));
    assert.deepEqual(seen().sort(), messages.map(idOf).sort());
  });

  it('says of a message that is deeper than the stack that it cannot be published, nor copied for who hears of that', async () => {
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] }));
    await bridgeStatus('no ROS');
    const caught = new Sink('caught');
    const topic = `ros/${domain}/chatter`;
    receive(topic, JSON.parse(DEEP_JSON));
    const [told] = await caught.until(1);
    assert.equal(
      told && errorOf(told),
      `topic "${topic}": the payload cannot be a message: ${TOO_DEEP}; the message cannot be copied for other nodes: ${TOO_DEEP}`,
    );
  });

  it('carries text that is JSON of its own, as DeepROS sends it, in a String of ROS', async function () {
    const { url } = bridges.keep(await Mosquitto.start(this));
    const topic = 'ros/autonomous_vehicle/sensor_fusion/sensor_data';
    await start(
      bridgeFlow(
        {
          broker: 'broker-1',
          domains: [{ id: domain, alias: 'autonomous_vehicle' }],
          routes: [],
          patterns: [{ action: 'allow', pattern: '/sensor_fusion/*', direction: 'both', format: 'text' }],
          typeTable: [{ name: 'sensor_data', type: 'std_msgs/msg/String' }],
        },
        brokerForm({ url }),
      ),
    );
    const peer = await bridges.peer();
    await peer.listen('/sensor_fusion/sensor_data', undefined, undefined, 0);
    await bridgeStatus('1 domain · 0 ROS nodes · 0 routes · 0 by patterns · ');
    const { bridge } = helper.getNode('bridge-1') as RosBridgeNode;
    const heardBy = async () => (await bridge?.graph(domain))?.topics.flatMap((each) => each.subscriptions);
    while ((await heardBy())?.length !== 1);
    const client = bridges.keep(new Connection(settingsFor(url, 4)));
    client.open();
    await connected(client);
    const reading = '{"timestamp": 1755500000.25, "temperature": 21.5, "humidity": 40}';
    await client.publish(topic, reading, { qos: 1, retain: false });
    await peer.until(() => peer.heard.length === 1);
    assert.deepEqual(peer.heard, [JSON.stringify({ data: reading })]);
    const inbox = await Inbox.on(client, topic);
    const { publish } = await peer.publisher('/sensor_fusion/sensor_data');
    publish({ data: reading });
    await inbox.until(({ texts }) => texts.length === 1);
    assert.deepEqual(inbox.texts, [`${topic}=${reading}`]);
    await bridgeStatus('1 domain · 0 ROS nodes · 0 routes · 2 by patterns · ');
  });

  it('meets MQTT clients at the embedded broker, and again after a deploy of broker or bridge', async function () {
    // Three rounds of deploying and finding one another.
    this.timeout(60_000);
    const port = await freePort();
    const nodes = (change: Partial<FlowNode> = {}, name = '') =>
      bridgeFlow(
        { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)], name },
        brokerForm({ target: 'embedded', embedded: 'embedded-1' }),
        embeddedForm({ listen: true, port, ...change }),
        sink('events-1'),
      );
    await start(nodes());
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    const { publish } = await peer.publisher('/chatter');
    for (const [round, deployed] of [
      nodes(),
      nodes({ name: 'renamed' }),
      nodes({ name: 'renamed' }, 'renamed'),
    ].entries()) {
      await deploy(deployed);
      await bridgeStatus('1 domain · 0 ROS nodes · 1 route · ');
      const client = new Connection(settingsFor(`mqtt://127.0.0.1:${port}`));
      client.open();
      await connected(client);
      const presence = await Inbox.on(client, `ros/${domain}/@bridge/+`);
      await presence.until(({ texts }) => texts.at(-1)?.includes('online') === true);
      assert.match(presence.texts.at(-1) ?? '', /^ros\/\d+\/@bridge\/bridge-1-[0-9a-f]{8}=/);
      const inbox = await Inbox.on(client, `ros/${domain}/chatter`);
      const text = `{"data":"${round}"}`;
      // A new bridge and the peer have to find each other first, which nothing here shows.
      while (!peer.heard.includes(text)) {
        await client.publish(`ros/${domain}/chatter`, text, { qos: 1, retain: false });
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const repeat = setInterval(() => publish({ data: 'back' }), 50);
      await inbox
        .until(({ texts }) => texts.includes(`ros/${domain}/chatter={"data":"back"}`))
        .finally(() => clearInterval(repeat));
      await client.close();
    }
  });

  it('carries both ways with MQTT 3.1.1 only where that is allowed', async () => {
    const fields = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    const brokers = [
      brokerForm({ target: 'embedded', embedded: 'embedded-1', protocolVersion: '4' }),
      embeddedForm({}),
      sink('events-1'),
    ];
    await start(bridgeFlow(fields, ...brokers));
    await bridgeStatus(
      'route 1 (/chatter): direction: expected one direction, because the broker is used with MQTT 3.1.1',
    );
    await stop();
    await start(bridgeFlow({ ...fields, bothWaysOverMqtt311: true }, ...brokers));
    const peer = await bridges.peer();
    await peer.publisher('/chatter');
    await bridgeStatus('1 domain · ');
  });

  it('says for which other bridge of the same broker it stands by', async () => {
    const fields = { broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [routeTo(domain)] };
    await start(
      bridgeFlow(
        fields,
        bridgeForm({ ...fields, id: 'bridge-2' }),
        brokerForm({ target: 'embedded', embedded: 'embedded-1' }),
        embeddedForm({}),
        sink('events-1'),
      ),
    );
    const peer = await bridges.peer();
    await peer.listen('/chatter', undefined, undefined, 2);
    const first = await bridgeStatus('1 domain · ');
    const second = await statusText('bridge-2', (text) => text.startsWith('standby'));
    assert.match(second, /^standby for bridge-1-[0-9a-f]{8} · 1 domain · /);
    assert.equal(first.includes('standby'), false);
  });

  it('calls a service, and sends the message on with the response, or why there is none to a catch node', async () => {
    const service = {
      kind: 'service',
      rosName: '/add',
      type: 'example_interfaces/srv/AddTwoInts',
      direction: 'mqtt-to-ros',
    };
    const routes = [
      routeTo(domain, { ...service, timeout: '20' }),
      routeTo(domain, { ...service, rosName: '/nobody', timeout: 0.05 }),
    ];
    const user = await bridges.ros();
    const codec = new ServiceCodec(InterfaceLibrary.bundled(), '/add', service.type);
    user.createServiceServer(codec.service, async (cdr) => {
      const { a, b } = JSON.parse(codec.decodeRequest(cdr));
      return codec.encodeResponse({ sum: a + b });
    });
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes }));
    await bridgeStatus('1 domain · ');
    const [out, caught, completed] = [new Sink(), new Sink('caught'), new Sink('completed')];
    const kept = { topic: `ros/${domain}/add/@req`, payload: { a: 20, b: 22 }, kept: 'by the flow' };
    helper.getNode('bridge-1').receive(kept);
    const [answer] = await out.until(1);
    assert.deepEqual(answer, { ...kept, payload: { sum: 42 } });
    await completed.until(1);
    receive(`ros/${domain}/nobody/@req`, {});
    const [failed] = await caught.until(1);
    assert.equal(errorOf(failed), 'Error: service /nobody: no server was found in time');
  });

  it('sends on what a ROS node asks, and takes the answer back', async () => {
    const type = 'std_srvs/srv/SetBool';
    const service = { kind: 'service', rosName: '/lamp', type, direction: 'ros-to-mqtt' };
    await start(bridgeFlow({ domains: [{ id: domain, alias: '' }], routes: [routeTo(domain, service)] }));
    const user = await bridges.ros();
    const codec = new ServiceCodec(InterfaceLibrary.bundled(), '/lamp', type);
    const out = new Sink();
    const response = user
      .createServiceClient(codec.service)
      .call(codec.encodeRequest({ data: true }), 20_000);
    const [request] = (await out.until(1)) as [NodeMessage];
    assert.deepEqual([request.topic, request.payload], [`ros/${domain}/lamp/@req`, { data: true }]);
    helper.getNode('bridge-1').receive({ ...request, payload: { success: true, message: 'on' } });
    assert.equal(codec.decodeResponse(await response), '{"success":true,"message":"on"}');
  });
});
