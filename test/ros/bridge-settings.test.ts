import assert from 'node:assert/strict';
import {
  type ActionRouteSettings,
  type BridgeSettings,
  BridgeSettingsError,
  checkBridge,
  checkRoute,
  type RouteSettings,
  type ServiceRouteSettings,
  type TopicRouteSettings,
} from '../../src/ros/bridge-settings';

const chatter: TopicRouteSettings = {
  domain: 60,
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  direction: 'both',
};
const settings = (change: Partial<BridgeSettings> = {}): BridgeSettings => ({
  id: 'b1',
  prefix: 'ros',
  aliases: {},
  domains: [60, 61],
  range: 'localhost',
  interfaces: ['127.0.0.1'],
  peers: [],
  routes: [chatter],
  ...change,
});
const refusal = (message: string) => new BridgeSettingsError(message);

describe('bridge settings', () => {
  it('are taken when every field is of use', () => {
    const peers = ['10.0.0.2', '10.0.0.3:7410'];
    checkBridge(settings({ aliases: { car: 61 }, range: 'off', interfaces: [], peers }));
    checkBridge(settings({ advertisedAddress: '192.0.2.1', maxSampleBytes: 2 ** 27 }));
    checkRoute(chatter, settings());
  });

  const bridgeFaults: Array<[Partial<BridgeSettings>, string]> = [
    [{ id: 'a/b' }, 'bridge id: expected one topic level without wildcards, got "a/b"'],
    [{ id: 'a+' }, 'bridge id: expected one topic level without wildcards, got "a+"'],
    [{ domains: [] }, 'domains: expected at least one ROS domain, got []'],
    [{ domains: [60, 60] }, 'domains: expected each domain once, got [60,60]'],
    [{ aliases: { car: 7 } }, 'domain of alias "car": expected one of 60, 61, got 7'],
    [{ interfaces: ['eth0'] }, 'interface: expected an IPv4 address of this machine, got "eth0"'],
    [{ peers: ['robot.local'] }, 'peer: expected an IPv4 address or address:port, got "robot.local"'],
    [{ peers: ['10.0.0.2:0'] }, 'peer: expected an IPv4 address or address:port, got "10.0.0.2:0"'],
    [{ peers: ['10.0.0.2:70000'] }, 'peer: expected an IPv4 address or address:port, got "10.0.0.2:70000"'],
    [{ advertisedAddress: 'host' }, 'advertised address: expected an IPv4 address, got "host"'],
    [
      { maxSampleBytes: 2 ** 27 + 1 },
      'largest message: expected an integer from 1 to 134217728 bytes, got 134217729',
    ],
    [{ maxSampleBytes: 0 }, 'largest message: expected an integer from 1 to 134217728 bytes, got 0'],
    [{ statusInterval: 0 }, 'status interval: expected a number of ms from 10 to 3600000, got 0'],
    [{ backend: 'dds' as 'rtps' }, 'backend: expected one of auto, rtps, rclnodejs, got "dds"'],
    [
      { setupFile: 'setup.bash' },
      'setup file: expected an absolute path such as /opt/ros/jazzy/setup.bash, got "setup.bash"',
    ],
    [
      { range: 'everywhere' as 'subnet' },
      'discovery range: expected one of off, localhost, subnet, got "everywhere"',
    ],
  ];
  for (const [change, message] of bridgeFaults) {
    it(`are refused: ${message}`, () => {
      assert.throws(() => checkBridge(settings(change)), refusal(message));
    });
  }

  const routeFaults: Array<[Partial<TopicRouteSettings>, string]> = [
    [{ domain: 62 }, 'domain: expected one of 60, 61, got 62'],
    [{ rosName: 'chatter' }, 'ROS name "chatter" does not start with /'],
    [{ type: 'String' }, '"String" is not an interface type like "std_msgs/msg/String"'],
    [{ direction: 'in' as 'both' }, 'direction: expected one of ros-to-mqtt, mqtt-to-ros, both, got "in"'],
    [{ mqttTopic: 'a/{x}' }, '"a/{x}": {x}: expected {domain} or {name}'],
    [{ format: 'xml' as 'json' }, 'payload format: expected one of json, cdr, text, got "xml"'],
    [{ qos: { depth: 0 } }, 'depth: expected a whole number from 1 to 10000, got 0'],
    [
      { rate: { perSecond: 0, policy: 'latest' } },
      'rate: expected messages per second from 0.00001 to 1000000, got 0',
    ],
    [
      { deadband: { path: '', threshold: 1 } },
      'deadband field: expected a path such as pose.position.x or ranges[0], got ""',
    ],
  ];
  for (const [change, message] of routeFaults) {
    it(`of a route are refused: ${message}`, () => {
      const route = { ...chatter, ...change };
      assert.throws(() => checkRoute(route, settings({ routes: [route] })), refusal(message));
    });
  }

  const add: ServiceRouteSettings = {
    kind: 'service',
    domain: 60,
    rosName: '/add',
    type: 'example_interfaces/srv/AddTwoInts',
    direction: 'mqtt-to-ros',
  };
  const serviceFaults: Array<[Record<string, unknown>, string]> = [
    [{ kind: 'task' }, 'kind: expected one of topic, service, action, parameters, got "task"'],
    [{ kind: 'toString' }, 'kind: expected one of topic, service, action, parameters, got "toString"'],
    [
      { type: 'std_msgs/msg/String' },
      '"std_msgs/msg/String" is not a service type like "std_srvs/srv/Trigger"',
    ],
    [
      { type: 'std_srvs/srv/Trigger_Request' },
      '"std_srvs/srv/Trigger_Request" is not a service type like "std_srvs/srv/Trigger"',
    ],
    [{ direction: 'both' }, 'direction: expected one of mqtt-to-ros, ros-to-mqtt, got "both"'],
    [{ timeout: 0 }, 'timeout: expected more than 0 and at most 86400000 ms, got 0'],
    [{ timeout: Number.NaN }, 'timeout: expected more than 0 and at most 86400000 ms, got null'],
    [{ format: 'cdr' }, 'format: expected none for a route of kind service, got "cdr"'],
    [{ qos: { depth: 5 } }, 'qos: expected none for a route of kind service, got {"depth":5}'],
  ];
  for (const [change, message] of serviceFaults) {
    it(`of a service are refused: ${message}`, () => {
      const route = { ...add, ...change } as RouteSettings;
      assert.throws(() => checkRoute(route, settings({ routes: [route] })), refusal(message));
    });
  }

  const fibonacci: ActionRouteSettings = {
    kind: 'action',
    domain: 60,
    rosName: '/fibonacci',
    type: 'example_interfaces/action/Fibonacci',
    direction: 'ros-to-mqtt',
    resultTimeout: 86_400_000,
  };
  const actionFaults: Array<[Record<string, unknown>, string]> = [
    [
      { type: 'std_srvs/srv/Trigger' },
      '"std_srvs/srv/Trigger" is not an action type like "example_interfaces/action/Fibonacci"',
    ],
    [{ direction: 'both' }, 'direction: expected one of mqtt-to-ros, ros-to-mqtt, got "both"'],
    [{ timeout: -1 }, 'timeout: expected more than 0 and at most 86400000 ms, got -1'],
    [{ resultTimeout: 0 }, 'result timeout: expected more than 0 and at most 86400000 ms, got 0'],
  ];
  for (const [change, message] of actionFaults) {
    it(`of an action are refused: ${message}`, () => {
      checkRoute(fibonacci, settings({ routes: [fibonacci] }));
      const route = { ...fibonacci, ...change } as RouteSettings;
      assert.throws(() => checkRoute(route, settings({ routes: [route] })), refusal(message));
    });
  }

  it('of patterns are refused with the row', () => {
    const pattern = { action: 'allow', pattern: '/**', direction: 'both' } as const;
    const check = (change: object, mqtt?: BridgeSettings['mqtt']) => () =>
      checkBridge(settings({ patterns: [pattern, { ...pattern, ...change }], ...(mqtt && { mqtt }) }));
    check({})();
    assert.throws(check({ pattern: 'x' }), refusal('patterns, row 2: pattern "x" does not start with /'));
    assert.throws(
      check({ action: 'maybe' }),
      refusal('patterns, row 2: action: expected one of allow, deny, got "maybe"'),
    );
    assert.throws(check({ domain: 62 }), refusal('patterns, row 2: domain: expected one of 60, 61, got 62'));
    assert.throws(
      check({ direction: 'in' }),
      refusal('patterns, row 2: direction: expected one of ros-to-mqtt, mqtt-to-ros, both, got "in"'),
    );
    assert.throws(
      check({ rate: { perSecond: 0, policy: 'latest' } }),
      refusal('patterns, row 2: rate: expected messages per second from 0.00001 to 1000000, got 0'),
    );
    assert.throws(
      () => checkBridge(settings({ maxPatternRoutes: 10_001 })),
      refusal('routes by patterns: expected an integer from 1 to 10000, got 10001'),
    );
    assert.throws(
      () => checkBridge(settings({ idleTimeout: 0 })),
      refusal(
        'time after which an idle route is closed: expected more than 0 and at most 86400000 ms, got 0',
      ),
    );
    assert.throws(
      check({ kind: 'service' }),
      refusal('patterns, row 2: direction: expected one of mqtt-to-ros, ros-to-mqtt, got "both"'),
    );
    assert.throws(
      check({ kind: 'action', direction: 'mqtt-to-ros', format: 'cdr' }),
      refusal('patterns, row 2: format: expected none for a pattern of kind action, got "cdr"'),
    );
    assert.throws(
      check({ kind: 'parameters', direction: 'mqtt-to-ros' }),
      refusal('patterns, row 2: direction: expected one of both, ros-to-mqtt, got "mqtt-to-ros"'),
    );
    assert.throws(
      check({ kind: 'node' as 'topic' }),
      refusal('patterns, row 2: kind: expected one of topic, service, action, parameters, got "node"'),
    );
    const mqtt = { target: 'embedded', protocolVersion: 4, clientId: 'b', keepAlive: 60 } as const;
    assert.throws(
      check({}, mqtt),
      refusal(
        'directions of patterns: expected one direction in all that allow, because the broker is used with MQTT 3.1.1, got ["both"]',
      ),
    );
    checkBridge(settings({ patterns: [pattern], mqtt, bothWaysOverMqtt311: true }));
  });

  it('of the type table are refused with the row', () => {
    const check =
      (...typeTable: Array<{ name: string; type: string }>) =>
      () =>
        checkBridge(settings({ typeTable }));
    const row = { name: 'sensor_data', type: 'std_msgs/msg/String' };
    check(row, { ...row, name: '/a/sensor_data' })();
    assert.throws(check(row, row), refusal('type table, row 2: "sensor_data" stands in the table twice'));
    assert.throws(
      check({ ...row, name: 'a/b' }),
      refusal(
        'type table, row 1: "a/b" is neither a whole ROS name, which starts with /, nor the last part of one',
      ),
    );
    assert.throws(
      check({ ...row, type: 'std_srvs/srv/Trigger' }),
      refusal('type table, row 1: "std_srvs/srv/Trigger" is a service or an action, not a message'),
    );
  });

  it('refuse both directions over MQTT 3.1.1, which cannot tell the bridge its own messages, unless they are allowed', () => {
    const mqtt = { target: 'embedded', protocolVersion: 4, clientId: 'c', keepAlive: 60 } as const;
    const oneWay: RouteSettings = { ...chatter, direction: 'mqtt-to-ros' };
    checkRoute(oneWay, settings({ routes: [oneWay], mqtt }));
    checkRoute(chatter, settings({ mqtt: { ...mqtt, protocolVersion: 5 } }));
    assert.throws(
      () => checkRoute(chatter, settings({ mqtt })),
      refusal('direction: expected one direction, because the broker is used with MQTT 3.1.1, got "both"'),
    );
    checkRoute(chatter, settings({ mqtt, bothWaysOverMqtt311: true }));
  });
});
