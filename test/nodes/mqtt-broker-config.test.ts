import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import {
  brokerForm,
  connectedStatus,
  deploy,
  embeddedForm,
  type FlowNode,
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

describe('mqtt-broker-config', function () {
  this.timeout(60_000);
  let broker: Mosquitto;

  const connects = () => broker.log.filter((line) => line.includes('New client connected')).length;

  describe('with a real mosquitto', () => {
    beforeEach(async function () {
      broker = await Mosquitto.start(this);
    });
    afterEach(async () => {
      await stop();
      await broker?.stop();
    });

    it('opens one connection for all its nodes, and keeps it over a deploy that leaves it unchanged', async () => {
      const flow = (topicFilter: string): FlowNode[] => [
        tab,
        brokerForm({ url: broker.url }),
        pubForm({ topic: 't/x' }),
        subForm({ topicFilter }),
        sink(),
      ];
      await start(flow('t/#'));
      await Promise.all([connectedStatus('pub-1'), connectedStatus('sub-1')]);
      const pub = helper.getNode('pub-1');
      await deploy(flow('t/+'));
      await connectedStatus('sub-1');
      assert.equal(helper.getNode('pub-1'), pub, 'the publisher was not restarted');
      const out = new Sink();
      helper.getNode('pub-1').receive({ payload: 'x' });
      await out.until(1);
      // Now all its users change at once: nobody uses the connection for a moment.
      await deploy(flow('t/x').map((node) => (node.id === 'pub-1' ? { ...node, qos: '1' } : node)));
      await Promise.all([connectedStatus('pub-1'), connectedStatus('sub-1')]);
      helper.getNode('pub-1').receive({ payload: 'x' });
      await broker.logged(/Received PUBLISH from .* \(d0, q1,/);
      assert.equal(connects(), 1);
    });

    it('makes no connection without users, and closes it after the last', async () => {
      await start([tab, brokerForm({ url: broker.url }), sink()]);
      await deploy([tab, brokerForm({ url: broker.url }), pubForm({}), sink()]);
      await connectedStatus('pub-1');
      await broker.logged(/New client connected/);
      assert.equal(connects(), 1);
      await deploy([tab, brokerForm({ url: broker.url }), sink()]);
      await broker.logged(/Client node-red-[0-9a-f]{12} disconnected\.$/);
    });

    it('connects anew when it is changed itself, with what is in its form', async () => {
      const flow = (fields: Partial<FlowNode>): FlowNode[] => [
        tab,
        brokerForm({ url: broker.url, ...fields }),
        pubForm({}),
      ];
      await start(flow({ clientId: 'first' }));
      await connectedStatus('pub-1');
      await deploy(flow({ clientId: 'second', protocolVersion: '4', keepAlive: '30', cleanStart: false }));
      await connectedStatus('pub-1');
      await broker.logged(/New client connected from .* as first \(p5, c1, k60\)/);
      await broker.logged(/Client first disconnected/);
      await broker.logged(/New client connected from .* as second \(p2, c0, k30\)/);
    });

    it('has its will published', async () => {
      const observer = new Connection(settingsFor(broker.url));
      observer.open();
      try {
        const inbox = await Inbox.on(observer, 'gone', 2, { retainAsPublished: true });
        const will = { willTopic: 'gone', willPayload: 'bye', willQos: '2', willRetain: true };
        await start([tab, brokerForm({ url: broker.url, clientId: 'mine', ...will }), pubForm({})]);
        await connectedStatus('pub-1');
        // Another client takes the id over.
        const thief = new Connection(settingsFor(broker.url, 5, { clientId: 'mine' }));
        thief.open();
        await inbox.until(({ messages }) => messages.length >= 1);
        const [message] = inbox.messages;
        assert.deepEqual(
          [message?.topic, String(message?.payload), message?.qos, message?.retain],
          ['gone', 'bye', 2, true],
        );
        await thief.close();
      } finally {
        await observer.close();
      }
    });

    it('takes user name and password from the credentials, and reports a refusal once', async function () {
      await broker.stop();
      broker = await Mosquitto.start(this, [], { ann: 'secret' });
      const flow = [tab, brokerForm({ url: broker.url }), pubForm({}), pubForm({ id: 'pub-2' })];
      await start(flow, { 'broker-1': { username: 'ann', password: 'secret' } });
      await connectedStatus('pub-1');
      await stop();
      await start(flow, { 'broker-1': { username: 'ann', password: 'wrong' } });
      for (const id of ['pub-1', 'pub-2']) {
        assert.equal(await statusText(id, (text) => text !== 'connecting'), 'Not authorized (0x87)');
      }
      assert.deepEqual(logged(helper.getNode('broker-1'), 'error'), [
        'No connection to the broker: Not authorized (0x87)',
      ]);
    });
  });

  describe('with an embedded broker', () => {
    afterEach(stop);

    const flow = (embedded: Partial<FlowNode> = {}): FlowNode[] => [
      tab,
      brokerForm({ target: 'embedded', embedded: 'embedded-1' }),
      embeddedForm(embedded),
      pubForm({ topic: 'in/process' }),
      subForm({ topicFilter: 'in/+' }),
      sink(),
      sink('events-1'),
    ];

    it('talks to it with no port open', async () => {
      await start(flow());
      await Promise.all([connectedStatus('pub-1'), connectedStatus('sub-1')]);
      const out = new Sink();
      helper.getNode('pub-1').receive({ payload: { n: 1 } });
      await out.until(1);
      assert.deepEqual(out.payloads, [{ n: 1 }]);
    });

    it('names it while it is missing, and connects when it is there', async () => {
      const without = flow().filter(({ type }) => type !== 'embedded-broker');
      await start(without);
      assert.equal(
        await statusText('pub-1', (text) => text.startsWith('reconnecting')),
        'reconnecting: The embedded broker "embedded-1" is missing: it was deleted, or it or its flow is disabled',
      );
      await deploy(flow());
      await connectedStatus('pub-1');
    });

    it('finds it again when it is deployed anew', async () => {
      await start(flow());
      await connectedStatus('sub-1');
      await deploy(flow({ name: 'renamed' }));
      const out = new Sink();
      while (out.messages.length === 0) {
        helper.getNode('pub-1').receive({ payload: 'x' });
        await new Promise(setImmediate);
      }
    });
  });

  describe('settings for others', () => {
    afterEach(stop);

    it('are plain, under a client id of their own', async () => {
      await start(
        [
          tab,
          brokerForm({
            url: 'mqtt://127.0.0.1:1',
            clientId: 'mine',
            sessionExpiry: 10,
            ...{ willTopic: 'will', birthTopic: 'birth', closeTopic: 'close', queue: 'memory' },
          }),
          sink(),
        ],
        {
          'broker-1': { username: 'ann', password: 'secret' },
        },
      );
      const node = helper.getNode('broker-1') as BrokerConfigNode;
      const settings = node.plainSettings('-bridge');
      assert.deepEqual(structuredClone(settings), {
        target: { url: 'mqtt://127.0.0.1:1' },
        protocolVersion: 5,
        clientId: 'mine-bridge',
        keepAlive: 60,
        cleanStart: true,
        sessionExpiry: 10,
        username: 'ann',
        password: 'secret',
      });
    });
  });

  for (const [field, form, message] of [
    ['keep alive', { keepAlive: 'soon' }, 'keepAlive: expected a whole number from 0 to 65535, got "soon"'],
    [
      'session expiry',
      { sessionExpiry: '-1' },
      'sessionExpiry: expected a whole number from 0 to 4294967295, got "-1"',
    ],
    ['protocol version', { protocolVersion: '6' }, 'protocolVersion: expected one of 5, 4, 3, got "6"'],
    ['address', { url: ['a'] }, 'url: expected text, got ["a"]'],
    ['will topic', { willTopic: ['t'] }, 'willTopic: expected text, got ["t"]'],
    ['will QoS', { willTopic: 't', willQos: '3' }, 'willQos: expected a whole number from 0 to 2, got "3"'],
    [
      'client id',
      { protocolVersion: '4', cleanStart: false },
      'clientId: a session can only be kept under a client ID of its own, and the field is blank',
    ],
    [
      'TLS reference',
      { tls: 'nowhere' },
      'The TLS configuration "nowhere" is missing: it was deleted or is disabled',
    ],
    [
      'URL',
      { url: 'http://127.0.0.1' },
      'URL "http://127.0.0.1" starts with http:, expected mqtt:, mqtts:, ws: or wss:',
    ],
  ] as const) {
    it(`shows a bad ${field} on its users, which refuse their messages`, async () => {
      await start([
        tab,
        brokerForm({ url: 'mqtt://127.0.0.1:1', ...form }),
        pubForm({ topic: 't' }),
        report('catch', 'pub-1', 'caught'),
        sink('caught'),
      ]);
      try {
        assert.equal(await statusText('pub-1', (text) => text === message), message);
        const caught = new Sink('caught');
        helper.getNode('pub-1').receive({ payload: 'x' });
        await caught.until(1);
      } finally {
        await stop();
      }
    });
  }
});
