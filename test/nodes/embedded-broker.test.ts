import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import mqtt, { type IConnackPacket } from 'mqtt';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { connected, settingsFor, statusOf } from '../client/observed';
import { freePort } from '../counterparts';
import {
  deploy,
  embeddedForm,
  type FlowNode,
  logged,
  Sink,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

describe('embedded-broker', function () {
  this.timeout(60_000);
  let port: number;
  const open: Connection[] = [];

  const connect = (): Connection => {
    const connection = new Connection(settingsFor(`mqtt://127.0.0.1:${port}`));
    open.push(connection);
    connection.open();
    return connection;
  };
  const flow = (fields: Partial<FlowNode> = {}): FlowNode[] => [
    tab,
    embeddedForm({ listen: true, port: String(port), ...fields }),
    sink('events-1'),
  ];
  const running = () => statusText('embedded-1', (text) => text.startsWith('127.0.0.1:'));

  beforeEach(async () => {
    port = await freePort();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await stop();
  });

  it('shows its address and how many clients it has, and tells who comes and goes', async () => {
    await start(flow());
    const events = new Sink('events-1');
    assert.equal(await running(), `127.0.0.1:${port} · 0 clients`);
    const one = connect();
    await connected(one);
    await statusText('embedded-1', (text) => text === `127.0.0.1:${port} · 1 client`);
    const other = connect();
    await connected(other);
    await statusText('embedded-1', (text) => text === `127.0.0.1:${port} · 2 clients`);
    await one.close();
    await statusText('embedded-1', (text) => text === `127.0.0.1:${port} · 1 client`);
    await events.until(3);
    assert.deepEqual(
      events.messages.map(({ topic }) => topic),
      ['connected', 'connected', 'disconnected'],
    );
    const { clientId, type } = events.payloads[0] as { clientId: string; type: string };
    assert.match(clientId, /^test-/);
    assert.equal(type, 'connected');
  });

  it('says in words that its port is taken, and takes it when it is free', async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve));
    await start(flow());
    const fault = await statusText('embedded-1', (text) => text !== 'starting');
    assert.match(fault, new RegExp(`127\\.0\\.0\\.1:${port}.*address already in use`));
    assert.deepEqual(logged(helper.getNode('embedded-1'), 'error'), [fault]);
    await new Promise((resolve) => squatter.close(resolve));
    await deploy(flow({ name: 'again' }));
    assert.equal(await running(), `127.0.0.1:${port} · 0 clients`);
  });

  it('frees its port before its successor listens on it', async () => {
    await start(flow());
    await running();
    const client = connect();
    await connected(client);
    for (const name of ['second', 'third']) {
      const away = statusOf(client, ({ state }) => state !== 'connected');
      await deploy(flow({ name }));
      await away;
      await running();
      await connected(client);
      assert.deepEqual(logged(helper.getNode('embedded-1'), 'error'), []);
    }
  });

  it('offers what the form says, and everything where a form from before says nothing', async () => {
    for (const [fields, expected] of [
      [{}, {}],
      [
        {
          maximumQos: '1',
          retain: false,
          wildcardSubscriptions: false,
          sharedSubscriptions: false,
          subscriptionIdentifiers: false,
          serverKeepAlive: '30',
          sysInterval: '0',
        },
        {
          maximumQoS: 1,
          retainAvailable: false,
          wildcardSubscriptionAvailable: false,
          sharedSubscriptionAvailable: false,
          subscriptionIdentifiersAvailable: false,
          serverKeepAlive: 30,
        },
      ],
    ] as const) {
      await start(flow(fields));
      await running();
      const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'c' });
      const { properties } = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
      assert.deepEqual(
        { ...properties },
        { topicAliasMaximum: 32, maximumPacketSize: 16 * 1024 * 1024, ...expected },
      );
      await client.endAsync();
      await stop();
    }
  });

  it('has the limits that the form says, in its units', async () => {
    await start(flow({ limitPacketSize: '64', limitTopicLevels: 2, limitQueuedBytes: ' ', queuePolicy: '' }));
    await running();
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'c' });
    const { properties } = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
    assert.equal(properties?.maximumPacketSize, 64 * 1024);
    const [granted] = await client.subscribeAsync('a/b');
    assert.equal(granted?.qos, 0);
    await assert.rejects(client.subscribeAsync('a/b/c'));
    await client.endAsync();
  });

  it('warns when memory gets short, and says when there is enough again', async () => {
    await start(flow({ limitMemoryBytes: '1', sysInterval: '0' }));
    await running();
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'c' });
    const node = helper.getNode('embedded-1');
    const events = new Sink('events-1');
    const memory = () => events.messages.filter(({ topic }) => topic === 'memory');
    const untilTold = async (count: number) => {
      while (memory().length < count) await events.until(events.messages.length + 1);
    };
    for (let number = 0; number < 9; number++) {
      await client.publishAsync(`t/${number}`, Buffer.alloc(100_000), { qos: 1, retain: true });
    }
    await untilTold(1);
    assert.match(String(logged(node, 'warn')), /^Memory is short: .* drops QoS 0/);
    await statusText('embedded-1', (shown) => / · memory is short$/.test(shown));
    for (let number = 0; number < 9; number++) {
      await client.publishAsync(`t/${number}`, '', { qos: 1, retain: true });
    }
    await untilTold(2);
    const states = memory().map(({ payload }) => (payload as { state: string }).state);
    assert.deepEqual(states, ['short', 'enough']);
    await client.endAsync();
  });

  it('serves in process alone when it does not listen', async () => {
    await start(flow({ listen: false }));
    assert.equal(await statusText('embedded-1', (text) => text !== 'starting'), 'no port · 0 clients');
    const client = connect();
    const { reason } = await statusOf(client, ({ state }) => state === 'reconnecting');
    assert.match(reason ?? '', /ECONNREFUSED/);
  });

  for (const [field, fields, message] of [
    ['port', { port: 'mqtt' }, /^port: expected a whole number from 0 to 65535, got "mqtt"$/],
    ['address', { host: 7 }, /^address: expected text, got 7$/],
    [
      'keep alive',
      { serverKeepAlive: 'often' },
      /^keep alive: expected a whole number of seconds from 0 to 65535, got "often"$/,
    ],
    ['highest QoS', { maximumQos: '3' }, /^highest QoS: expected 0, 1 or 2, got "3"$/],
    ['response info', { responseInformation: 5 }, /^response info: expected text, got "5"$/],
    [
      'limit',
      { limitPacketSize: '300000' },
      /^Largest packet \(KiB\): expected a whole number from 1 to 262143, got "300000"$/,
    ],
    [
      'limit of a rate',
      { limitMessageRate: 'few' },
      /second: expected a whole number from 0 to \d+, got "few"$/,
    ],
    ['policy', { queuePolicy: 'drop' }, /^full queue: expected drop-newest, .* got "drop"$/],
    ['$SYS interval', { sysInterval: -1 }, /^\$SYS interval: expected .* got "-1"$/],
    [
      'address beyond this machine',
      { host: '0.0.0.0' },
      /0\.0\.0\.0:\d+: it would be open to other machines/,
    ],
  ] as const) {
    it(`refuses a bad ${field} in words`, async () => {
      await start(flow(fields));
      assert.match(await statusText('embedded-1', (text) => text !== 'starting'), message);
      assert.equal(logged(helper.getNode('embedded-1'), 'error').length, 1);
    });
  }
});
