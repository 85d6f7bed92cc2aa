import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import { connected } from '../client/observed';
import { CONNECT, packet, ScriptedBroker, SUBSCRIBE } from '../client/scripted-broker';
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
  subForm,
  tab,
} from './flow';
import { MqttSide } from './mqtt-side';

describe('mqtt-sub', function () {
  this.timeout(60_000);
  const mqtt = MqttSide.forSuite();

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
    ['base64', ['eyJhIjoxfQ==', 'MjEuNQ==', 'dHJ1ZQ==', 'cGxhaW4=', 'eyJjdXQ=', '', '/wA=']],
  ] as [string, unknown[]][]) {
    it(`gives payloads as ${output}`, async () => {
      await start([
        tab,
        brokerForm({ url: mqtt.broker.url }),
        subForm({ topicFilter: 'p/#', output }),
        sink(),
        report('catch', 'sub-1', 'caught'),
        sink('caught'),
      ]);
      const [out, caught] = [new Sink(), new Sink('caught')];
      await mqtt.subscribed();
      const payloads = ['{"a":1}', '21.5', 'true', 'plain', '{"cut', '', Buffer.from([0xff, 0])];
      for (const payload of payloads) await mqtt.publish('p/x', payload);
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

  it('fills variables into its filters, and names one that is not set', async () => {
    process.env.TEST_SUB_LINE = '4';
    const filters = (name: string) => ({
      topicFilter: ['lines/$', `{${name}}/#`].join(''),
      moreFilters: [['shops/$', `{${name}}`].join('')],
    });
    await start([tab, brokerForm({ url: mqtt.broker.url }), subForm(filters('TEST_SUB_LINE')), sink()]);
    const out = new Sink();
    await connectedStatus('sub-1');
    await mqtt.broker.logged(/lines\/4\/#/);
    await mqtt.broker.logged(/shops\/4/);
    for (const topic of ['lines/4/a', 'shops/4']) await mqtt.publish(topic, topic);
    assert.deepEqual([...(await out.until(2))].map(({ topic }) => topic).sort(), ['lines/4/a', 'shops/4']);
    await stop();
    delete process.env.TEST_SUB_LINE;
    await start([tab, brokerForm({ url: mqtt.broker.url }), subForm(filters('TEST_SUB_LINE')), sink()]);
    assert.equal(
      await statusText('sub-1', () => true),
      'topicFilter: the environment variable TEST_SUB_LINE is not set',
    );
  });

  it('takes payloads for what their senders say', async () => {
    await start([
      tab,
      brokerForm({ url: mqtt.broker.url }),
      subForm({ topicFilter: 'p/#' }),
      sink(),
      report('catch', 'sub-1', 'caught'),
      sink('caught'),
    ]);
    const [out, caught] = [new Sink(), new Sink('caught')];
    await mqtt.subscribed();
    for (const contentType of ['text/plain', 'image/png', 'application/json']) {
      await mqtt.publish('p/x', '1', { properties: { contentType } });
    }
    await mqtt.publish('p/x', 'x', { properties: { contentType: 'application/json' } });
    await caught.until(1);
    assert.deepEqual(out.payloads, ['1', Buffer.from('1'), 1]);
    assert.match(errorOf(caught.messages[0]), /p\/x: payload is not JSON: /);
  });

  it('puts the MQTT 5 properties where flows look for them', async () => {
    await start([tab, brokerForm({ url: mqtt.broker.url }), subForm({}), sink()]);
    const out = new Sink();
    await mqtt.subscribed();
    const properties = {
      responseTopic: 'reply',
      correlationData: Buffer.from('id'),
      contentType: 'text/plain',
      messageExpiryInterval: 60,
      payloadFormatIndicator: true,
      userProperties: { key: 'value' },
    };
    await mqtt.publish('with/props', 'x', { properties });
    const [{ _msgid, ...msg } = {}] = await out.until(1);
    assert.deepEqual(msg, {
      messageId: 1,
      topic: 'with/props',
      payload: 'x',
      qos: 1,
      retain: false,
      dup: false,
      params: ['with/props'],
      ...properties,
    });
  });

  it('gives each node properties of its own to change', async () => {
    const second = subForm({ id: 'sub-2', wires: [['out-2']] });
    await start([tab, brokerForm({ url: mqtt.broker.url }), subForm({}), second, sink(), sink('out-2')]);
    const outs = [new Sink(), new Sink('out-2')];
    await mqtt.subscribed();
    const properties = { correlationData: Buffer.from('id'), userProperties: { key: ['a', 'b'] } };
    await mqtt.publish('t', 'x', { properties });
    const [[one], [two]] = (await Promise.all(outs.map((out) => out.until(1)))) as unknown as [
      [typeof properties],
      [typeof properties],
    ];
    one.correlationData.fill(0);
    one.userProperties.key.push('c');
    assert.deepEqual(two.correlationData, properties.correlationData);
    assert.deepEqual(two.userProperties, properties.userProperties);
  });

  for (const protocolVersion of ['4', '5']) {
    it(`gives each node each message once, whatever overlaps, and a node that is added its retained messages: protocol level ${protocolVersion}`, async function () {
      await mqtt.replace(this, ['allow_duplicate_messages true']);
      await mqtt.publish('s/1/t', 'kept', { retain: true });
      const first = [
        tab,
        brokerForm({ url: mqtt.broker.url, protocolVersion }),
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
      await mqtt.publish('s/1/t', 'live');
      await mqtt.publish('s/1/t', 'live');
      await Promise.all([a.until(3), b.until(3), c.until(3)]);
      await mqtt.publish('s/1/t', 'end');
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

  it('gives a node with several filters each message once, with what the wildcards stood for', async () => {
    const moreFilters = ['s/#', '$share/g/s/kitchen/+', 's/+/+/t'];
    await start([
      tab,
      brokerForm({ url: mqtt.broker.url }),
      subForm({ topicFilter: 's/+/t', moreFilters }),
      sink(),
    ]);
    const out = new Sink();
    await mqtt.subscribed();
    for (const topic of ['s/kitchen/t', 's/a/b/t', 's', 's//t', 'end', 's/end']) {
      await mqtt.publish(topic, topic);
    }
    await out.until(5);
    assert.deepEqual(
      out.messages.map(({ topic, params }) => [topic, params]),
      [
        ['s/kitchen/t', ['kitchen']],
        ['s/a/b/t', ['a/b/t']],
        ['s', ['']],
        ['s//t', ['']],
        ['s/end', ['end']],
      ],
    );
  });

  it('leaves out retained messages, keeps the flag, and leaves out its own connection, where that is wanted', async () => {
    await mqtt.publish('r/kept', 'kept', { retain: true });
    await start([
      tab,
      brokerForm({ url: mqtt.broker.url }),
      subForm({ topicFilter: 'r/#', retainHandling: '2', retainAsPublished: true, noLocal: true }),
      pubForm({ topic: 'r/own', qos: '1' }),
      report('complete', 'pub-1', 'completed'),
      sink('completed'),
      sink(),
    ]);
    const [out, completed] = [new Sink(), new Sink('completed')];
    await mqtt.subscribed();
    helper.getNode('pub-1').receive({ payload: 'own' });
    await completed.until(1);
    await mqtt.publish('r/new', 'new', { retain: true });
    await out.until(1);
    assert.deepEqual([out.payloads, out.messages[0]?.retain], [['new'], true]);
  });

  it('names both nodes whose options for the same filter contradict each other', async () => {
    await start([
      tab,
      brokerForm({ url: mqtt.broker.url }),
      subForm({ id: 'a', name: 'first', topicFilter: 'n', wires: [] }),
      subForm({ id: 'b', name: 'second', topicFilter: 'n', noLocal: true, wires: [] }),
    ]);
    const fault =
      'not subscribed to "n": mqtt-sub "first" and mqtt-sub "second" have the same filter on one connection and differ in No Local';
    await statusText('b', (text) => text === fault);
    assert.deepEqual(logged(helper.getNode('b'), 'error'), [fault]);
    await connectedStatus('a');
  });

  it('says that the broker refuses a subscription, and why', async () => {
    const refusing = await ScriptedBroker.start((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      else if (received.type === SUBSCRIBE) socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 0x87));
    });
    await start([tab, brokerForm({ url: refusing.url }), subForm({ topicFilter: 'secret/#' }), sink()]);
    const fault = 'not subscribed to "secret/#": Not authorized (0x87)';
    await statusText('sub-1', (shown) => shown === fault);
    assert.deepEqual(logged(helper.getNode('sub-1'), 'error'), [fault]);
    await refusing.stop();
  });

  it('shows the state of the connection, with the reason, and recovers', async () => {
    await start([tab, brokerForm({ url: mqtt.broker.url }), subForm({ topicFilter: 'again' }), sink()]);
    const out = new Sink();
    await connectedStatus('sub-1');
    await mqtt.subscribed();
    await mqtt.broker.kill();
    assert.match(
      await statusText('sub-1', (text) => text !== 'connected'),
      /^reconnecting: the (broker closed the )?connection/,
    );
    await mqtt.broker.run();
    await connectedStatus('sub-1');
    await connected(mqtt.client);
    await mqtt.subscribed();
    await mqtt.publish('again', 'x');
    await out.until(1);
  });

  for (const [field, form, message] of [
    [
      'filter',
      { topicFilter: 'a/#/b' },
      'not subscribed to "a/#/b": topic filter "a/#/b": # must be alone in the last level',
    ],
    [
      'further filter',
      { moreFilters: ['a+'] },
      'not subscribed to "a+": topic filter "a+": + must be alone in its level',
    ],
    ['list of filters', { moreFilters: [7] }, 'topic filters: expected a list of texts, got [7]'],
    [
      'shared subscription',
      { topicFilter: '$share/g/a', noLocal: true },
      'not subscribed to "$share/g/a": a shared subscription cannot have No Local',
    ],
    ['retain handling', { retainHandling: '3' }, 'retained: expected 0, 1 or 2, got "3"'],
    ['delivery', { delivery: 'never' }, 'messages: expected arrival, acknowledged or request, got "never"'],
    ['timeout', { timeout: 'soon' }, 'timeout: expected more than 0 and at most 86400 seconds, got "soon"'],
    ['maxWaiting', { maxWaiting: 'many' }, 'at a time: expected 1 to 10000, got "many"'],
    ['overflow', { overflow: 'drop' }, 'too many: expected drop-oldest or drop-newest, got "drop"'],
    ['QoS', { qos: '5' }, 'QoS: expected 0, 1 or 2, got "5"'],
    ['topic filter', { topicFilter: 7 }, 'topic filter: expected text, got 7'],
    ['output', { output: 'xml' }, 'output: expected auto, json, string, buffer or base64, got "xml"'],
    ['broker', { broker: 'nowhere' }, 'no broker: its configuration is missing or disabled'],
  ] as const) {
    it(`reports a bad ${field} once, in words, in its status and its log`, async () => {
      await start([tab, brokerForm({ url: mqtt.broker.url }), subForm(form), sink()]);
      assert.equal(await statusText('sub-1', (text) => text === message), message);
      assert.deepEqual(logged(helper.getNode('sub-1'), 'error'), [message]);
    });
  }
});
