import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createBridge } from '../../src/ros/create-bridge';
import { RosTopicMapping } from '../../src/topic/ros-topic';
import { Mosquitto } from '../client/mosquitto';
import { CONNECT, PUBLISH, packet, ScriptedBroker } from '../client/scripted-broker';
import { counterpart } from '../counterparts';
import { endingAfterEach } from '../ending-after-each';
import { GatewayFixture } from './gateway-fixture';
import { LiveClient } from './live-client';

const execute = promisify(execFile);

describe('messages of the gateway', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();
  let mosquitto: Mosquitto;
  let fixture: GatewayFixture;
  let broker: string;

  before(async function () {
    mosquitto = await Mosquitto.start(this, ['set_tcp_nodelay true', 'max_packet_size 200000']);
  });
  after(() => mosquitto?.stop());
  beforeEach(async () => {
    fixture = await GatewayFixture.start({
      limits: { subscriptions: 4, historyBytes: 1_000_000 },
      mapping: new RosTopicMapping({ aliases: { robot: 7 } }),
    });
    broker = await add();
  });
  afterEach(() => fixture.stop());

  const add = async (input: object = {}): Promise<string> => {
    const address = { name: 'ours', host: '127.0.0.1', port: mosquitto.port };
    const { body } = await fixture.api.post('/brokers', { ...address, ...input });
    await fixture.api.post(`/brokers/${body.broker_id}/connect`);
    return body.broker_id;
  };
  const publish = (fields: object) => fixture.api.post('/publish', { broker_id: broker, ...fields });
  const subscribe = (fields: object) => fixture.api.post('/subscribe', { broker_id: broker, ...fields });
  /** Resolves with the history when it has as many messages. */
  const history = async (count: number, query = '') => {
    for (;;) {
      const { body } = await fixture.api.get(`/messages?${query}`);
      if (body.messages.length >= count) return body.messages;
    }
  };

  it('are published when the answer says so, with its reason code', async function () {
    const subscriber = counterpart(this, 'mosquitto_sub');
    for (const qos of [1, 2]) {
      const { status, body } = await publish({ topic: 'nobody', payload: 'x', qos });
      assert.equal(status, 200);
      // No matching subscribers, which only PUBACK tells.
      assert.deepEqual(body, { broker_id: broker, topic: 'nobody', qos, reason_code: qos === 1 ? 16 : 0 });
    }
    assert.deepEqual((await publish({ topic: 'nobody' })).body, {
      broker_id: broker,
      topic: 'nobody',
      qos: 0,
    });
    const properties = {
      content_type: 'application/json',
      response_topic: 'answers',
      correlation_data: 'AAEC',
      message_expiry: 100,
      payload_format: 'text',
      user_properties: { a: 'b', twice: ['1', '2'] },
    };
    await publish({ topic: 'kept', payload: { a: [1, null] }, qos: 1, retain: true, properties });
    const address = ['-h', '127.0.0.1', '-p', String(mosquitto.port), '-V', '5', '-C', '1', '-t', 'kept'];
    const { stdout } = await execute(subscriber, [...address, '-F', '%p|%r|%C|%R|%D|%F|%P']);
    assert.equal(
      stdout.trim(),
      '{"a":[1,null]}|1|application/json|answers|\0\u0001\u0002|1|a:b twice:1 twice:2',
    );
  });

  it('come from other clients, and the history has the newest first', async function () {
    const publisher = counterpart(this, 'mosquitto_pub');
    const { status, body: subscription } = await subscribe({ topic: 'robots/+/state', qos: 1 });
    assert.equal(status, 201);
    assert.deepEqual([subscription.state, subscription.topic], ['subscribed', 'robots/+/state']);
    const send = (topic: string, message: string, ...more: string[]) =>
      execute(publisher, [
        '-h',
        '127.0.0.1',
        '-p',
        String(mosquitto.port),
        '-t',
        topic,
        '-m',
        message,
        ...more,
      ]);
    await send(
      'robots/1/state',
      '{"x": 12345678901234567890}',
      '-q',
      '1',
      '-V',
      '5',
      '-D',
      'publish',
      'content-type',
      'a/b',
    );
    await send('robots/2/state', 'plain "text"');
    const messages = await history(2);
    assert.deepEqual(messages[0], {
      subscription_id: subscription.subscription_id,
      broker_id: broker,
      topic: 'robots/2/state',
      payload: 'plain "text"',
      payload_encoding: 'text',
      qos: 0,
      retain: false,
      received_at: messages[0].received_at,
    });
    assert.deepEqual(
      [
        messages[1].topic,
        messages[1].payload,
        messages[1].payload_encoding,
        messages[1].qos,
        messages[1].properties,
      ],
      ['robots/1/state', { x: Number('12345678901234567890') }, 'json', 1, { content_type: 'a/b' }],
    );
    assert.equal((await history(1, 'topic=robots/2/%23')).length, 1);
    assert.equal((await history(1, 'limit=1'))[0].topic, 'robots/2/state');
    const late = new Date(Date.parse(messages[0].received_at) + 1).toISOString();
    assert.deepEqual(await history(0, `since=${late}`), []);
    assert.equal((await history(2, `since=${messages[1].received_at}`)).length, 2);
    assert.deepEqual(await history(0, 'broker_id=other'), []);
    assert.deepEqual(await history(0, 'subscription_id=other'), []);
  });

  it('come out as they went in', async () => {
    await subscribe({ topic: '#', qos: 2 });
    const cases: [unknown, string | undefined, unknown, string][] = [
      ['text', undefined, 'text', 'text'],
      ['5', undefined, 5, 'json'],
      [5, undefined, 5, 'json'],
      [null, undefined, null, 'json'],
      ['quoted', 'json', 'quoted', 'json'],
      ['AP8=', 'base64', 'AP8=', 'base64'],
      ['', undefined, '', 'text'],
      ['\u{1f916} ü', undefined, '\u{1f916} ü', 'text'],
      [{ a: '\u{1f916}' }, undefined, { a: '\u{1f916}' }, 'json'],
    ];
    for (const [index, [payload, encoding, wanted, form]] of cases.entries()) {
      const { status } = await publish({
        topic: `t/${index}`,
        payload,
        qos: 2,
        ...(encoding !== undefined && { payload_encoding: encoding }),
      });
      assert.equal(status, 200);
      const [message] = await history(1, `topic=t/${index}`);
      assert.deepEqual([message.payload, message.payload_encoding], [wanted, form], JSON.stringify(payload));
    }
  });

  it('tell what their topics stand for in ROS', async () => {
    await subscribe({ topic: 'ros/#', qos: 1 });
    for (const topic of ['ros/robot/arm/joint_states', 'ros/0/add/@req', 'ros/400/x'])
      await publish({ topic, qos: 1 });
    const [bad, request, joints] = await history(3);
    assert.deepEqual(joints.ros, {
      ...{ domain: 7, name: '/arm/joint_states', node: 'arm', message_type: 'joint_states' },
    });
    assert.deepEqual(request.ros, {
      ...{ domain: 0, name: '/add', node: '', message_type: 'add', kind: 'req' },
    });
    assert.equal(bad.ros, undefined);
  });

  it('tell what their topics stand for to the bridge at their broker, not to those that are elsewhere', async () => {
    // The added broker has the address in place of the name.
    const places = [{ url: 'mqtt://127.0.0.1' }, undefined, { url: `mqtt://LocalHost:${mosquitto.port}` }];
    const bridges = places.map((at, domain) => {
      const bridge = createBridge({ domains: [domain], aliases: { robot: domain } });
      return { id: `${domain}`, name: '', bridge, at };
    });
    await fixture.stop();
    fixture = await GatewayFixture.start({ sources: { bridges: () => bridges } });
    broker = await add();
    await subscribe({ topic: 'ros/#', qos: 1 });
    const live = keep(
      await LiveClient.open(`ws://127.0.0.1:${fixture.port}/ws/${broker}/${encodeURIComponent('ros/#')}`),
    );
    await live.until('subscribed');
    for (const topic of ['ros/0/scan', 'ros/robot/scan']) await publish({ topic, qos: 1 });
    for (const [other, robot] of [(await history(2)).reverse(), await live.until('message', 2)]) {
      assert.deepEqual(robot.ros, { domain: 2, name: '/scan', node: '', message_type: 'scan' });
      assert.equal(other.ros, undefined);
    }
  });

  it('are kept up to the bounds of their subscription', async () => {
    const { body: few } = await subscribe({ topic: 'few', qos: 1, history: 2 });
    const { body: small } = await subscribe({ topic: 'small', qos: 1, history_bytes: 3000 });
    for (const payload of ['1', '2', '3']) await publish({ topic: 'few', payload, qos: 1 });
    for (const length of [900, 900, 900, 900, 5000]) {
      await publish({ topic: 'small', payload: 'x'.repeat(length), qos: 1 });
    }
    const counts = async () => {
      const { body } = await fixture.api.get(`/subscriptions?broker_id=${broker}`);
      return body.subscriptions.map((each: { received: number; kept: number; dropped: number }) => [
        each.received,
        each.kept,
        each.dropped,
      ]);
    };
    while ((await counts())[1][0] < 5);
    assert.deepEqual(await counts(), [
      [3, 2, 1],
      [5, 2, 3],
    ]);
    const kept = await history(2, `subscription_id=${few.subscription_id}`);
    assert.deepEqual(
      kept.map(({ payload }: { payload: number }) => payload),
      [3, 2],
    );
    assert.equal(small.history_bytes, 3000);
  });

  it('are forgotten with their subscription', async () => {
    const { body } = await subscribe({ topic: 'a', qos: 1 });
    await publish({ topic: 'a', qos: 1 });
    await history(1);
    const path = `/unsubscribe/${body.subscription_id}`;
    assert.equal((await fixture.api.post(path)).status, 204);
    assert.deepEqual((await fixture.api.get('/messages')).body, { messages: [], truncated: false });
    assert.equal((await fixture.api.post(path)).status, 404);
    // And with their broker.
    await subscribe({ topic: 'a', qos: 1 });
    await fixture.api.call('DELETE', `/brokers/${broker}`);
    assert.deepEqual((await fixture.api.get('/subscriptions')).body, { subscriptions: [] });
  });

  it('come also over a connection that is made later, and after its settings have changed', async () => {
    const address = { name: 'later', host: '127.0.0.1', port: mosquitto.port, client_id: 'later' };
    const { body: later } = await fixture.api.post('/brokers', address);
    const { body } = await subscribe({ broker_id: later.broker_id, topic: 'a', qos: 1 });
    assert.equal(body.state, 'pending');
    const subscribed = mosquitto.logged(/^\d+: later 1 a$/);
    await fixture.api.post(`/brokers/${later.broker_id}/connect`);
    await subscribed;
    await publish({ topic: 'a', payload: 1, qos: 1 });
    await history(1);
    const changed = mosquitto.logged(/^\d+: changed 1 a$/);
    await fixture.api.call('PATCH', `/brokers/${later.broker_id}`, { client_id: 'changed' });
    await changed;
    await publish({ topic: 'a', payload: 2, qos: 1 });
    assert.equal((await history(2))[0].payload, 2);
  });

  for (const [path, fields, status, message] of [
    [
      '/publish',
      { topic: 'a/+' },
      400,
      'topic: topic name "a/+" contains a wildcard (+ or #), which only filters may',
    ],
    ['/publish', { topic: '' }, 400, 'topic: topic is "", expected text of 1 to 65535 characters'],
    ['/publish', { topic: 'a', qos: 3 }, 400, 'qos: qos is 3, expected 0, 1 or 2'],
    ['/publish', { topic: 'a', retain: 1 }, 400, 'retain: retain is 1, expected true or false'],
    [
      '/publish',
      { topic: 'a', payload: 'x', payload_encoding: 'base64' },
      400,
      'payload: payload is not base64',
    ],
    ['/publish', { topic: 'a', properties: { response_topic: '#' } }, 400, /^properties: responseTopic: /],
    ['/publish', { topic: 'a', broker_id: 'x' }, 404, 'broker_id: there is no broker "x"'],
    [
      '/publish',
      { topic: 'a', qos: 1, payload: 'x'.repeat(300_000) },
      422,
      /takes packets of at most 200000 bytes/,
    ],
    ['/subscribe', { topic: 'a/#/b' }, 400, 'topic: topic filter "a/#/b": # must be alone in the last level'],
    ['/subscribe', { topic: 'a', history_bytes: 1_000_001 }, 400, /^history_bytes: /],
    ['/subscribe', { topic: '$share/g/a', no_local: true }, 422, /cannot have No Local/],
  ] as const) {
    it(`are refused: ${path} ${JSON.stringify(fields).slice(0, 70)}`, async () => {
      const { status: got, body } = await fixture.api.post(path, { broker_id: broker, ...fields });
      const { field, message: text } = body.error;
      const said = field === undefined ? text : `${field}: ${text}`;
      if (typeof message === 'string') assert.equal(said, message);
      else assert.match(said, message);
      assert.equal(got, status);
      assert.deepEqual((await fixture.api.get('/subscriptions')).body, { subscriptions: [] });
    });
  }

  it('are not published with numbers that would turn into null', async () => {
    const body = `{"broker_id":"${broker}","topic":"a","payload":{"x":[1e400]}}`;
    const { status, body: refused } = await fixture.api.call('POST', '/publish', body);
    assert.equal(status, 400);
    assert.deepEqual(refused.error, {
      code: 'invalid_field',
      field: 'payload',
      message: 'payload: 0 is a number that is too large, expected one of double precision',
    });
  });

  it('are not published with whole numbers whose last digits would be lost, unless as text', async () => {
    const sent = (payload: string) =>
      fixture.api.call(
        'POST',
        '/publish',
        `{"broker_id":"${broker}","topic":"a","qos":1,"payload":${payload}}`,
      );
    for (const lost of ['9007199254740993', '-9007199254740993', '1730000000123456789', '1e17']) {
      const { status, body } = await sent(`{"stamp":${lost}}`);
      assert.equal(status, 400);
      assert.deepEqual(body.error, {
        code: 'invalid_field',
        field: 'payload',
        message:
          'payload: stamp is a whole number beyond 2^53, whose last digits would be lost, expected the payload as text, which is sent as it is',
      });
    }
    const { body } = await subscribe({ topic: 'a', qos: 1 });
    for (const kept of ['9007199254740991', '1e300', '"1730000000123456789"']) {
      assert.equal((await sent(kept)).status, 200);
    }
    await history(3);
    const answer = await (
      await fetch(`${fixture.api.url}/messages?subscription_id=${body.subscription_id}`)
    ).text();
    const found = [...answer.matchAll(/"payload":([^,]+),/g)].map(([, payload]) => payload);
    assert.deepEqual(found, ['1730000000123456789', '1e+300', '9007199254740991']);
  });

  it('are text where they are nested more deeply than others could read them', async () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    await subscribe({ topic: 'a', qos: 1 });
    for (const levels of [200, 201]) await publish({ topic: 'a', payload: nested(levels), qos: 1 });
    const [deeper, deep] = await history(2);
    assert.deepEqual([deep.payload_encoding, deeper.payload_encoding], ['json', 'text']);
    assert.equal(deeper.payload, nested(201));
  });

  it('whose connection breaks before the acknowledgement are published over the next one', async () => {
    let published = 0;
    const brittle = keep(
      await ScriptedBroker.start(({ type, body }, socket) => {
        if (type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
        if (type !== PUBLISH) return;
        // Behind the topic "a".
        if (++published === 1) socket.destroy();
        else socket.write(packet(4, 0, body.subarray(3, 5), 0x10, 0));
      }),
    );
    const broker_id = await add({ port: Number(new URL(brittle.url).port) });
    const { status, body } = await publish({ broker_id, topic: 'a', qos: 1 });
    assert.deepEqual([status, body.reason_code, published], [200, 16, 2]);
  });

  it('whose broker is removed before the acknowledgement are told to be not published', async () => {
    const silent = keep(
      await ScriptedBroker.start(({ type }, socket) => {
        if (type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      }),
    );
    const broker_id = await add({ port: Number(new URL(silent.url).port) });
    const publishing = publish({ broker_id, topic: 'a', qos: 1 });
    await silent.until((broker) => broker.of(PUBLISH).length === 1);
    await fixture.api.call('DELETE', `/brokers/${broker_id}`);
    const { status, body } = await publishing;
    assert.equal(status, 422);
    assert.match(body.error.message, /the connection was closed before the broker acknowledged it$/);
  });

  it('are not published where there is no connection', async () => {
    await fixture.api.post(`/brokers/${broker}/disconnect`);
    const { status, body } = await publish({ topic: 'a', qos: 1 });
    assert.equal(status, 409);
    assert.deepEqual(body.error, {
      code: 'not_connected',
      message: 'broker "ours" is not connected: disconnected on request',
    });
  });

  it('are subscribed to by a bounded number of subscriptions, with bounded memory', async () => {
    await subscribe({ topic: 'a', history_bytes: 900_000 });
    const { status, body } = await subscribe({ topic: 'b', history_bytes: 200_000 });
    assert.equal(status, 429);
    assert.equal(body.error.message, 'the histories of all subscriptions have 100000 bytes left');
    for (const topic of ['b', 'c', 'd'])
      assert.equal((await subscribe({ topic, history_bytes: 0 })).status, 201);
    const { body: refused } = await subscribe({ topic: 'e', history_bytes: 0 });
    assert.equal(refused.error.message, 'there are 4 subscriptions already');
  });
});
