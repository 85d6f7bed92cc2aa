import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import helper from 'node-red-node-test-helper';
import type { BrokerConfigNode } from '../../nodes/mqtt-broker-config';
import { CONNECT, PUBLISH, packet, ScriptedBroker, text } from '../client/scripted-broker';
import {
  brokerForm,
  connectedStatus,
  errorOf,
  type FlowNode,
  logged,
  pubForm,
  report,
  Sink,
  sink,
  start,
  stop,
  tab,
} from './flow';

const PUBACK = 4;
const NOWHERE = 'mqtt://127.0.0.1:1';

describe('mqtt-broker-config: limits and queue', function () {
  this.timeout(60_000);
  let broker: ScriptedBroker | undefined;
  afterEach(async () => {
    await stop();
    await broker?.stop();
    broker = undefined;
  });

  const flow = (config: Partial<FlowNode>, pub: Partial<FlowNode> = {}): FlowNode[] => [
    tab,
    brokerForm(config),
    pubForm({ topic: 't', ...pub }),
    report('catch', 'pub-1', 'caught'),
    report('complete', 'pub-1', 'completed'),
    sink('caught'),
    sink('completed'),
  ];
  const publish = (msg: Record<string, unknown>) => helper.getNode('pub-1').receive(msg);

  it('hands on what the form says, in the units of the connection', async () => {
    await start(
      flow({
        url: NOWHERE,
        receiveMaximum: '10',
        maximumPacketSize: '4',
        topicAliasMaximum: '3',
        topicAliases: true,
        maxInFlight: '7',
        connectTimeout: '5',
        reconnectFirst: '20',
        reconnectLongest: '40',
      }),
    );
    const settings = (helper.getNode('broker-1') as BrokerConfigNode).plainSettings('');
    const { receiveMaximum, maximumPacketSize, topicAliasMaximum, topicAliases, maxInFlight } = settings;
    assert.deepEqual(
      { receiveMaximum, maximumPacketSize, topicAliasMaximum, topicAliases, maxInFlight },
      {
        receiveMaximum: 10,
        maximumPacketSize: 4096,
        topicAliasMaximum: 3,
        topicAliases: true,
        maxInFlight: 7,
      },
    );
    assert.equal(settings.connectTimeout, 5);
    assert.deepEqual(settings.reconnect, { first: 20, longest: 40_000 });
  });

  for (const topicAliases of [true, false]) {
    it(`uses topic aliases of its own only where that is ticked: ${topicAliases}`, async () => {
      broker = await ScriptedBroker.start((received, socket) => {
        // Topic Alias Maximum 5.
        if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 3, 0x22, 0, 5));
      });
      await start(flow({ url: broker.url, topicAliases }));
      await connectedStatus('pub-1');
      for (let n = 0; n < 3; n++) publish({ payload: 'x' });
      await broker.until((received) => received.of(PUBLISH).length === 3);
      const alias = Buffer.from([3, 0x23, 0, 1]);
      const payload = Buffer.from('x');
      // A topic name gets one when it comes again.
      const plain = Buffer.concat([text('t'), Buffer.from([0]), payload]);
      assert.deepEqual(
        broker.of(PUBLISH).map(({ body }) => body),
        topicAliases
          ? [plain, Buffer.concat([text('t'), alias, payload]), Buffer.concat([text(''), alias, payload])]
          : [plain, plain, plain],
      );
    });
  }

  it('refuses QoS 0 without a connection where the form says so, and keeps the others', async () => {
    await start(flow({ url: NOWHERE, autoConnect: false, queue: 'memory', queueQos0: 'refuse' }));
    const [caught, completed] = [new Sink('caught'), new Sink('completed')];
    publish({ payload: 'kept', qos: 1 });
    publish({ payload: 'refused', qos: 0 });
    const [refused] = await caught.until(1);
    assert.equal(refused?.payload, 'refused');
    assert.match(errorOf(refused), /not connected/);
    assert.deepEqual([caught.messages.length, completed.messages.length], [1, 0]);
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

    it('reports what becomes of a message that was safe, if it is bad', async () => {
      broker = await ScriptedBroker.start((received, socket) => {
        if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
        if (received.type !== PUBLISH) return;
        // Quota exceeded.
        socket.write(packet(PUBACK, 0, received.body.subarray(3, 5), 0x97, 0));
      });
      await start(flow({ url: broker.url, autoConnect: false, ...session }), {}, [], { userDir });
      const completed = new Sink('completed');
      const config = helper.getNode('broker-1') as BrokerConfigNode;
      const reported = new Promise((resolve) => config.once('call:error', resolve));
      publish({ payload: 'x', qos: 1 });
      await completed.until(1);
      await config.connect();
      await reported;
      const [error] = logged(config, 'error');
      assert.match(error ?? '', /"t".*Quota exceeded \(0x97\)/);
    });

    it('has a directory for each instance of a subflow, the same after a restart', async () => {
      const instance = (id: string): FlowNode => ({
        id,
        type: 'subflow:subflow-1',
        z: 'tab-1',
        x: 1,
        y: 1,
        wires: [[]],
      });
      const nodes: FlowNode[] = [
        tab,
        { id: 'subflow-1', type: 'subflow', name: 'line', in: [], out: [], env: [] },
        brokerForm({ z: 'subflow-1', url: NOWHERE, ...session }),
        pubForm({ z: 'subflow-1', topic: 't' }),
        instance('left'),
        instance('right'),
      ];
      for (let run = 0; run < 2; run++) {
        await start(nodes, {}, [], { userDir });
        await stop();
        assert.deepEqual(readdirSync(join(userDir, 'mqtt-ros')).sort(), [
          'client-tab-1-left-broker-1',
          'client-tab-1-right-broker-1',
        ]);
      }
    });
  });
});
