import assert from 'node:assert/strict';
import { Connection, type MessageProperties } from '../../src/client/connection';
import { Requester } from '../../src/client/requester';
import type { BridgeMqttSettings, BridgeSettings, ServiceRouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosDomain, RosServiceHandler } from '../../src/ros/ros-backend';
import { RosThread } from '../../src/ros/ros-thread';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { Cast, freshDomain } from '../rtps/fixture';
import { TestBridge } from './bridge-fixture';

const TYPE = 'example_interfaces/srv/AddTwoInts';
const NAME = '/robot1/add_two_ints';
const library = InterfaceLibrary.bundled();
const request = MessageCodec.for(library, `${TYPE}_Request`);
const response = MessageCodec.for(library, `${TYPE}_Response`);
const SERVICE = {
  rosName: NAME,
  type: TYPE,
  requestHash: request.typeHash,
  responseHash: response.typeHash,
};
const add: RosServiceHandler = async (cdr) => {
  const { a, b } = JSON.parse(request.decodeToJson(cdr));
  return response.encode({ sum: a + b });
};

describe('routes of services', function () {
  this.timeout(30_000);
  const thread = new RosThread();
  const opened: Array<() => Promise<unknown>> = [];
  let mosquitto: Mosquitto;
  let domain: number;

  before(async function () {
    mosquitto = await Mosquitto.start(this);
  });
  after(() => mosquitto?.stop());
  beforeEach(() => {
    domain = freshDomain();
  });
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });

  const calls = (change: Partial<ServiceRouteSettings> = {}): ServiceRouteSettings => ({
    kind: 'service',
    domain,
    rosName: NAME,
    type: TYPE,
    direction: 'mqtt-to-ros',
    timeout: 20_000,
    ...change,
  });
  const mqtt = (protocolVersion: 4 | 5 = 5): BridgeMqttSettings => ({
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
  const client = async (protocolVersion: 4 | 5 = 5): Promise<Connection> => {
    const connection = new Connection(settingsFor(mosquitto.url, protocolVersion));
    opened.push(() => connection.close());
    connection.open();
    await connected(connection);
    return connection;
  };
  /** A ROS program of the test's own. */
  const ros = async (): Promise<RosDomain> => {
    const options = {
      domain,
      range: 'localhost',
      interfaces: ['127.0.0.1'],
      peers: [],
      nodeName: 'test',
      bridgeId: 'peer',
    } as const;
    const user = await new RtpsBackend().openDomain(options);
    opened.push(() => user.close());
    return user;
  };
  const vendor = (name: 'cyclone' | 'fast'): Cast => {
    const cast = new Cast(name);
    opened.push(() => cast.leave());
    return cast;
  };
  const topic = (rest = '') => `ros/${domain}${NAME}/@req${rest}`;
  const ask = (from: Connection, payload: string, properties?: MessageProperties, rest = '') =>
    from.publish(topic(rest), payload, { qos: 1, retain: false, ...(properties && { properties }) });
  const dropped = (bridge: TestBridge) => bridge.route()?.counts?.dropped;

  for (const name of ['cyclone', 'fast'] as const) {
    for (const version of [5, 4] as const) {
      it(`call a service on ${name} for clients of MQTT ${version === 5 ? '5' : '3.1.1'}`, async function () {
        vendor(name).peer(this, 'serve', { args: { service: NAME, domain, timeout: 20, count: 0 } });
        const bridge = await open({ routes: [calls()], mqtt: mqtt(version) });
        await bridge.ready({ servers: 1 });
        const requester = new Requester(await client(version), 'reply');
        opened.push(async () => requester.close());
        const options = { qos: 1, retain: false } as const;
        const call = async (a: number) =>
          String((await requester.request(topic(), `{"a":${a},"b":2}`, options, 20)).payload);
        assert.equal(await call(1), '{"sum":3}');
        assert.deepEqual(await Promise.all([2, 3].map(call)), ['{"sum":4}', '{"sum":5}']);
        await bridge.until(() => bridge.route()?.counts?.mqttPublished === 3);
        const { mqttReceived, rosPublished, rosReceived } = bridge.route()?.counts ?? {};
        assert.deepEqual([mqttReceived, rosPublished, rosReceived, dropped(bridge)], [3, 3, 3, {}]);
      });
    }
  }

  it('reply with the correlation data as it came, and the facts as properties', async () => {
    (await ros()).createServiceServer(SERVICE, add);
    const bridge = await open({ id: 'b1', routes: [calls()], mqtt: mqtt() });
    await bridge.ready({ servers: 1 });
    const from = await client();
    const inbox = await Inbox.on(from, 'answers/#');
    const correlationData = Buffer.from([0, 255, 10, 0]);
    await ask(from, '{"a":20,"b":22}', { responseTopic: 'answers/1', correlationData });
    await inbox.until(({ messages }) => messages.length === 1);
    const { topic: place, payload, qos, retain, properties } = inbox.messages[0] ?? {};
    assert.deepEqual([place, String(payload), qos, retain], ['answers/1', '{"sum":42}', 1, false]);
    assert.deepEqual(properties?.correlationData, correlationData);
    assert.equal(properties?.contentType, 'application/json');
    assert.equal(properties?.payloadFormatIndicator, true);
    assert.deepEqual(
      { ...properties?.userProperties },
      { 'ros-status': 'ok', 'ros-type': TYPE, 'ros-via': 'b1' },
    );
  });

  it('say of a call that fails why: request, no server in time, and no reply in time', async () => {
    const bridge = await open({ routes: [calls({ timeout: 50 })], mqtt: mqtt() });
    await bridge.ready();
    const from = await client();
    const inbox = await Inbox.on(from, 'answers');
    const fails = async (payload: string, status: string, message: string) => {
      const count = inbox.messages.length + 1;
      await ask(from, payload, { responseTopic: 'answers' });
      await inbox.until(({ messages }) => messages.length === count);
      const reply = inbox.messages.at(-1);
      const text = `service ${NAME}: ${message}`;
      assert.equal(reply?.properties?.userProperties?.['ros-status'], status);
      assert.deepEqual(JSON.parse(String(reply?.payload)), { '@status': status, '@error': text });
      await bridge.until(() => bridge.problems.at(-1) === text && bridge.route()?.problem === text);
    };
    await fails('[]', 'bad-request', `request expected an object (${TYPE}_Request), got an array of 0`);
    await fails('', 'unavailable', 'no server was found in time');
    (await ros()).createServiceServer(SERVICE, () => new Promise(() => {}));
    await bridge.ready({ servers: 1 });
    await fails('{}', 'timeout', 'the server has not replied in time');
    await bridge.until(() => Object.keys(dropped(bridge) ?? {}).length === 3);
    assert.deepEqual(dropped(bridge), { invalid: 1, unavailable: 1, timeout: 1 });
  });

  it('wait no longer than the message of the client lives', async () => {
    const bridge = await open({ routes: [calls({ timeout: 3_600_000 })], mqtt: mqtt() });
    await bridge.ready();
    const from = await client();
    const inbox = await Inbox.on(from, 'answers');
    await ask(from, '{}', { responseTopic: 'answers', messageExpiryInterval: 1 });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.properties?.userProperties?.['ros-status'], 'unavailable');
  });

  it('refuse response topics by which a client would publish as the bridge', async () => {
    let served = 0;
    (await ros()).createServiceServer(SERVICE, (...request) => {
      served++;
      return add(...request);
    });
    const bridge = await open({ routes: [calls()], mqtt: mqtt() });
    await bridge.ready({ servers: 1 });
    const from = await client();
    for (const responseTopic of [
      `ros/${domain}/cmd_vel`,
      'ros/7/cmd_vel',
      topic(),
      `ros/${domain}${NAME}/@rep`,
      `ros/${domain}/other/@rep/1`,
      '$SYS/broker',
    ]) {
      const count = bridge.problems.length + 1;
      await ask(from, '{}', { responseTopic });
      await bridge.until(() => bridge.problems.length === count);
      assert.ok(bridge.problems.at(-1)?.startsWith(`${NAME}: response topic "${responseTopic}" `));
    }
    const own = `ros/${domain}${NAME}/@rep/mine`;
    const inbox = await Inbox.on(from, own);
    await ask(from, '{"a":1}', { responseTopic: own });
    await inbox.until(({ texts }) => texts.length === 1);
    assert.deepEqual([inbox.texts, served], [[`${own}={"sum":1}`], 1]);
    await bridge.until(() => dropped(bridge)?.['response-topic'] === 6);
  });

  it('are called by the flow, which hears of what fails', async () => {
    (await ros()).createServiceServer(SERVICE, add);
    const bridge = await open({ routes: [calls()] });
    await bridge.ready({ servers: 1 });
    const { handle } = bridge;
    assert.deepEqual(await handle.publish(topic(), { a: 2, b: 3 }), { sum: 5 });
    assert.deepEqual(await handle.publish(`ros/${domain}${NAME}`, '{"b":7}'), { sum: 7 });
    await assert.rejects(handle.publish(topic(), { c: 1 }), {
      message: `service ${NAME}: request unknown field "c"; known are a, b`,
    });
    await assert.rejects(handle.publish(`ros/${domain}${NAME}/@rep`, {}), {
      message: `${NAME}: a service takes requests at ${topic()}`,
    });
  });

  it('end what the flow waits for when the bridge closes', async () => {
    const bridge = await open({ routes: [calls()] });
    const call = bridge.handle.publish(topic(), {});
    const rejected = assert.rejects(call, { message: 'the bridge was closed' });
    await bridge.close();
    await rejected;
  });

  it('refuse what would be the hundred and first call under way', async () => {
    const bridge = await open({ routes: [calls({ timeout: 50 })] });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 101 }, () => bridge.handle.publish(topic(), {})),
    );
    const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message);
    assert.equal(reasons[99], `service ${NAME}: no server was found in time`);
    assert.equal(reasons[100], `service ${NAME}: 100 calls wait for their replies`);
  });

  it('of an unknown type are refused, because no robot can be asked for it', async () => {
    const bridge = await open({ routes: [calls({ type: 'acme_msgs/srv/Charge' })] });
    assert.equal(
      bridge.route()?.problem,
      `route 1 (${NAME}): no definition of type acme_msgs/srv/Charge_Request`,
    );
  });
});
