import assert from 'node:assert/strict';
import { Bridge } from '../../src/ros/bridge';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { LearnedTypes } from '../../src/ros/learned-types';
import type { RosDomain } from '../../src/ros/ros-backend';
import type { BridgeStatus } from '../../src/ros/ros-worker-messages';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, STRING, Watch } from './bridge-fixture';
import { CountingBackend } from './counting-backend';

const SERVICE = 'example_interfaces/srv/AddTwoInts';
const ACTION = 'example_interfaces/action/Fibonacci';
const ROUTES = [
  { kind: 'topic', rosName: '/typed', type: STRING, direction: 'both' },
  { kind: 'topic', rosName: '/untyped', type: '', direction: 'both' },
  { kind: 'service', rosName: '/called', type: SERVICE, direction: 'mqtt-to-ros' },
  { kind: 'service', rosName: '/served', type: SERVICE, direction: 'ros-to-mqtt' },
  { kind: 'service', rosName: '/untyped_service', type: '', direction: 'mqtt-to-ros' },
  { kind: 'action', rosName: '/acting', type: ACTION, direction: 'mqtt-to-ros' },
  { kind: 'action', rosName: '/acted', type: ACTION, direction: 'ros-to-mqtt' },
  { kind: 'parameters', rosName: '/node', type: '', direction: 'both' },
] as const;

describe('routes without patterns', function () {
  this.timeout(60_000);
  const watch = new Watch();
  const backend = new CountingBackend();
  const domain = freshDomain();
  const place = { domain, range: 'localhost', interfaces: ['127.0.0.1'], peers: [] } as const;
  let status: BridgeStatus | undefined;
  const bridge = new Bridge(
    {
      ...{
        id: 'looking',
        prefix: 'ros',
        aliases: {},
        range: 'localhost',
        interfaces: ['127.0.0.1'],
        peers: [],
      },
      ...{ domains: [domain], routes: ROUTES.map((route) => ({ ...route, domain })), statusInterval: 50 },
    },
    {
      backend,
      library: InterfaceLibrary.bundled(),
      learned: new LearnedTypes(),
      openBrokerStream: () => assert.fail('not asked for'),
      askPassword: () => assert.fail('not asked for'),
      onSample: () => {},
      onRouteOpened: () => {},
      onRouteClosed: () => {},
      onEvent: () => {},
      onStatus: (next) => {
        status = next;
        watch.changed();
      },
      onWarning: () => {},
      onProblem: () => {},
    },
  );
  let robot: RosDomain | undefined;

  after(async () => {
    await bridge.close();
    await robot?.close();
  });

  it('look at what has their own names alone, when they open, as the graph changes and for the status', async () => {
    await bridge.open();
    robot = await new RtpsBackend().openDomain({ ...place, nodeName: 'robot', bridgeId: 'robot' });
    const publisher = (rosName: string) =>
      robot?.createPublisher({
        ...{ rosName, type: STRING, typeHash: '', qos: RELIABLE },
        onIncompatible: () => {},
      });
    const others = [publisher('/untyped'), publisher('/elsewhere')];
    await watch.until(() => status?.routes[1]?.type === STRING && status.routes[1].publishers === 1);
    for (const other of others) other?.close();
    await watch.until(() => status?.routes[1]?.publishers === 0);
    bridge.changeRoutes({ action: 'list' });
    assert.ok(backend.named > ROUTES.length);
    assert.equal(backend.all, 0);
  });
});
