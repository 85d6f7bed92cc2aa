import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { connected, settingsFor } from '../client/observed';
import {
  brokerForm,
  connectedStatus,
  deploy,
  errorOf,
  logged,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  subForm,
  tab,
} from './flow';

const live = { qos: 1, retain: false } as const;

describe('mqtt-sub', function () {
  this.timeout(20_000);
  let broker: Mosquitto;
  let publisher: Connection;

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
    publisher = new Connection(settingsFor(broker.url));
    publisher.open();
    await connected(publisher);
  });

  afterEach(async () => {
    await stop();
    await publisher?.close();
    await broker?.stop();
  });

  const subscribed = () => broker.logged(/Sending SUBACK to node-red/);

  for (const [output, expected] of [
    ['auto', [{ a: 1 }, 21.5, true, 'plain', '{"cut', '', Buffer.from([0xff, 0])]],
    ['json', [{ a: 1 }, 21.5, true]],
    ['string', ['{"a":1}', '21.5', 'true', 'plain', '{"cut', '', '\ufffd\0']],
    [
      'buffer',
      ['{"a":1}', '21.5', 'true', 'plain', '{"cut', '']
        .map((text) => Buffer.from(text))
        .concat(Buffer.from([0xff, 0])),
    ],
  ] as [string, unknown[]][]) {
    it(`gives payloads as ${output}`, async () => {
      await start([
        tab,
        brokerForm({ url: broker.url }),
        subForm({ topicFilter: 'p/#', output }),
        sink(),
        report('catch', 'sub-1', 'caught'),
        sink('caught'),
      ]);
      const [out, caught] = [new Sink(), new Sink('caught')];
      await subscribed();
      const payloads = ['{"a":1}', '21.5', 'true', 'plain', '{"cut', '', Buffer.from([0xff, 0])];
      for (const payload of payloads) await publisher.publish('p/x', payload, live);
      await out.until(expected.length);
      assert.deepEqual(out.payloads, expected);
      assert.deepEqual(
        out.messages.map(({ topic, qos, retain }) => [topic, qos, retain]),
        expected.map(() => ['p/x', 1, false]),
      );
      // What is not JSON goes to Catch, with the payload as it came.
      if (output !== 'json') return;
      await caught.until(4);
      assert.deepEqual(
        caught.payloads,
        payloads.slice(3).map((payload) => Buffer.from(payload)),
      );
      assert.match(errorOf(caught.messages[0]), /p\/x: payload is not JSON: /);
    });
  }

  it('puts the MQTT 5 properties where flows look for them', async () => {
    await start([tab, brokerForm({ url: broker.url }), subForm({}), sink()]);
    const out = new Sink();
    await subscribed();
    const properties = {
      responseTopic: 'reply',
      correlationData: Buffer.from('id'),
      contentType: 'text/plain',
      messageExpiryInterval: 60,
      userProperties: { key: 'value' },
    };
    await publisher.publish('with/props', 'x', { ...live, properties });
    const [{ _msgid, ...msg } = {}] = await out.until(1);
    assert.deepEqual(msg, { topic: 'with/props', payload: 'x', qos: 1, retain: false, ...properties });
  });

  for (const protocolVersion of ['4', '5']) {
    it(`gives each node each message once, whatever overlaps, and a node that is added its retained messages: protocol level ${protocolVersion}`, async function () {
      await broker.stop();
      broker = await Mosquitto.start(this, ['allow_duplicate_messages true']);
      await publisher.close();
      publisher = new Connection(settingsFor(broker.url));
      publisher.open();
      await publisher.publish('s/1/t', 'kept', { qos: 1, retain: true });
      const first = [
        tab,
        brokerForm({ url: broker.url, protocolVersion }),
        subForm({ id: 'a', topicFilter: 's/+/t', wires: [['outA']] }),
        subForm({ id: 'b', topicFilter: 's/#', wires: [['outB']] }),
        sink('outA'),
        sink('outB'),
      ];
      await start(first);
      const [a, b] = [new Sink('outA'), new Sink('outB')];
      await Promise.all([a.until(1), b.until(1)]);
      await deploy([...first, subForm({ id: 'c', topicFilter: 's/+/t', wires: [['outC']] }), sink('outC')]);
      const c = new Sink('outC');
      await c.until(1);
      await publisher.publish('s/1/t', 'live', live);
      await publisher.publish('s/1/t', 'live', live);
      await Promise.all([a.until(3), b.until(3), c.until(3)]);
      await publisher.publish('s/1/t', 'end', live);
      await Promise.all([a.until(4), b.until(4), c.until(4)]);
      for (const { payloads, messages } of [a, b, c]) {
        assert.deepEqual(payloads, ['kept', 'live', 'live', 'end']);
        assert.deepEqual(
          messages.map(({ retain }) => retain),
          [true, false, false, false],
        );
      }
    });
  }

  it('shows the state of the connection, with the reason, and recovers', async () => {
    await start([tab, brokerForm({ url: broker.url }), subForm({ topicFilter: 'again' }), sink()]);
    const out = new Sink();
    await connectedStatus('sub-1');
    await subscribed();
    await broker.kill();
    assert.match(
      await statusText('sub-1', (text) => text !== 'connected'),
      /^reconnecting: the (broker closed the )?connection/,
    );
    await broker.run();
    await connectedStatus('sub-1');
    await connected(publisher);
    await subscribed();
    await publisher.publish('again', 'x', live);
    await out.until(1);
  });

  for (const [field, form, message] of [
    [
      'filter',
      { topicFilter: 'a/#/b' },
      'not subscribed to "a/#/b": topic filter "a/#/b": # must be alone in the last level',
    ],
    ['QoS', { qos: '5' }, 'QoS: expected 0, 1 or 2, got "5"'],
    ['topic filter', { topicFilter: 7 }, 'topic filter: expected text, got 7'],
    ['output', { output: 'xml' }, 'output: expected auto, json, string or buffer, got "xml"'],
    ['broker', { broker: 'nowhere' }, 'no broker: its configuration is missing or disabled'],
  ] as const) {
    it(`reports a bad ${field} once, in words, in its status and its log`, async () => {
      await start([tab, brokerForm({ url: broker.url }), subForm(form), sink()]);
      assert.equal(await statusText('sub-1', (text) => text === message), message);
      assert.deepEqual(logged(helper.getNode('sub-1'), 'error'), [message]);
    });
  }
});
