import assert from 'node:assert/strict';
import type { Connection, MessageProperties, ReceivedMessage } from '../../src/client/connection';
import { Requester, replyTopicOf } from '../../src/client/requester';
import type { ServiceRouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosServiceClient, RosServiceHandler } from '../../src/ros/ros-backend';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { type TestBridge, Watch } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

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
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const calls = (change: Partial<ServiceRouteSettings> = {}): ServiceRouteSettings => ({
    kind: 'service',
    domain: bridges.domain,
    rosName: NAME,
    type: TYPE,
    direction: 'mqtt-to-ros',
    timeout: 20_000,
    ...change,
  });
  const topic = (rest = '') => `ros/${bridges.domain}${NAME}/@req${rest}`;
  const ask = (from: Connection, payload: string, properties?: MessageProperties, rest = '') =>
    from.publish(topic(rest), payload, { qos: 1, retain: false, ...(properties && { properties }) });
  const dropped = (bridge: TestBridge) => bridge.route()?.counts?.dropped;

  for (const name of ['cyclone', 'fast'] as const) {
    for (const version of [5, 4] as const) {
      it(`call a service on ${name} for clients of MQTT ${version === 5 ? '5' : '3.1.1'}`, async function () {
        bridges
          .vendor(name)
          .peer(this, 'serve', { args: { service: NAME, domain: bridges.domain, timeout: 20, count: 0 } });
        const bridge = await bridges.open({
          routes: [calls()],
          mqtt: bridges.mqtt({ protocolVersion: version }),
        });
        await bridge.ready({ servers: 1 });
        const requester = bridges.keep(new Requester(await bridges.connect(version), 'reply'));
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
    (await bridges.ros()).createServiceServer(SERVICE, add);
    const bridge = await bridges.open({ id: 'b1', routes: [calls()], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const from = bridges.client;
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
    const bridge = await bridges.open({ routes: [calls({ timeout: 50 })], mqtt: bridges.mqtt() });
    await bridge.ready();
    const from = bridges.client;
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
    (await bridges.ros()).createServiceServer(SERVICE, () => new Promise(() => {}));
    await bridge.ready({ servers: 1 });
    await fails('{}', 'timeout', 'the server has not replied in time');
    await bridge.until(() => Object.keys(dropped(bridge) ?? {}).length === 3);
    assert.deepEqual(dropped(bridge), { invalid: 1, unavailable: 1, timeout: 1 });
  });

  it('wait no longer than the message of the client lives', async () => {
    const bridge = await bridges.open({ routes: [calls({ timeout: 3_600_000 })], mqtt: bridges.mqtt() });
    await bridge.ready();
    const from = bridges.client;
    const inbox = await Inbox.on(from, 'answers');
    await ask(from, '{}', { responseTopic: 'answers', messageExpiryInterval: 1 });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.properties?.userProperties?.['ros-status'], 'unavailable');
  });

  it('take no reply of a bridge with another prefix for a request', async () => {
    (await bridges.ros()).createServiceServer(SERVICE, add);
    const domain = freshDomain();
    const one = await bridges.open({ routes: [calls()], mqtt: bridges.mqtt() });
    const settings = { prefix: 'other', domains: [domain], mqtt: bridges.mqtt() };
    const other = await bridges.open({ ...settings, routes: [calls({ domain })] });
    await one.ready({ servers: 1 });
    await other.ready();
    const responseTopic = `other/${domain}${NAME}/@req`;
    await ask(bridges.client, '{"a":1}', { responseTopic });
    await other.until(() => other.problems.length === 1);
    const problem = `${NAME}: what came at "${responseTopic}" is a reply, as its ros-status says, and no request`;
    assert.deepEqual(other.problems, [problem]);
  });

  it('refuse response topics by which a client would publish as the bridge', async () => {
    let served = 0;
    (await bridges.ros()).createServiceServer(SERVICE, (...request) => {
      served++;
      return add(...request);
    });
    const bridge = await bridges.open({ routes: [calls()], mqtt: bridges.mqtt() });
    await bridge.ready({ servers: 1 });
    const from = bridges.client;
    for (const responseTopic of [
      `ros/${bridges.domain}/cmd_vel`,
      'ros/7/cmd_vel',
      topic(),
      `ros/${bridges.domain}${NAME}/@rep`,
      `ros/${bridges.domain}/other/@rep/1`,
      '$SYS/broker',
    ]) {
      const count = bridge.problems.length + 1;
      await ask(from, '{}', { responseTopic });
      await bridge.until(() => bridge.problems.length === count);
      assert.ok(bridge.problems.at(-1)?.startsWith(`${NAME}: response topic "${responseTopic}" `));
    }
    const own = `ros/${bridges.domain}${NAME}/@rep/mine`;
    const inbox = await Inbox.on(from, own);
    await ask(from, '{"a":1}', { responseTopic: own });
    await inbox.until(({ texts }) => texts.length === 1);
    assert.deepEqual([inbox.texts, served], [[`${own}={"sum":1}`], 1]);
    await bridge.until(() => dropped(bridge)?.['response-topic'] === 6);
  });

  it('are called by the flow, which hears of what fails', async () => {
    (await bridges.ros()).createServiceServer(SERVICE, add);
    const bridge = await bridges.open({ routes: [calls()] });
    await bridge.ready({ servers: 1 });
    const { handle } = bridge;
    assert.deepEqual(await handle.publish(topic(), { a: 2, b: 3 }), { sum: 5 });
    assert.deepEqual(await handle.publish(`ros/${bridges.domain}${NAME}`, '{"b":7}'), { sum: 7 });
    await assert.rejects(handle.publish(topic(), { c: 1 }), {
      message: `service ${NAME}: request unknown field "c"; known are a, b`,
    });
    await assert.rejects(handle.publish(`ros/${bridges.domain}${NAME}/@rep`, {}), {
      message: `${NAME}: a service takes requests at ${topic()}`,
    });
  });

  it('end what the flow waits for when the bridge closes', async () => {
    const bridge = await bridges.open({ routes: [calls()] });
    const call = bridge.handle.publish(topic(), {});
    const rejected = assert.rejects(call, { message: 'the bridge was closed' });
    const closing = bridge.close();
    await assert.rejects(bridge.handle.publish(topic(), {}), {
      message: `topic "${topic()}": the bridge is being closed`,
    });
    await closing;
    await rejected;
  });

  it('refuse what would be the hundred and first call under way', async () => {
    const bridge = await bridges.open({ routes: [calls()] });
    const outcomes = Array.from({ length: 101 }, () =>
      bridge.handle.publish(topic(), {}).then(
        () => 'answered',
        (error: Error) => error.message,
      ),
    );
    assert.equal(await outcomes[100], `service ${NAME}: 100 calls wait for their replies`);
    await bridge.close();
    assert.deepEqual(
      await Promise.all(outcomes.slice(0, 100)),
      Array.from({ length: 100 }, () => 'the bridge was closed'),
    );
  });

  it('of an unknown type are refused, because no robot can be asked for it', async () => {
    const bridge = await bridges.open({ routes: [calls({ type: 'acme_msgs/srv/Charge' })] });
    assert.equal(
      bridge.route()?.problem,
      `route 1 (${NAME}): no definition of type acme_msgs/srv/Charge_Request`,
    );
  });

  describe('that the bridge serves', () => {
    const serves = (change: Partial<ServiceRouteSettings> = {}) =>
      calls({ direction: 'ros-to-mqtt', ...change });
    const caller = async () => (await bridges.ros()).createServiceClient(SERVICE);
    const sumOf = async (client: RosServiceClient, a: number, b: number) =>
      JSON.parse(response.decodeToJson(await client.call(request.encode({ a, b }), 20_000))).sum;
    /** Answers what comes on a filter. */
    const responder = async (
      version: 4 | 5,
      answer: (request: { a: number; b: number }, connection: Connection, message: ReceivedMessage) => void,
    ) => {
      const connection = await bridges.connect(version);
      const granted = new Watch();
      let subscribed = false;
      connection.subscribe(
        `${topic()}/#`,
        { qos: 1 },
        {
          message: (message) => answer(JSON.parse(String(message.payload)), connection, message),
          result: () => {
            subscribed = true;
            granted.changed();
          },
        },
      );
      await granted.until(() => subscribed);
    };
    const adder = (version: 4 | 5) =>
      responder(version, ({ a, b }, connection, { topic: asked, properties }) => {
        const place = version === 5 ? properties?.responseTopic : replyTopicOf(asked);
        const options = { qos: 1, retain: false } as const;
        void connection.publish(place as string, JSON.stringify({ sum: a + b }), options);
      });

    for (const name of ['cyclone', 'fast'] as const) {
      for (const version of [5, 4] as const) {
        it(`to ${name}, with an answer of MQTT ${version === 5 ? '5' : '3.1.1'}`, async function () {
          await adder(version);
          const bridge = await bridges.open({
            routes: [serves()],
            mqtt: bridges.mqtt({ protocolVersion: version }),
          });
          await bridge.ready();
          const args = { service: NAME, domain: bridges.domain, timeout: 20, count: 3, a: 10, b: -4 };
          const peer = bridges.vendor(name).peer(this, 'call', { args });
          assert.equal(await peer.exited(), 0);
          assert.deepEqual(peer.messages, [{ sum: 7 }, { sum: 8 }, { sum: 9 }]);
          await bridge.until(() => bridge.route()?.counts?.mqttPublished === 3);
          const { rosReceived, mqttReceived, rosPublished } = bridge.route()?.counts ?? {};
          assert.deepEqual([rosReceived, mqttReceived, rosPublished, dropped(bridge)], [3, 3, 3, {}]);
        });
      }
    }

    it('asks with the facts as properties', async () => {
      const asked: ReceivedMessage[] = [];
      await responder(5, (_request, connection, message) => {
        asked.push(message);
        void connection.publish(message.properties?.responseTopic as string, '{}', { qos: 1, retain: false });
      });
      const bridge = await bridges.open({ id: 'b1', routes: [serves()], mqtt: bridges.mqtt() });
      await bridge.ready();
      assert.equal(await sumOf(await caller(), 1, 2), 0);
      const [{ payload, qos, properties }] = asked as [ReceivedMessage];
      assert.deepEqual(
        [String(payload), qos, properties?.contentType],
        ['{"a":1,"b":2}', 1, 'application/json'],
      );
      assert.equal(
        properties?.responseTopic,
        `ros/${bridges.domain}${NAME}/@rep/${properties?.correlationData}`,
      );
      assert.ok((properties?.messageExpiryInterval ?? 0) > 0);
      assert.deepEqual({ ...properties?.userProperties }, { 'ros-type': TYPE, 'ros-via': 'b1' });
    });

    it('leaves the client without a response, and says why', async () => {
      const bridge = await bridges.open({ routes: [serves()], mqtt: bridges.mqtt() });
      await bridge.ready();
      const client = await caller();
      const fails = async (a: number, reason: string) => {
        const count = bridge.problems.length;
        const call = client.call(request.encode({ a, b: 0 }), 20_000);
        call.catch(() => {});
        await bridge.until(() => bridge.problems.length > count);
        const problem = `service ${NAME}: ${reason}; its client gets no response`;
        assert.equal(bridge.problems.at(-1), problem);
        await bridge.until(() => bridge.route()?.problem === problem);
      };
      await fails(0, `nobody has subscribed to ${topic()}`);
      await responder(5, ({ a }, connection, { properties }) => {
        const place = properties?.responseTopic as string;
        const say = (payload: string, userProperties: Record<string, string>) =>
          void connection.publish(place, payload, { qos: 1, retain: false, properties: { userProperties } });
        if (a === 1) say('{}', { 'ros-status': 'busy' });
        if (a === 2) say('{"total":7}', { 'ros-status': 'ok' });
      });
      await fails(1, 'its answer has the ros-status "busy"');
      await fails(2, 'response unknown field "total"; known are sum');
      await bridge.until(() => dropped(bridge)?.invalid === 2);
      assert.deepEqual(dropped(bridge), { unavailable: 1, invalid: 2 });
    });

    it('waits for an answer as long as its timeout says, and takes none to another request', async () => {
      await responder(5, (_request, connection, { properties }) => {
        const place = `${properties?.responseTopic}0`;
        void connection.publish(place, '{"sum":7}', { qos: 1, retain: false });
      });
      const bridge = await bridges.open({ routes: [serves({ timeout: 100 })], mqtt: bridges.mqtt() });
      await bridge.ready();
      (await caller()).call(request.encode({}), 20_000).catch(() => {});
      await bridge.until(() => dropped(bridge)?.timeout === 1);
      const problem = `service ${NAME}: nobody has answered in time; its client gets no response`;
      assert.deepEqual(bridge.problems, [problem]);
    });

    it('is answered by the flow, which sends the number of the request back', async () => {
      const bridge = await bridges.open({ routes: [serves()] });
      const client = await caller();
      const first = sumOf(client, 20, 22);
      const second = sumOf(client, 1, 1);
      await bridge.until(() => bridge.messages.length === 2);
      assert.deepEqual(
        bridge.messages.map((message) => [message.topic, message.payload, message.rosType]),
        [
          [topic(), { a: 20, b: 22 }, TYPE],
          [topic(), { a: 1, b: 1 }, TYPE],
        ],
      );
      const [one, two] = bridge.messages;
      const { handle } = bridge;
      await assert.rejects(handle.publish(topic(), { total: 2 }, two), {
        message: `service ${NAME}: response unknown field "total"; known are sum`,
      });
      assert.equal(await handle.publish(topic(), { sum: 2 }, two), undefined);
      await handle.publish(topic(), { sum: 42 }, one);
      assert.deepEqual(await Promise.all([first, second]), [42, 2]);
      await assert.rejects(handle.publish(topic(), {}, one), {
        message: `${NAME}: no request ${one?.rosRequest} waits for its answer`,
      });
      await assert.rejects(handle.publish(topic(), {}), {
        message: `${NAME}: the bridge serves it: expected an answer, with topic and rosRequest of the request`,
      });
    });

    it('says that nobody can answer where the output is not wired', async () => {
      const bridge = await bridges.open({ routes: [serves()] }, { flowOutput: false });
      (await caller()).call(request.encode({}), 20_000).catch(() => {});
      await bridge.until(() => bridge.problems.length > 0);
      assert.match(bridge.problems[0] ?? '', /nothing is wired to the output/);
    });

    it('gets no more requests to answer than it may have waiting', async () => {
      const bridge = await bridges.open({ routes: [serves()] });
      const client = await caller();
      const call = () => void client.call(request.encode({}), 20_000).catch(() => {});
      // As many at once as the history of a service holds.
      for (let asked = 10; asked <= 100; asked += 10) {
        for (let count = 0; count < 10; count++) call();
        await bridge.until(() => bridge.messages.length === asked);
      }
      call();
      await bridge.until(() => bridge.problems.length > 0);
      assert.match(bridge.problems[0] ?? '', /100 requests wait for their answers/);
      assert.equal(bridge.messages.length, 100);
    });

    it('is not called by another bridge of the domain that hears its request', async () => {
      const served = await bridges.open({ routes: [serves({ timeout: 500 })], mqtt: bridges.mqtt() });
      const called = await bridges.open({ routes: [calls()], mqtt: bridges.mqtt() });
      await Promise.all([served.ready({ clients: 1 }), called.ready({ servers: 1 })]);
      const client = await caller();
      client.call(request.encode({}), 20_000).catch(() => {});
      await called.until(() => dropped(called)?.echo === 1);
      await served.until(() => dropped(served)?.timeout === 1);
      assert.equal(called.route()?.counts?.rosPublished, 0);
    });
  });
});
