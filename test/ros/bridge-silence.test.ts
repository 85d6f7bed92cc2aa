import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { BridgeEvent } from '../../src/ros/bridge-events';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import type { RosDomain } from '../../src/ros/ros-backend';
import { ServiceCodec } from '../../src/ros/service-codec';
import { freshDomain } from '../rtps/test-domain';
import { route, TestBridge } from './bridge-fixture';
import { Bridges } from './bridges';

const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';

describe('diagnosis of silent routes', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();

  /** Serves, and never answers. */
  const serve = (user: RosDomain, rosName: string, type = ADD) => {
    const { service } = new ServiceCodec(InterfaceLibrary.bundled(), rosName, type);
    user.createServiceServer(service, () => new Promise<never>(() => {}));
  };
  const called = (kind: 'service' | 'action' | 'parameters', rosName: string): RouteSettings =>
    ({
      kind,
      domain: bridges.domain,
      rosName,
      type: { service: ADD, action: FIBONACCI, parameters: '' }[kind],
      direction: kind === 'parameters' ? 'both' : 'mqtt-to-ros',
      timeout: 100,
    }) as RouteSettings;

  it('says for each why it carries nothing, or cannot be called, and tells it as an event', async () => {
    const [here, there] = [bridges.domain, freshDomain()];
    const [peer, other] = [await bridges.peer(here), await bridges.peer(there)];
    await other.publisher('/elsewhere', undefined, undefined, 0);
    await peer.publisher('/quiet', undefined, undefined, 0);
    const [ros, rosElsewhere] = [await bridges.ros(here), await bridges.ros(there)];
    serve(rosElsewhere, '/add_elsewhere');
    serve(ros, '/add_otherwise', 'std_srvs/srv/Trigger');
    serve(ros, '/count/_action/send_goal', 'example_interfaces/action/Fibonacci_SendGoal');
    serve(ros, '/add');
    // Of this process, whose endpoints are not discovered.
    const neighbour = route(here, { rosName: '/near', direction: 'mqtt-to-ros' });
    await bridges.open({ routes: [neighbour] });
    const direction = 'ros-to-mqtt';
    const bridge = bridges.keep(
      TestBridge.create(bridges.thread, {
        domains: [here, there],
        routes: [
          ...['/nobody', '/elsewhere', '/quiet'].map((rosName) => route(here, { rosName, direction })),
          ...['/add_nobody', '/add_elsewhere', '/add_otherwise', '/add'].map((rosName) =>
            called('service', rosName),
          ),
          ...['/count_nobody', '/count'].map((rosName) => called('action', rosName)),
          called('parameters', '/camera'),
          route(here, { rosName: '/near', direction }),
        ],
      }),
    );
    const events: BridgeEvent[] = [];
    bridge.handle.on('event', (event) => {
      if (event.event === 'silent') events.push(event);
    });
    await bridge.handle.open();
    const topic = (rest: string) => `ros/${here}/${rest}`;
    const fails = async (rest: string, message: string) => {
      let said: unknown;
      // What is known of a domain may still be on its way.
      for (let left = 50; left > 0 && said !== message; left--) {
        said = await bridge.handle.publish(topic(rest), {}).catch((error: Error) => error.message);
      }
      assert.equal(said, message);
    };
    await bridge.until(
      () => bridge.status?.routes[6]?.servers === 1 && bridge.status.routes[8]?.servers === 1,
    );
    await fails('add_nobody/@req', 'service /add_nobody: no server was found in time');
    await fails(
      'add_elsewhere/@req',
      `service /add_elsewhere: no server was found in time; no server here, but in domain ${there}`,
    );
    await fails(
      'add_otherwise/@req',
      'service /add_otherwise: no server was found in time; its server has another type: std_srvs/srv/Trigger',
    );
    await fails('add/@req', 'service /add: the server has not replied in time');
    const texts = () => bridge.status?.routes.map(({ silence }) => silence && [silence.reason, silence.text]);
    const expected = [
      ['no-publisher', '/nobody: no publisher in ROS'],
      ['other-domain', `/elsewhere: no publisher here, but in domain ${there}`],
      [
        'no-data',
        '/quiet: 1 publisher is known, but nothing came yet: it says nothing, or a firewall keeps back UDP',
      ],
      ['no-server', '/add_nobody: no server in ROS'],
      ['other-domain', `/add_elsewhere: no server here, but in domain ${there}`],
      ['other-type', '/add_otherwise: its server has another type: std_srvs/srv/Trigger'],
      ['no-answer', '/add: its server has not answered the last call'],
      ['no-server', '/count_nobody: no server in ROS'],
      [
        'no-match',
        '/count: a server is known, but its requests and responses do not both match those of the bridge',
      ],
      ['no-server', '/camera: no node of this name has parameters'],
      undefined,
    ];
    // Who is found late was missed before.
    await bridge.until(() => isDeepStrictEqual(texts(), expected));
    assert.deepEqual(bridge.problems, []);
    const told = events.map((event) => event.event === 'silent' && event.reason);
    assert.deepEqual(
      expected.filter((silence) => silence !== undefined && !told.includes(silence[1] as string)),
      [],
    );
    assert.deepEqual(
      events.find((event) => event.event === 'silent' && event.rosName === '/nobody'),
      {
        event: 'silent',
        domain: here,
        rosName: '/nobody',
        rosType: 'std_msgs/msg/String',
        cause: 'no-publisher',
        reason: '/nobody: no publisher in ROS',
      },
    );
  });
});
