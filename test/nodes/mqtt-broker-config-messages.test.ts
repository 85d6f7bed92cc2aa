import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { IConnectPacket } from 'mqtt-packet';
import mqttPacket from 'mqtt-packet';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import { brokerForm, type FlowNode, pubForm, start, statusText, stop, tab } from './flow';

const flow = (fields: Partial<FlowNode>): FlowNode[] => [tab, brokerForm(fields), pubForm({ topic: 't' })];

const properties = {
  contentType: 'text/plain',
  payloadFormat: true,
  messageExpiry: '60',
  responseTopic: 'answers',
  correlationData: 'x',
  userProperties: [
    { name: 'site', value: 'north' },
    { name: 'site', value: 'south' },
  ],
};

describe('mqtt-broker-config: messages', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let observer: Connection;

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
    observer = new Connection(settingsFor(broker.url));
    observer.open();
  });
  afterEach(async () => {
    await stop();
    await observer?.close();
    await broker?.stop();
  });

  it('publishes birth and closing message with their properties', async () => {
    const inbox = await Inbox.on(observer, 'state', 2, { retainAsPublished: true });
    await start(
      flow({
        url: broker.url,
        birthTopic: 'state',
        birthPayload: 'on',
        birthQos: '1',
        birthRetain: true,
        birthProperties: properties,
        closeTopic: 'state',
        closePayload: 'off',
        closeQos: '2',
      }),
    );
    await inbox.until(({ messages }) => messages.length === 1);
    await stop();
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(
      inbox.messages.map(({ payload, qos, retain }) => [String(payload), qos, retain]),
      [
        ['on', 1, true],
        ['off', 2, false],
      ],
    );
    const { userProperties, messageExpiryInterval, ...others } = inbox.messages[0]?.properties ?? {};
    assert.deepEqual({ ...userProperties }, { site: ['north', 'south'] });
    assert.ok(Number(messageExpiryInterval) <= 60);
    assert.deepEqual(others, {
      contentType: 'text/plain',
      payloadFormatIndicator: true,
      responseTopic: 'answers',
      correlationData: Buffer.from('x'),
    });
  });

  for (const [name, form, message] of [
    [
      'expiry',
      { birthTopic: 't', birthProperties: { messageExpiry: 'soon' } },
      'birthProperties.messageExpiry: expected a whole number from 0 to 4294967295, got "soon"',
    ],
    [
      'will delay',
      { willTopic: 't', willDelay: '-1' },
      'willDelay: expected a whole number from 0 to 4294967295, got "-1"',
    ],
    ['birth topic', { birthTopic: 'a/#' }, 'birth message: topic name "a/#" contains a wildcard'],
    ['list', { userProperties: 'site' }, 'userProperties: expected a list, got "site"'],
    ['queue', { queue: 'tape' }, 'queue: expected one of'],
    ['number', { maxInFlight: '70000' }, 'maxInFlight: expected a whole number from 1 to 32767, got "70000"'],
  ] as const) {
    it(`names a bad ${name}`, async () => {
      await start(flow({ url: broker.url, ...form }));
      const text = await statusText('pub-1', (shown) => !shown.startsWith('connecting'));
      assert.ok(text.startsWith(message), text);
    });
  }
});

describe('mqtt-broker-config: CONNECT', () => {
  it('says all that the form says of it', async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      const parser = mqttPacket.parser();
      parser.on('packet', (packet) => server.emit('packet', packet));
      socket.on('data', (chunk) => parser.parse(chunk)).on('error', () => {});
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const came = once(server, 'packet');
      await start(
        flow({
          url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
          sessionExpiry: '600',
          receiveMaximum: '20',
          maximumPacketSize: 64,
          topicAliasMaximum: '7',
          userProperties: [{ name: 'site', value: 'north' }],
          willTopic: 'gone',
          willDelay: '5',
          willProperties: properties,
        }),
      );
      const [packet] = (await came) as [IConnectPacket];
      const { userProperties, ...connect } = packet.properties ?? {};
      assert.deepEqual({ ...userProperties }, { site: 'north' });
      assert.deepEqual(connect, {
        sessionExpiryInterval: 600,
        receiveMaximum: 20,
        maximumPacketSize: 65_536,
        topicAliasMaximum: 7,
      });
      assert.equal(packet.will?.properties?.willDelayInterval, 5);
      assert.equal(packet.will?.properties?.messageExpiryInterval, 60);
      assert.equal(packet.will?.properties?.responseTopic, 'answers');
    } finally {
      await stop();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    }
  });
});
