import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import {
  brokerForm,
  connectedStatus,
  DEEP_JSON,
  deploy,
  errorOf,
  logged,
  pubForm,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  subForm,
  TOO_DEEP,
  tab,
} from './flow';

const reports = [
  report('catch', 'pub-1', 'caught'),
  report('complete', 'pub-1', 'completed'),
  sink('caught'),
  sink('completed'),
];

describe('mqtt-pub', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let observer: Connection;
  let inbox: Inbox;

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
    observer = new Connection(settingsFor(broker.url));
    observer.open();
    inbox = await Inbox.on(observer, '#', 2, { retainAsPublished: true });
  });

  afterEach(async () => {
    await stop();
    await observer?.close();
    await broker?.stop();
  });

  type Form = Parameters<typeof pubForm>[0];
  const flow = (form: Form, brokerFields: Form = {}) => [
    tab,
    brokerForm({ url: broker.url, ...brokerFields }),
    pubForm(form),
    ...reports,
  ];
  const run = async (form: Form = {}) => {
    await start(flow(form));
    await connectedStatus('pub-1');
    return { caught: new Sink('caught'), completed: new Sink('completed'), pub: helper.getNode('pub-1') };
  };

  it('publishes each kind of payload, and is done after the acknowledgement', async () => {
    const { caught, completed, pub } = await run({ topic: 'kinds', qos: '1' });
    const payloads = [Buffer.from([0, 255]), 'text', '', 21.5, false, { a: [1] }, [1, 'b']];
    for (const payload of payloads) pub.receive({ payload });
    await completed.until(payloads.length);
    await inbox.until(({ messages }) => messages.length === payloads.length);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => payload),
      [
        Buffer.from([0, 255]),
        ...['text', '', '21.5', 'false', '{"a":[1]}', '[1,"b"]'].map((text) => Buffer.from(text)),
      ],
    );
    assert.ok(inbox.messages.every(({ qos, retain }) => qos === 1 && !retain));
    assert.deepEqual(caught.messages, []);
  });

  it('takes topic, QoS and retain from the message where the form leaves them open', async () => {
    const { completed, pub } = await run();
    pub.receive({ topic: 'from/msg', payload: 'a', qos: 2, retain: true });
    pub.receive({ topic: 'from/msg', payload: 'b', qos: '1', retain: 'false' });
    pub.receive({ topic: 'from/msg', payload: 'c' });
    await completed.until(3);
    await inbox.until(({ messages }) => messages.length === 3);
    // QoS 0 may overtake what waits for an exchange.
    assert.deepEqual(
      inbox.messages.map(({ payload, qos, retain }) => [String(payload), qos, retain]).sort(),
      [
        ['a', 2, true],
        ['b', 1, false],
        ['c', 0, false],
      ],
    );
  });

  it('lets the form win where it is set', async () => {
    const { completed, pub } = await run({ topic: 'form', qos: '0', retain: 'false' });
    pub.receive({ topic: 'msg', payload: 'x', qos: 2, retain: true });
    await completed.until(1);
    await inbox.until(({ messages }) => messages.length === 1);
    const [{ topic, qos, retain }] = inbox.messages as [(typeof inbox.messages)[0]];
    assert.deepEqual({ topic, qos, retain }, { topic: 'form', qos: 0, retain: false });
  });

  it('takes topic, QoS and retain from where the form says, whatever the message says beside', async () => {
    const { caught, completed, pub } = await run({
      topic: 'place.topic',
      topicType: 'msg',
      qos: 'urgent ? 2 : 1',
      qosType: 'jsonata',
      retain: 'kept',
      retainType: 'flow',
    });
    pub.context().flow.set('kept', true);
    const beside = { topic: 'not/this', qos: 0, retain: false };
    pub.receive({ ...beside, payload: 'a', place: { topic: 'here' }, urgent: true });
    pub.receive({ ...beside, payload: 'b', place: { topic: 'there' }, urgent: false });
    pub.receive({ ...beside, payload: 'c' });
    const [error] = await caught.until(1);
    assert.equal(errorOf(error), 'Error: topic: expected text, got undefined');
    await completed.until(2);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(
      inbox.messages.map(({ topic, payload, qos, retain }) => [topic, String(payload), qos, retain]).sort(),
      [
        ['here', 'a', 2, true],
        ['there', 'b', 1, true],
      ],
    );
  });

  it('publishes in the order in which the messages came, also after one whose expression fails', async () => {
    const qos = 'payload = "slow" ? ($sum([1..20000]) > 0 ? 1) : payload = "bad" ? $error("no") : 1';
    const { caught, completed, pub } = await run({ topic: 't', qos, qosType: 'jsonata' });
    for (const payload of ['slow', 'bad', 'fast']) pub.receive({ payload });
    await caught.until(1);
    await completed.until(2);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(inbox.texts, ['t=slow', 't=fast']);
  });

  it('publishes what it was given, though the flow changes that while it waits', async () => {
    const { completed, pub } = await run({ qos: '1' });
    await (helper.getNode('broker-1') as BrokerConfigNode).disconnect();
    const [payload, bytes] = [Buffer.from('before'), new Uint8Array([1])];
    const userProperties: Record<string, unknown> = { a: 'before', b: ['before'] };
    pub.receive({ topic: 'a', payload, userProperties });
    pub.receive({ topic: 'b', payload: bytes });
    payload.fill('x');
    bytes[0] = 2;
    userProperties.a = 1;
    (userProperties.b as string[]).push('after');
    await (helper.getNode('broker-1') as BrokerConfigNode).connect();
    await completed.until(2);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(
      inbox.messages.map((message) => message.payload),
      [Buffer.from('before'), Buffer.from([1])],
    );
    assert.deepEqual({ ...inbox.messages[0]?.properties?.userProperties }, { a: 'before', b: 'before' });
  });

  it('names the field whose expression fails', async () => {
    const { caught, pub } = await run({
      topic: 't',
      contentType: '$number("x")',
      contentTypeType: 'jsonata',
    });
    pub.receive({ payload: 'x' });
    assert.match(errorOf((await caught.until(1))[0]), /^TypedValueError: contentType: .*x/);
  });

  it('uses the topic alias that the message or the form asks for, where the broker allows it', async () => {
    const { caught, completed, pub } = await run({ topic: '{{msg.to}}', qos: '1' });
    for (const to of ['a', 'a', 'b']) pub.receive({ to, payload: to, topicAlias: 4 });
    await completed.until(3);
    // Topic Alias Maximum 10, mosquitto's default.
    pub.receive({ to: 'a', payload: 'x', topicAlias: 11 });
    const [error] = await caught.until(1);
    assert.match(errorOf(error), /topic alias 11, but the broker's Topic Alias Maximum is 10/);
    await inbox.until(({ messages }) => messages.length === 3);
    assert.deepEqual(
      inbox.messages.map(({ topic, payload }) => [topic, String(payload)]),
      [
        ['a', 'a'],
        ['a', 'a'],
        ['b', 'b'],
      ],
    );
    await stop();
    const again = await run({ topic: 't', qos: '1', topicAlias: '12', topicAliasType: 'num' });
    again.pub.receive({ payload: 'x', topicAlias: 1 });
    assert.match(errorOf((await again.caught.until(1))[0]), /topic alias 12/);
  });

  it('refuses what it cannot publish with one error each, and publishes nothing', async () => {
    const { caught, completed, pub } = await run();
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const bad = [
      [
        { topic: 't' },
        'PayloadError: payload is undefined, expected a Buffer, text, number, boolean or object',
      ],
      [
        { topic: 't', payload: null },
        'PayloadError: payload is null, expected a Buffer, text, number, boolean or object',
      ],
      [{ topic: 't', payload: circular }, /^PayloadError: payload cannot be written as JSON: /],
      [{ topic: 'a/+', payload: 'x' }, /topic name "a\/\+" contains a wildcard/],
      [{ payload: 'x' }, 'Error: No topic: the field is blank, and msg.topic is not text'],
      [{ topic: 't', payload: 'x', qos: 3 }, 'Error: QoS: expected 0, 1 or 2, got 3'],
      [{ topic: 't', payload: 'x', retain: 'yes' }, "Error: retain: expected true or false, got 'yes'"],
    ] as [Record<string, unknown>, string | RegExp][];
    for (const [msg] of bad) pub.receive(msg);
    const errors = (await caught.until(bad.length)).map(errorOf);
    for (const [, expected] of bad) {
      const found = errors.filter((error) =>
        typeof expected === 'string' ? error === expected : expected.test(error),
      );
      assert.equal(found.length, 1, `${expected} in ${errors.join('\n')}`);
    }
    pub.receive({ topic: 'last', payload: 'x' });
    await completed.until(1);
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.topic, 'last');
    assert.equal(caught.messages.length, bad.length);
    assert.equal(completed.messages.length, 1);
  });

  it('says of a message that is deeper than the stack that it cannot be published, nor copied for who hears of that', async () => {
    const { caught, pub } = await run({ topic: 'deep' });
    pub.receive({ payload: JSON.parse(DEEP_JSON) });
    const [told] = await caught.until(1);
    assert.equal(
      told && errorOf(told),
      `payload cannot be written as JSON: ${TOO_DEEP}; the message cannot be copied for other nodes: ${TOO_DEEP}`,
    );
  });

  it('sends all that MQTT 5 lets a message carry, from the message or the form, which wins', async () => {
    const { completed, pub } = await run({
      topic: 'rooms/{{msg.room}}/{{msg.payload.id}}',
      qos: '1',
      payload: 'payload.data',
      payloadType: 'msg',
      contentType: 'text/form',
      messageExpiryInterval: '60',
      messageExpiryIntervalType: 'num',
      payloadFormatIndicator: 'true',
      payloadFormatIndicatorType: 'bool',
      userProperties: '{"a":["1","2"]}',
      userPropertiesType: 'json',
      responseTopic: '"answers/" & room',
      responseTopicType: 'jsonata',
    });
    const of = { responseTopic: 'not/this', contentType: 'not/this', correlationData: 'from msg' };
    pub.receive({ room: 'kitchen', payload: { id: 7, data: Buffer.from([1, 2]) }, ...of });
    pub.receive({ room: 'attic', payload: { id: 8, data: 'text' } });
    await completed.until(2);
    await inbox.until(({ messages }) => messages.length === 2);
    const { topic, payload, properties } = inbox.messages[0] as (typeof inbox.messages)[0];
    assert.deepEqual([topic, payload], ['rooms/kitchen/7', Buffer.from([1, 2])]);
    const expected = {
      responseTopic: 'answers/kitchen',
      correlationData: Buffer.from('from msg'),
      contentType: 'text/form',
      payloadFormatIndicator: true,
      userProperties: { a: ['1', '2'] },
    };
    const { messageExpiryInterval = 0, ...rest } = properties ?? {};
    assert.deepEqual({ ...rest, userProperties: { ...rest.userProperties } }, expected);
    assert.ok(messageExpiryInterval > 50 && messageExpiryInterval <= 60);
    assert.equal(inbox.messages[1]?.topic, 'rooms/attic/8');
    // Numbers that the client gives its packets.
    assert.deepEqual(
      completed.messages.map(({ messageId }) => typeof messageId),
      ['number', 'number'],
    );
  });

  it('publishes an empty payload only where that is chosen', async () => {
    const { caught, completed, pub } = await run({
      topic: 't',
      retain: 'true',
      qos: '1',
      payloadType: 'empty',
    });
    pub.receive({});
    await completed.until(1);
    await inbox.until(({ messages }) => messages.length === 1);
    assert.deepEqual(
      [inbox.messages[0]?.payload.length, inbox.messages[0]?.retain, caught.messages.length],
      [0, true, 0],
    );
  });

  it('publishes under no topic whose placeholders cannot be filled in, and refuses wrong properties', async () => {
    const { caught, pub } = await run({ topic: 'rooms/{{msg.room}}' });
    const bad = [
      [{}, 'TopicTemplateError: topic "rooms/{{msg.room}}": {{msg.room}} has no value'],
      [
        { room: '#' },
        'TopicTemplateError: topic "rooms/{{msg.room}}": {{msg.room}} is "#", which has a wildcard (+ or #)',
      ],
      [{ room: 'a', topicAlias: 0 }, 'Error: topic alias: expected a whole number from 1 to 65535, got 0'],
      [{ room: 'a', contentType: 7 }, 'Error: content type: expected text, got 7'],
      [
        { room: 'a', userProperties: { a: 1 } },
        'Error: user properties: expected an object of texts, got { a: 1 }',
      ],
      [
        { room: 'a', messageExpiryInterval: -1 },
        'Error: message expiry: expected a whole number of seconds, got -1',
      ],
      [{ room: 'a', responseTopic: 'b/#' }, /responseTopic: topic name "b\/#" contains a wildcard/],
    ] as const;
    for (const [msg] of bad) pub.receive({ payload: 'x', ...msg });
    const errors = (await caught.until(bad.length)).map(errorOf);
    for (const [, expected] of bad) {
      assert.ok(
        errors.some((error) => (typeof expected === 'string' ? error === expected : expected.test(error))),
        `${expected} in ${errors}`,
      );
    }
    assert.equal(inbox.messages.length, 0);
  });

  for (const protocolVersion of ['4', '5']) {
    it(`makes requests, and replies to them: protocol level ${protocolVersion}`, async () => {
      await start([
        tab,
        brokerForm({ url: broker.url, protocolVersion }),
        pubForm({ topic: 'double', qos: '1', mode: 'request', timeout: '5', wires: [['out-1']] }),
        subForm({ topicFilter: protocolVersion === '5' ? 'double' : 'double/@req/+', wires: [['answer']] }),
        pubForm({ id: 'answer', mode: 'reply', qos: '1', payload: 'payload * 2', payloadType: 'jsonata' }),
        ...reports,
        sink(),
      ]);
      const [out, caught] = [new Sink(), new Sink('caught')];
      const pub = helper.getNode('pub-1');
      for (const n of [1, 2, 3]) pub.receive({ payload: n, order: n, req: 'kept' });
      const answers = await out.until(3);
      assert.deepEqual(
        answers.map(({ payload, order, req }) => [payload, order, req]),
        [
          [2, 1, 'kept'],
          [4, 2, 'kept'],
          [6, 3, 'kept'],
        ],
      );
      assert.deepEqual(caught.messages, []);
    });
  }

  it('ends a request without reply, and a reply without request, in an error', async () => {
    await start(flow({ topic: 'nobody', mode: 'request', timeout: '0.1', wires: [['out-1']] }));
    const caught = new Sink('caught');
    helper.getNode('pub-1').receive({ payload: 'x' });
    assert.equal(
      errorOf((await caught.until(1))[0]),
      'RequestError: no reply to the request on "nobody": none within 0.1 s',
    );
    await stop();
    await start(flow({ mode: 'reply' }));
    const again = new Sink('caught');
    helper.getNode('pub-1').receive({ topic: 'a/b', payload: 'x' });
    assert.match(errorOf((await again.until(1))[0]), /No topic for the reply/);
  });

  it('ends each message in an error with the reason while the broker refuses it', async function () {
    await broker.stop();
    broker = await Mosquitto.start(this, [], { ann: 'secret' });
    await start([tab, brokerForm({ url: broker.url }), pubForm({ topic: 't' }), ...reports], {
      'broker-1': { username: 'ann', password: 'wrong' },
    });
    const caught = new Sink('caught');
    assert.equal(await statusText('pub-1', (text) => text !== 'connecting'), 'Not authorized (0x87)');
    helper.getNode('pub-1').receive({ payload: 'x' });
    const [msg] = await caught.until(1);
    assert.equal(errorOf(msg), 'NotConnectedError: not connected to the broker: Not authorized (0x87)');
  });

  it('connects, disconnects and brings a password when a message says so, and publishes nothing then', async function () {
    await broker.stop();
    broker = await Mosquitto.start(this, [], { ann: 'secret' });
    const form = { autoConnect: false, passwordSource: 'message' };
    const credentials = { 'broker-1': { username: 'ann' } };
    await start(flow({ topic: 't', qos: '1' }, { url: broker.url, ...form }), credentials);
    const [caught, completed] = [new Sink('caught'), new Sink('completed')];
    const pub = helper.getNode('pub-1');
    pub.receive({ action: 'password', payload: 'x' });
    assert.equal(errorOf((await caught.until(1))[0]), 'Error: msg.password: expected text');
    pub.receive({ action: 'password', password: 'secret', payload: 'x' });
    const [brought] = await completed.until(1);
    assert.equal(brought && 'password' in brought, false);
    pub.receive({ action: 'connect', payload: 'x' });
    await completed.until(2);
    pub.receive({ action: 'any other', payload: 'y' });
    await completed.until(3);
    pub.receive({ action: 'disconnect', payload: 'x' });
    await completed.until(4);
    await statusText('pub-1', (text) => text === 'not connected');
    await broker.logged(/Received DISCONNECT/);
    assert.equal(broker.log.filter((line) => /Received PUBLISH/.test(line)).length, 1);
  });

  it('says so when its broker configuration is missing', async () => {
    await start([tab, pubForm({ broker: 'nowhere', topic: 't' }), ...reports]);
    const caught = new Sink('caught');
    const fault = 'no broker: its configuration is missing or disabled';
    assert.equal(await statusText('pub-1', () => true), fault);
    helper.getNode('pub-1').receive({ payload: 'x' });
    const [msg] = await caught.until(1);
    assert.equal(errorOf(msg), `Error: ${fault}`);
  });

  it('ends what is unacknowledged in an error when its broker configuration is deployed anew', async () => {
    const { pub } = await run({ topic: 't', qos: '1' });
    // It never answers, and is not waited for as one would be that is connected.
    broker.suspend();
    pub.receive({ payload: 'x' });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    await broker.kill();
    await statusText('pub-1', (text) => text.startsWith('reconnecting'));
    await deploy(flow({ topic: 't', qos: '1' }, { clientId: 'another' }));
    assert.match(logged(pub, 'error')[0] ?? '', /closed before the broker acknowledged/);
  });
});
