import assert from 'node:assert/strict';
import { once } from 'node:events';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import {
  brokerForm,
  connectedStatus,
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
  tab,
} from './flow';

const reports = [
  report('catch', 'pub-1', 'caught'),
  report('complete', 'pub-1', 'completed'),
  sink('caught'),
  sink('completed'),
];

describe('mqtt-pub', function () {
  this.timeout(20_000);
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
      [{ topic: 't', payload: 'x', qos: 3 }, 'Error: QoS: expected 0, 1 or 2, got "3"'],
      [{ topic: 't', payload: 'x', retain: 'yes' }, 'Error: retain: expected true or false, got "yes"'],
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
    broker.suspend();
    pub.receive({ payload: 'x' });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    const reported = once(pub, 'call:error');
    const deployed = deploy(flow({ topic: 't', qos: '1' }, { clientId: 'another' }));
    await reported;
    assert.match(logged(pub, 'error')[0] ?? '', /closed before the broker acknowledged/);
    broker.resume();
    await deployed;
  });
});
