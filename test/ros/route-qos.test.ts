import assert from 'node:assert/strict';
import { incompatibilityWords } from '../../src/ros/incompatibility-words';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosEndpoint, RosQos } from '../../src/ros/ros-backend';
import { publisherQos, routeQosFault, subscriptionQos } from '../../src/ros/route-qos';
import { TRANSFORMS_TYPE, TransformUnion } from '../../src/ros/transform-union';

const NONE = Number.POSITIVE_INFINITY;
const RELIABLE: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 1 };
const SENSOR: RosQos = { ...RELIABLE, reliability: 'best-effort' };
const LATCHED: RosQos = { ...RELIABLE, durability: 'transient-local' };

const endpoint = (kind: RosEndpoint['kind'], qos: RosQos): RosEndpoint => ({
  guid: '00',
  kind,
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  qos,
});
const publishers = (...all: RosQos[]) => all.map((qos) => endpoint('publisher', qos));
const subscriptions = (...all: RosQos[]) => all.map((qos) => endpoint('subscription', qos));

describe('QoS of our subscription', () => {
  const cases: Array<[string, RosQos[], Partial<RosQos>]> = [
    ['no publisher', [], { reliability: 'reliable', durability: 'volatile', depth: 10, deadline: NONE }],
    ['a sensor', [SENSOR], { reliability: 'best-effort', durability: 'volatile' }],
    ['a latched topic', [LATCHED], { reliability: 'reliable', durability: 'transient-local' }],
    ['a reliable and a best-effort publisher', [RELIABLE, SENSOR], { reliability: 'best-effort' }],
    ['a latched and a volatile publisher', [LATCHED, RELIABLE], { durability: 'volatile' }],
    [
      'deadlines',
      [
        { ...RELIABLE, deadline: 100 },
        { ...RELIABLE, deadline: 300 },
      ],
      { deadline: 300 },
    ],
    ['a deadline and none', [{ ...RELIABLE, deadline: 100 }, RELIABLE], { deadline: NONE }],
    ['exclusive owners', [{ ...RELIABLE, ownership: 'exclusive' }], { ownership: 'exclusive' }],
    [
      'an exclusive and a shared owner',
      [{ ...RELIABLE, ownership: 'exclusive' }, RELIABLE],
      { ownership: 'shared' },
    ],
  ];
  for (const [title, offered, expected] of cases) {
    it(`asks the most of ${title}`, () => {
      const qos = subscriptionQos({}, publishers(...offered));
      assert.deepEqual({ ...qos, ...expected }, qos);
    });
  }

  it('is what the route says, whoever publishes', () => {
    const chosen = {
      reliability: 'reliable',
      durability: 'transient-local',
      depth: 5,
      deadline: 50,
    } as const;
    const qos = subscriptionQos(chosen, publishers(SENSOR));
    assert.deepEqual(qos, { ...chosen, ownership: 'shared' });
  });
});

describe('QoS of our publisher', () => {
  const plain = publisherQos({}, []);

  it('is that of ROS 2 where nobody asks for more', () => {
    assert.deepEqual(plain, {
      reliability: 'reliable',
      durability: 'volatile',
      depth: 1000,
      deadline: NONE,
      livelinessLease: NONE,
      lifespan: NONE,
      ownership: 'shared',
    });
    assert.deepEqual(publisherQos({}, subscriptions(SENSOR, RELIABLE)), plain);
  });

  const cases: Array<[string, RosQos[], Partial<RosQos>]> = [
    ['old samples', [RELIABLE, LATCHED], { durability: 'transient-local', depth: 1 }],
    ['100 old samples', [{ ...LATCHED, depth: 100 }, LATCHED], { durability: 'transient-local', depth: 100 }],
    ['too many old samples', [{ ...LATCHED, depth: 100_000 }], { depth: 1000 }],
    ['as many old samples as there are', [{ ...LATCHED, depth: 0 }], { depth: 1 }],
    ['deadlines', [{ ...SENSOR, deadline: 100 }, { ...SENSOR, deadline: 300 }, SENSOR], { deadline: 100 }],
    ['a lease', [{ ...SENSOR, livelinessLease: 2000 }, SENSOR], { livelinessLease: 2000 }],
    ['one owner', [{ ...SENSOR, ownership: 'exclusive' }], { ownership: 'exclusive' }],
  ];
  for (const [title, asked, expected] of cases) {
    it(`serves who asks for ${title}`, () => {
      const qos = publisherQos({}, subscriptions(...asked));
      assert.deepEqual({ ...qos, ...expected }, qos);
    });
  }

  it('offers no less when who asked has gone', () => {
    const asked = { ...LATCHED, depth: 20, deadline: 100, livelinessLease: 500 };
    const served = publisherQos({}, subscriptions(asked), plain);
    assert.deepEqual(publisherQos({}, [], served), served);
  });

  it('is what the route says, whoever subscribes', () => {
    const chosen = {
      reliability: 'best-effort',
      durability: 'volatile',
      depth: 5,
      deadline: 50,
      lifespan: 9,
    } as const;
    const qos = publisherQos(chosen, subscriptions(LATCHED));
    assert.deepEqual(qos, { ...chosen, livelinessLease: NONE, ownership: 'shared' });
  });
});

