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
  const answered = (kind: 'service' | 'action', rosName: string) =>
    ({ ...called(kind, rosName), direction: 'ros-to-mqtt' }) as RouteSettings;
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
    const call = (user: RosDomain, rosName: string, type = ADD) => {
      const codec = new ServiceCodec(InterfaceLibrary.bundled(), rosName, type);
      return user.createServiceClient(codec.service).call(codec.encodeRequest({}), 20_000);
    };
    call(rosElsewhere, '/ask_elsewhere').catch(() => {});
    call(ros, '/ask_otherwise', 'std_srvs/srv/Trigger').catch(() => {});
    call(ros, '/ask').catch(() => {});
    await other.publisher('/open_elsewhere', undefined, undefined, 0);
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
          ...['/ask_nobody', '/ask_elsewhere', '/ask_otherwise', '/ask'].map((rosName) =>
            answered('service', rosName),
          ),
          answered('action', '/do_nobody'),
          route(here, { rosName: '/open', type: '' }),
          route(here, { rosName: '/open_elsewhere', type: '' }),
          { ...called('service', '/open_add'), type: '' },
          { ...answered('service', '/open_ask'), type: '', timeout: 60_000 } as RouteSettings,
        ],
      }),
    );
    const unwired = await bridges.open(
      { routes: [route(here, { rosName: '/unheard', direction })] },
      { flowOutput: false },
    );
    const garbled = await bridges.open({ routes: [route(here, { rosName: '/garbled', direction })] });
    const unheard = await peer.publisher('/unheard');
    const { writer: garbling } = await peer.publisher('/garbled');
    const talking = setInterval(() => {
      unheard.publish({ data: 'is there anybody?' });
      garbling.write(Buffer.alloc(4));
    }, 200);
    bridges.keep({ stop: () => clearInterval(talking) });
    const events: BridgeEvent[] = [];
    bridge.handle.on('event', (event) => {
      if (event.event === 'silent' || event.event === 'silence-ended') events.push(event);
      bridge.changed();
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
      ['no-client', '/ask_nobody: no client in ROS'],
      ['other-domain', `/ask_elsewhere: no client here, but in domain ${there}`],
      ['other-type', '/ask_otherwise: its client has another type: std_srvs/srv/Trigger'],
      ['no-answer', '/ask: nobody has answered the last request of ROS'],
      ['no-client', '/do_nobody: no client in ROS'],
      ['no-type', '/open: its type is not known: nobody has it in ROS'],
      ['other-domain', `/open_elsewhere: nobody has it in ROS here, but in domain ${there}`],
      ['no-server', '/open_add: no server in ROS'],
      ['no-client', '/open_ask: no client in ROS'],
    ];
    // Who is found late was missed before.
    await bridge.until(() => isDeepStrictEqual(texts(), expected));
    await unwired.until(
      () => unwired.route()?.silence?.text === '/unheard: nothing is wired to the output of the bridge',
    );
    const ofNoType = '/garbled: all that comes is dropped: it is not of its type, or too large';
    await garbled.until(() => garbled.route()?.silence?.text === ofNoType);
    const unanswered = 'service /ask: nobody has answered in time; its client gets no response';
    assert.deepEqual(bridge.problems, [unanswered]);
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
    const before = events.length;
    const { publish } = await peer.publisher('/nobody', undefined, undefined, 1);
    publish({ data: 'here I am' });
    serve(ros, '/add_nobody');
    call(ros, '/open_ask').catch(() => {});
    const ended = () => events.slice(before).filter((event) => event.event === 'silence-ended');
    await bridge.until(() => ended().length === 3);
    // The publisher is known before it is heard.
    const ends = ended().map(({ rosName, rosType, cause }) => [
      rosName,
      rosType,
      cause === 'no-data' ? 'no-publisher' : cause,
    ]);
    assert.deepEqual(ends.sort(), [
      ['/add_nobody', ADD, 'no-server'],
      ['/nobody', 'std_msgs/msg/String', 'no-publisher'],
      ['/open_ask', ADD, 'no-client'],
    ]);
  });

  it('says that nobody answers a client on Cyclone DDS, until somebody answers one on Fast DDS', async function () {
    // The second request has to be answered in this time.
    const timeout = 3000;
    const bridge = await bridges.open({
      routes: [{ ...answered('service', '/ask'), timeout } as RouteSettings],
    });
    const events: BridgeEvent[] = [];
    bridge.handle.on('event', (event) => {
      if (event.event === 'silent' || event.event === 'silence-ended') events.push(event);
      bridge.changed();
    });
    const args = { service: '/ask', domain: bridges.domain, timeout: 30, a: 1, b: 2 };
    bridges.vendor('cyclone').peer(this, 'call', { args });
    await bridge.until(() => bridge.route()?.silence?.reason === 'no-answer');
    const identity = { domain: bridges.domain, rosName: '/ask', rosType: ADD, cause: 'no-answer' };
    const reason = '/ask: nobody has answered the last request of ROS';
    assert.equal(bridge.route()?.silence?.text, reason);
    assert.deepEqual(events, [{ event: 'silent', ...identity, reason }]);
    assert.equal(bridge.messages.length, 1);
    const client = bridges.vendor('fast').peer(this, 'call', { args });
    await bridge.until(() => bridge.messages.length === 2);
    const request = bridge.messages[1];
    await bridge.handle.publish(request?.topic ?? '', { sum: 4 }, request);
    await bridge.until(() => events.length === 2 && bridge.route()?.silence === undefined);
    assert.deepEqual(events[1], { event: 'silence-ended', ...identity });
    await client.until(({ messages }) => messages.length > 0);
    assert.deepEqual(client.messages, [{ sum: 4 }]);
  });
});
