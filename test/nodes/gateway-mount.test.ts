import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NodeAPI } from 'node-red';
import helper from 'node-red-node-test-helper';
import type { EmbeddedBrokerNode } from '../../nodes/embedded-broker';
import { mountGateway } from '../../nodes/gateway-mount';
import { ApiClient } from '../gateway/api-client';
import { LiveClient } from '../gateway/live-client';
import { bridgeForm, brokerForm, deploy, embeddedForm, start, stop, tab } from './flow';

const DEPLOYS = 50;

describe('the gateway API in Node-RED', function () {
  this.timeout(60_000);
  let RED: NodeAPI;
  let server: Server;
  let api: ApiClient;

  const flow = (keepAlive: string) => [
    tab,
    embeddedForm({ persistence: 'memory', wires: [[]] }),
    brokerForm({ target: 'embedded', embedded: 'embedded-1', clientId: 'shared', keepAlive }),
  ];

  beforeEach(async () => {
    await new Promise<void>((resolve) => helper.startServer(resolve));
    await start(flow('60'), {}, [
      (api) => {
        RED = api;
      },
    ]);
    server = createServer(RED.httpAdmin as unknown as RequestListener).listen(0, '127.0.0.1');
    server.on('upgrade', (...upgrade) => RED.server.emit('upgrade', ...upgrade));
    await once(server, 'listening');
    api = await ApiClient.create(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt-ros/v1`);
  });
  afterEach(async () => {
    server.close();
    server.closeAllConnections();
    await stop();
    await new Promise<void>((resolve) => helper.stopServer(resolve));
  });

  it(`holds after ${DEPLOYS} deploys what it held before`, async () => {
    const listen = async () => {
      const { body } = await api.post('/ws/tickets', { broker_id: 'broker-1', topic: 'a' });
      return LiveClient.open(`${new URL(api.url).origin.replace('http', 'ws')}${body.url}`);
    };
    const held = async (): Promise<Record<string, number>> => {
      const { body } = await api.get('/stats');
      const { thread } = helper.getNode('embedded-1') as unknown as EmbeddedBrokerNode;
      return {
        routes: (RED.httpAdmin as unknown as { _router: { stack: unknown[] } })._router.stack.length,
        upgrades: RED.server.listenerCount('upgrade'),
        starts: RED.events.listenerCount('flows:started'),
        brokerEvents: thread?.listenerCount('event') ?? Number.NaN,
        brokers: body.connections.length,
        clients: body.embedded_brokers[0].clients,
        sockets: process.getActiveResourcesInfo().filter((each) => each === 'TCPSocketWrap').length,
        ports: process.getActiveResourcesInfo().filter((each) => each === 'MessagePort').length,
      };
    };
    const reader = await listen();
    await reader.until('subscribed');
    assert.equal((await api.post('/subscribe', { broker_id: 'broker-1', topic: 'b' })).status, 201);
    const deployed = async (keepAlive: string, count: number) => {
      await deploy(flow(keepAlive));
      await reader.until('subscribed', count);
    };
    await deployed('61', 2);
    const before = await held();
    for (let each = 0; each < DEPLOYS; each++) await deployed(each % 2 ? '61' : '60', each + 3);
    const after = await held();
    // Some are just being closed. What a deploy left behind would be there as often as there were deploys.
    for (const [what, count] of Object.entries(before)) {
      assert.ok((after[what] as number) < count + DEPLOYS / 2, `${what}: ${count}, then ${after[what]}`);
    }
    await reader.close();
  });

  it('is served once when its nodes are loaded again', async () => {
    const before = RED.server.listenerCount('upgrade');
    await api.post('/brokers', { name: 'a', host: '127.0.0.1' });
    mountGateway(RED);
    const { body } = await api.get('/brokers');
    assert.deepEqual(
      body.brokers.map(({ broker_id }: { broker_id: string }) => broker_id),
      ['embedded-1', 'broker-1'],
    );
    assert.equal(RED.server.listenerCount('upgrade'), before);
  });

  it('tells what topics stand for in ROS where the bridge is, by its connection and at the embedded broker', async () => {
    await deploy([
      ...flow('60'),
      bridgeForm({
        broker: 'broker-1',
        domains: [{ id: 7, alias: 'robot' }],
        discoveryRange: 'off',
        routes: [],
      }),
      brokerForm({ id: 'broker-2', target: 'embedded', embedded: 'embedded-2' }),
      embeddedForm({ id: 'embedded-2', persistence: 'memory', wires: [[]] }),
    ]);
    const topic = 'ros/robot/scan';
    for (const broker_id of ['broker-1', 'embedded-1', 'broker-2'])
      await api.post('/subscribe', { broker_id, topic, qos: 1 });
    for (const broker_id of ['embedded-1', 'embedded-2'])
      assert.equal((await api.post('/publish', { broker_id, topic, qos: 1 })).status, 200);
    let messages = [];
    while (messages.length < 3) messages = (await api.get('/messages')).body.messages;
    assert.deepEqual(
      messages
        .map((each: { broker_id: string; ros?: { domain: number } }) => [each.broker_id, each.ros?.domain])
        .sort(),
      [
        ['broker-1', 7],
        ['broker-2', undefined],
        ['embedded-1', 7],
      ],
    );
    const { embedded_brokers } = (await api.get('/stats')).body;
    assert.deepEqual(
      embedded_brokers.map(({ id, ros_topics = [] }: { id: string; ros_topics?: unknown[] }) => [
        id,
        ros_topics.length,
      ]),
      [
        ['embedded-1', 1],
        ['embedded-2', 0],
      ],
    );
  });

  it('answers what is no JSON as the document says', async () => {
    const { status, body } = await api.call('POST', '/publish', '{"broker_id"');
    assert.equal(status, 400);
    assert.match(body.error.message, /^the body is not JSON: /);
  });
});
