import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { Mosquitto } from '../client/mosquitto';
import { freePort } from '../counterparts';
import {
  brokerForm,
  connectedStatus,
  deploy,
  errorOf,
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

/** How a text of a form names a variable. */
const variable = (name: string): string => ['$', '{', name, '}'].join('');

const refused = (url: string, shown = url): string =>
  `${shown}: nothing listens there (connect ECONNREFUSED ${new URL(url).host})`;

describe('mqtt-broker-config: connecting', function () {
  this.timeout(60_000);
  let broker: Mosquitto;

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
  });
  afterEach(async () => {
    await stop();
    await broker?.stop();
    delete process.env.MQTT_ROS_TEST;
  });

  const config = () => helper.getNode('broker-1') as BrokerConfigNode;
  const flow = (fields: Partial<FlowNode>): FlowNode[] => [
    tab,
    brokerForm({ url: broker.url, ...fields }),
    pubForm({ topic: 't' }),
  ];

  describe('to one of several addresses', () => {
    it('takes the first that answers, and says which', async () => {
      const dead = `mqtt://127.0.0.1:${await freePort()}`;
      await start(flow({ url: dead, alternatives: ['', ` ${broker.url} `] }));
      assert.equal(
        await statusText('pub-1', (text) => text.startsWith('connected')),
        `connected to ${broker.url}`,
      );
    });

    it('shows and logs no token of a query', async () => {
      const dead = [await freePort(), await freePort()].map((port) => `ws://127.0.0.1:${port}`);
      const [url, other] = dead.map((address) => `${address}/mqtt?token=secret`);
      await start(flow({ url, alternatives: [other], reconnectFirst: '10', reconnectLongest: '1' }));
      const shown = await statusText('pub-1', (text) => text.includes(';'));
      const reasons = dead.map((address) => refused(address, `${address}/mqtt`));
      assert.equal(shown, `reconnecting: ${reasons.join('; ')}`);
      assert.deepEqual(
        logged(helper.getNode('broker-1'), 'warn').filter((line) => line.includes('secret')),
        [],
      );
    });

    it('names each with its reason when none answers, and logs that once', async () => {
      const dead = [await freePort(), await freePort()].map((port) => `mqtt://127.0.0.1:${port}`);
      const reconnect = { reconnectFirst: '10', reconnectLongest: '1' };
      await start(flow({ url: dead[0], alternatives: [dead[1]], ...reconnect }));
      const all = dead.map((url) => refused(url)).join('; ');
      assert.equal(await statusText('pub-1', (text) => text.includes(';')), `reconnecting: ${all}`);
      for (let round = 0; round < 2; round++) {
        await new Promise((resolve) => helper.getNode('pub-1').once('call:status', resolve));
        await statusText('pub-1', (text) => text.includes(';'));
      }
      const lines = logged(helper.getNode('broker-1'), 'warn').filter((line) => line.includes(';'));
      assert.deepEqual(lines, [`Reconnecting to the broker: ${all}`]);
    });
  });

  describe('with variables within its texts', () => {
    it('takes them from the environment', async () => {
      process.env.MQTT_ROS_TEST = String(broker.port);
      await start(
        flow({
          url: `mqtt://127.0.0.1:${variable('MQTT_ROS_TEST')}`,
          clientId: `line-${variable('MQTT_ROS_TEST')}-a`,
        }),
      );
      await connectedStatus('pub-1');
      await broker.logged(new RegExp(` as line-${broker.port}-a `));
    });

    it('takes them from the parameters of its subflow, numbers too', async () => {
      const subflow: FlowNode = {
        id: 'subflow-1',
        type: 'subflow',
        name: 'line',
        in: [],
        out: [],
        env: [
          { name: 'LINE', type: 'str', value: 'four' },
          { name: 'ID', type: 'num', value: '4' },
        ],
      };
      await start([
        tab,
        subflow,
        brokerForm({
          z: 'subflow-1',
          url: broker.url,
          clientId: `line-${variable('LINE')}`,
          willTopic: variable('ID'),
        }),
        pubForm({ z: 'subflow-1', topic: 't' }),
        { id: 'instance-1', type: 'subflow:subflow-1', z: 'tab-1', x: 1, y: 1, wires: [] },
      ]);
      await broker.logged(/ as line-four /);
      await broker.logged(/Will message specified/);
    });

    it('names one that is not set', async () => {
      await start(flow({ clientId: `line-${variable('MQTT_ROS_TEST')}` }));
      assert.equal(
        await statusText('pub-1', (text) => text !== 'connecting'),
        'clientId: the environment variable MQTT_ROS_TEST is not set',
      );
    });
  });

  describe('on request', () => {
    it('waits for it where the form says so', async () => {
      await start(flow({ autoConnect: false }));
      assert.equal(await statusText('pub-1', () => true), 'not connected');
      await config().connect();
      assert.equal(await statusText('pub-1', () => true), 'connected');
      await config().connect();
      await config().disconnect();
      // By then it has said of each that came before.
      await broker.logged(/ disconnected\.$/);
      const connects = broker.log.filter((line) => line.includes('New client connected'));
      assert.equal(connects.length, 1);
    });

    it('disconnects, and connects again', async () => {
      await start(flow({}));
      await connectedStatus('pub-1');
      await config().disconnect();
      assert.equal(await statusText('pub-1', () => true), 'not connected');
      await broker.logged(/ disconnected\.$/);
      for (let time = 0; time < 2; time++) {
        await Promise.all([config().disconnect(), config().connect()]);
        assert.equal(await statusText('pub-1', () => true), 'connected');
      }
    });

    it('does so with the connections that nodes have of their own too', async () => {
      const own = (id: string) =>
        subForm({ id, topicFilter: 'w', delivery: 'acknowledged', states: true, wires: [[], ['out-1']] });
      const nodes = [tab, brokerForm({ url: broker.url, autoConnect: false }), own('sub-1'), sink()];
      await start(nodes);
      const states = new Sink();
      assert.equal(await statusText('sub-1', () => true), 'not connected');
      await config().connect();
      assert.equal(await statusText('sub-1', () => true), 'connected');
      await deploy([...nodes, own('sub-2'), pubForm({ topic: 't' })]);
      for (const id of ['sub-2', 'pub-1']) await connectedStatus(id);
      await config().disconnect();
      for (const id of ['sub-1', 'sub-2', 'pub-1']) {
        assert.equal(await statusText(id, () => true), 'not connected');
      }
      await states.until(({ payloads }) =>
        payloads.some((payload) => (payload as { reason?: string }).reason === 'disconnected on request'),
      );
      // It stays so for those who come later.
      await deploy([...nodes, own('sub-3')]);
      assert.equal(await statusText('sub-3', () => true), 'not connected');
    });

    it('says why it cannot, naming all addresses, and goes on trying', async () => {
      const [port, other] = [await freePort(), await freePort()];
      const [url, later] = [`mqtt://127.0.0.1:${other}`, `mqtt://127.0.0.1:${port}`];
      await start(flow({ autoConnect: false, url, alternatives: [later], reconnectFirst: 10 }));
      await assert.rejects(config().connect(), {
        name: 'NotConnectedError',
        message: `not connected to the broker: ${refused(url)}; ${refused(later)}`,
      });
      const late = await Mosquitto.start({} as Mocha.Context, [`listener ${port} 127.0.0.1`]);
      try {
        await statusText('pub-1', (text) => text.startsWith('connected'));
      } finally {
        await stop();
        await late.stop();
      }
    });

    it('is refused where no node uses the configuration', async () => {
      await start([tab, brokerForm({ url: broker.url }), sink()]);
      await assert.rejects(config().connect(), /No node uses this broker configuration/);
    });
  });

  describe('with a password that is not typed', () => {
    const withPassword = (fields: Partial<FlowNode>): FlowNode[] =>
      flow({ reconnectFirst: 10, reconnectLongest: 1, ...fields });
    const name = { 'broker-1': { username: 'ann', password: 'not this one' } };

    beforeEach(async function () {
      await broker.stop();
      broker = await Mosquitto.start(this, [], { ann: 'secret' });
    });

    it('reads it from the environment', async () => {
      process.env.MQTT_ROS_TEST = 'secret';
      await start(
        withPassword({ passwordSource: 'environment', passwordEnvironment: 'MQTT_ROS_TEST' }),
        name,
      );
      await connectedStatus('pub-1');
    });

    it('reads it from a file, anew at each attempt', async () => {
      const passwordFile = join(broker.folder, 'token');
      await start(withPassword({ passwordSource: 'file', passwordFile }), name);
      await statusText('pub-1', (text) => text.includes('ENOENT'));
      writeFileSync(passwordFile, 'wrong\n');
      await statusText('pub-1', (text) => text === 'Not authorized (0x87)');
      writeFileSync(passwordFile, 'secret\n');
      await connectedStatus('pub-1');
    });

    it('waits for one from a flow, and tries it at once', async () => {
      await start(
        withPassword({ passwordSource: 'message', reconnectFirst: '3600000', reconnectLongest: '3600' }),
        name,
      );
      await statusText('pub-1', (text) => text.includes('password: no message has brought one yet'));
      config().setPassword('wrong');
      await statusText('pub-1', (text) => text === 'Not authorized (0x87)');
      config().setPassword('secret');
      await connectedStatus('pub-1');
    });

    it('refuses one from a flow where the form has another', async () => {
      await start(withPassword({}), name);
      assert.throws(() => config().setPassword('secret'), /does not come from messages/);
    });

    for (const source of ['environment', 'file'] as const) {
      it(`names the field that ${source} needs`, async () => {
        await start(withPassword({ passwordSource: source }), name);
        const field = source === 'file' ? 'passwordFile' : 'passwordEnvironment';
        assert.equal(
          await statusText('pub-1', (text) => text !== 'connecting'),
          `${field}: it is blank, and what is chosen beside it needs it`,
        );
      });
    }
  });

  it('speaks MQTT 3.1', async () => {
    await start(flow({ protocolVersion: '3' }));
    await connectedStatus('pub-1');
    await broker.logged(/New client connected .*\(p1, /);
  });

  it('ends its subscriptions with the connection where the form says so', async () => {
    const session = { clientId: 'mine', cleanStart: false, sessionExpiry: '60' };
    for (const autoUnsubscribe of [false, true]) {
      broker.log = [];
      await start([...flow({ ...session, autoUnsubscribe }), subForm({ topicFilter: 't' }), sink()]);
      await connectedStatus('sub-1');
      await broker.logged(/SUBACK/);
      await stop();
      await broker.logged(/Client mine disconnected/);
      assert.equal(
        broker.log.some((line) => line.includes('Received UNSUBSCRIBE')),
        autoUnsubscribe,
      );
    }
  });

  it('refuses what its queue does not take while there is no connection', async () => {
    await start([
      ...flow({ autoConnect: false, queue: 'memory', queueMessages: '1', queueOverflow: 'drop-oldest' }),
      report('catch', 'pub-1', 'caught'),
      sink('caught'),
    ]);
    const caught = new Sink('caught');
    const publisher = helper.getNode('pub-1');
    publisher.receive({ payload: 'first' });
    publisher.receive({ payload: 'second' });
    const [dropped] = await caught.until(1);
    assert.equal(dropped?.payload, 'first');
    assert.match(errorOf(dropped), /dropped|full/);
    await config().connect();
    await broker.logged(/Received PUBLISH/);
  });

  describe('with a queue on disk', () => {
    const session = { queue: 'disk', clientId: 'mine', cleanStart: false, sessionExpiry: '60' };
    let userDir: string;
    beforeEach(() => {
      userDir = mkdtempSync(join(tmpdir(), 'queue-'));
    });
    afterEach(async () => {
      // What still runs would write into it.
      await stop();
      rmSync(userDir, { recursive: true });
    });

    it('publishes after a restart what waited before', async () => {
      const catching = [report('complete', 'pub-1', 'done'), sink('done')];
      await start([...flow({ ...session, url: 'mqtt://127.0.0.1:1' }), ...catching], {}, [], { userDir });
      const done = new Sink('done');
      helper.getNode('pub-1').receive({ payload: 'kept', qos: 1 });
      await done.until(1);
      assert.deepEqual(readdirSync(join(userDir, 'mqtt-ros')), ['client-broker-1']);
      await stop();
      await start(flow(session), {}, [], { userDir });
      await broker.logged(/Received PUBLISH from mine .*q1/);
    });

    it('publishes after a restart what was published while nothing was to be connected', async () => {
      const catching = [report('complete', 'pub-1', 'done'), sink('done')];
      await start([...flow({ ...session, autoConnect: false }), ...catching], {}, [], { userDir });
      const done = new Sink('done');
      helper.getNode('pub-1').receive({ payload: 'kept', qos: 2 });
      await done.until(1);
      assert.ok(!broker.log.some((line) => line.includes('as mine')));
      await stop();
      await start(flow(session), {}, [], { userDir });
      await broker.logged(/Received PUBLISH from mine .*q2/);
    });

    it('is also that of a node with a connection of its own, for what it receives', async () => {
      const own = subForm({ topicFilter: 'w', qos: '2', delivery: 'acknowledged' });
      const nodes = [tab, brokerForm({ url: broker.url, reconnectFirst: 10, ...session }), own, sink()];
      await start(nodes, {}, [], { userDir });
      await connectedStatus('sub-1');
      const folder = join(userDir, 'mqtt-ros', 'client-broker-1', 'node-sub-1');
      assert.ok(readdirSync(folder).some((name) => name.endsWith('.queue')));
    });

    it('is refused where there is no place for it', async () => {
      await start(flow(session));
      assert.equal(
        await statusText('pub-1', () => true),
        'queue: Node-RED has no user directory in which messages could be kept',
      );
    });
  });
});
