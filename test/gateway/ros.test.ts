import assert from 'node:assert/strict';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { STRING } from '../ros/bridge-fixture';
import { Bridges } from '../ros/bridges';
import { GatewayFixture } from './gateway-fixture';

const SERVICE = 'example_interfaces/srv/AddTwoInts';
const library = InterfaceLibrary.bundled();
const request = MessageCodec.for(library, `${SERVICE}_Request`);
const response = MessageCodec.for(library, `${SERVICE}_Response`);

describe('ROS over the gateway', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();

  const begin = async (routes: Partial<RouteSettings>[]) => {
    const { domain } = bridges;
    const bridge = await bridges.open({
      namespaces: [{ ros: '/robot1', mqtt: 'first' }],
      aliases: { robot: domain },
      routes: routes.map((each) => ({ domain, direction: 'both', ...each }) as RouteSettings),
    });
    const { handle } = bridge;
    const sources = { bridges: () => [{ id: 'bridge-1', name: 'Bridge', bridge: handle }] };
    const fixture = bridges.keep(await GatewayFixture.start({ sources }));
    return { bridge, domain, api: fixture.api };
  };

  it('tells the graph of a domain', async () => {
    const { bridge, domain, api } = await begin([{ rosName: '/chatter', type: STRING }]);
    const peer = await bridges.peer();
    await peer.listen('/chatter');
    await bridge.ready({ subscriptions: 1 });
    const { status, body } = await api.get(`/ros/graph?domain=${domain}`);
    assert.equal(status, 200);
    assert.deepEqual([body.bridge_id, body.domain], ['bridge-1', domain]);
    assert.deepEqual(body.topics, [
      {
        name: '/chatter',
        types: [STRING],
        publishers: [],
        subscriptions: [{ reliability: 'reliable', durability: 'volatile', count: 1 }],
      },
    ]);
    assert.deepEqual((await api.get('/ros/graph')).body, body);
  });

  it('publishes on a topic, also of a route with an MQTT topic of its own or in a namespace of another name', async () => {
    const { bridge, domain, api } = await begin([
      { rosName: '/chatter', type: STRING },
      { rosName: '/other', type: STRING, mqttTopic: 'some/where' },
      { rosName: '/robot1/chatter', type: STRING },
    ]);
    const peer = await bridges.peer();
    for (const [index, name] of ['/chatter', '/other', '/robot1/chatter'].entries()) {
      await peer.listen(name);
      await bridge.ready({ subscriptions: 1 }, index);
      const { status, body } = await api.post('/ros/publish', { name, payload: { data: name } });
      assert.equal(status, 200);
      assert.deepEqual(body, { bridge_id: 'bridge-1', domain, name });
      await peer.until(() => peer.heard.includes(`{"data":"${name}"}`));
    }
  });

  it('calls a service', async () => {
    const { bridge, domain, api } = await begin([
      { kind: 'service', rosName: '/add', type: SERVICE, direction: 'mqtt-to-ros' },
    ]);
    const ros = await bridges.ros();
    ros.createServiceServer(
      {
        rosName: '/add',
        type: SERVICE,
        requestHash: request.typeHash,
        responseHash: response.typeHash,
      },
      async (cdr) => {
        const { a, b } = JSON.parse(request.decodeToJson(cdr));
        return response.encode({ sum: a + b });
      },
    );
    await bridge.ready({ servers: 1 });
    const { status, body } = await api.post('/ros/call', { domain, name: '/add', request: { a: 1, b: 2 } });
    assert.equal(status, 200);
    assert.deepEqual(body, { bridge_id: 'bridge-1', domain, name: '/add', response: { sum: 3 } });
    const { status: refused, body: fault } = await api.post('/ros/call', {
      name: '/add',
      request: { a: 'x' },
    });
    assert.equal(refused, 422);
    assert.match(fault.error.message, /a: expected/);
  });

  it('refuses what is not there or not of the type', async () => {
    const { domain, api } = await begin([{ rosName: '/chatter', type: STRING }]);
    for (const [path, fields, status, message] of [
      ['/ros/publish', { name: '/nothing', payload: {} }, 422, /has no route for it/],
      ['/ros/publish', { name: '/chatter', payload: { data: 5 } }, 422, /data: expected/],
      ['/ros/publish', { name: 'chatter', payload: {} }, 400, /"chatter"/],
      ['/ros/publish', { name: '/a b', payload: {} }, 400, /"\/a b"/],
      ['/ros/publish', { name: '/chatter', payload: {}, domain: 233 }, 400, /from 0 to 232/],
      [
        '/ros/publish',
        { name: '/chatter', payload: {}, domain: (domain + 1) % 233 },
        404,
        /no bridge has domain/,
      ],
      ['/ros/publish', { name: '/chatter', payload: {}, bridge_id: 'x' }, 404, /there is no bridge "x"/],
      ['/ros/call', { name: '/chatter' }, 422, /takes no messages at/],
    ] as const) {
      const { status: got, body } = await api.post(path, fields);
      assert.match(body.error.message, message);
      assert.equal(got, status, body.error.message);
    }
  });

  it('says that there is no bridge, or that it is closed', async () => {
    const { bridge, api } = await begin([{ rosName: '/chatter', type: STRING }]);
    await bridge.close();
    const { status, body } = await api.get('/ros/graph');
    assert.deepEqual(
      [status, body.error],
      [409, { code: 'not_connected', message: 'bridge "Bridge" is closed' }],
    );
    const { api: none } = bridges.keep(await GatewayFixture.start());
    assert.equal((await none.get('/ros/graph')).status, 404);
  });
});