describe('QoS settings of a route', () => {
  it('are taken when every field is of use', () => {
    assert.equal(routeQosFault({}), undefined);
    const all = { reliability: 'best-effort', durability: 'transient-local', depth: 1 } as const;
    assert.equal(routeQosFault({ ...all, deadline: 1, lifespan: 5000, mqtt: 0, retain: false }), undefined);
  });

  const faults: Array<[Record<string, unknown>, string]> = [
    [{ reliability: 'best' }, 'reliability: expected reliable or best-effort, got "best"'],
    [{ durability: 'latched' }, 'durability: expected volatile or transient-local, got "latched"'],
    [{ depth: 0 }, 'depth: expected a whole number from 1 to 10000, got 0'],
    [{ deadline: 0.5 }, 'deadline: expected whole milliseconds from 1 to 31622400000, got 0.5'],
    [{ lifespan: 'a' }, 'lifespan: expected whole milliseconds from 1 to 31622400000, got "a"'],
    [{ mqtt: 3 }, 'MQTT QoS: expected 0, 1 or 2, got 3'],
    [{ retain: 'yes' }, 'retain: expected true or false, got "yes"'],
  ];
  for (const [qos, message] of faults) {
    it(`are refused: ${message}`, () => {
      assert.equal(routeQosFault(qos), message);
    });
  }
});

describe('an incompatible endpoint', () => {
  const own = { type: 'std_msgs/msg/String', typeHash: 'RIHS01_a', qos: LATCHED };
  const cases: Array<[RosEndpoint['kind'], Partial<RosQos>, string, string]> = [
    [
      'publisher',
      { reliability: 'best-effort' },
      'reliability',
      'publisher is best effort, route wants reliable',
    ],
    ['publisher', {}, 'durability', 'publisher is volatile, route wants transient local'],
    ['subscription', {}, 'reliability', 'subscription wants reliable, route is reliable'],
    [
      'subscription',
      { deadline: 100 },
      'deadline',
      'subscription wants a deadline of 100 ms, route offers no deadline',
    ],
    ['publisher', {}, 'partition', 'a publisher does not match the route by its partition'],
    ['publisher', {}, 'type', 'a publisher has the type std_msgs/msg/String, the route std_msgs/msg/String'],
  ];
  for (const [kind, qos, policy, words] of cases) {
    it(`is told as: ${words}`, () => {
      const remote = endpoint(kind, { ...RELIABLE, ...qos });
      assert.equal(incompatibilityWords({ remote, policy }, own), words);
    });
  }
});

describe('transforms of several publishers', () => {
  const codec = MessageCodec.for(InterfaceLibrary.bundled(), TRANSFORMS_TYPE);
  const of = (...frames: Array<[string, number]>) =>
    codec.encode({
      transforms: frames.map(([frame, x]) => ({
        header: { frame_id: 'base' },
        child_frame_id: frame,
        transform: { translation: { x } },
      })),
    });

  it('are one message with the newest of each frame', () => {
    const union = new TransformUnion(codec);
    assert.deepEqual(union.add(of(['lidar', 1], ['camera', 2])), of(['lidar', 1], ['camera', 2]));
    assert.deepEqual(union.add(of(['imu', 3])), of(['lidar', 1], ['camera', 2], ['imu', 3]));
    assert.deepEqual(union.add(of(['lidar', 4])), of(['camera', 2], ['imu', 3], ['lidar', 4]));
    assert.deepEqual(union.add(of()), of(['camera', 2], ['imu', 3], ['lidar', 4]));
  });

  it('are kept for a bounded number of frames, those not forgotten that were heard last', () => {
    const union = new TransformUnion(codec);
    union.add(of(['first', 0]));
    const many = Array.from({ length: 4096 }, (_, index): [string, number] => [`frame${index}`, index]);
    assert.deepEqual(union.add(of(...many)), of(...many));
  });

  it('are kept for frames whose names have a bounded length together', () => {
    const union = new TransformUnion(codec);
    const [long, other] = ['x', 'y'].map((letter) => letter.repeat(600_000)) as [string, string];
    assert.deepEqual(union.add(of(['first', 0], [long, 1])), of(['first', 0], [long, 1]));
    assert.deepEqual(union.add(of([long, 2])), of(['first', 0], [long, 2]));
    assert.deepEqual(union.add(of(['lidar', 3], [other, 4])), of(['lidar', 3], [other, 4]));
    union.clear();
    assert.deepEqual(union.add(of([long, 5])), of([long, 5]));
  });
});
