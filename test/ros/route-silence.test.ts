import assert from 'node:assert/strict';
import type { Direction } from '../../src/ros/bridge-settings';
import {
  CountWatch,
  DropWatch,
  type SilenceFacts,
  type SilenceReason,
  silenceOf,
} from '../../src/ros/route-silence';

const settings = (direction: Direction) => ({
  domain: 0,
  rosName: '/scan',
  type: 'sensor_msgs/msg/LaserScan',
  direction,
});
const heard = { publishers: 1, everHeard: true, heardLately: true };
const facts = (direction: Direction, change: Partial<SilenceFacts>): SilenceFacts => ({
  settings: settings(direction),
  mqttConnected: true,
  subscribed: direction === 'ros-to-mqtt' ? undefined : true,
  publishers: 0,
  subscriptions: 0,
  neighbours: { publishers: 0, subscriptions: 0 },
  incompatible: undefined,
  domainsOfPublishers: () => [],
  domainsOfSubscriptions: () => [],
  everHeard: false,
  heardLately: false,
  toldLately: false,
  droppedLately: undefined,
  hasTaker: true,
  ...change,
});

describe('a silent route', () => {
  const cases: Array<[Direction, Partial<SilenceFacts>, SilenceReason, string]> = [
    ['both', { mqttConnected: false }, 'mqtt-not-connected', 'MQTT is not connected'],
    ['both', { subscribed: false }, 'mqtt-not-granted', 'the broker has not granted its subscription'],
    [
      'ros-to-mqtt',
      { publishers: 1, incompatible: '/scan: publisher is best effort, route wants reliable' },
      'incompatible',
      'publisher is best effort, route wants reliable',
    ],
    ['ros-to-mqtt', {}, 'no-publisher', 'no publisher in ROS'],
    ['mqtt-to-ros', {}, 'no-subscription', 'no subscription in ROS'],
    ['both', {}, 'no-publisher', 'no publisher and no subscription in ROS'],
    ['ros-to-mqtt', { domainsOfPublishers: () => [7] }, 'other-domain', 'no publisher here, but in domain 7'],
    [
      'mqtt-to-ros',
      { domainsOfSubscriptions: () => [7, 8] },
      'other-domain',
      'no subscription here, but in domains 7, 8',
    ],
    ['both', { domainsOfSubscriptions: () => [3] }, 'other-domain', 'no subscription here, but in domain 3'],
    [
      'both',
      { publishers: 1 },
      'no-data',
      '1 publisher is known, but nothing came yet: it says nothing, or a firewall keeps back UDP',
    ],
    [
      'ros-to-mqtt',
      { ...heard, settings: { ...settings('ros-to-mqtt'), rate: { perSecond: 1, policy: 'queue' } } },
      'kept-back',
      'all that comes is kept back by its rate limit or deadband',
    ],
    [
      'mqtt-to-ros',
      {
        subscriptions: 1,
        toldLately: true,
        droppedLately: 'deadband',
        settings: { ...settings('mqtt-to-ros'), deadband: { path: 'range_min', threshold: 1 } },
      },
      'kept-back',
      'all that comes is kept back by its rate limit or deadband',
    ],
    [
      'mqtt-to-ros',
      { subscriptions: 1, toldLately: true, droppedLately: 'invalid' },
      'dropped',
      'all that comes is dropped: it is not of its type, or too large',
    ],
    [
      'ros-to-mqtt',
      { ...heard, droppedLately: 'unacknowledged' },
      'dropped',
      'all that comes is dropped: the broker does not take it',
    ],
    [
      'ros-to-mqtt',
      { ...heard, mqttConnected: undefined, hasTaker: false },
      'not-wired',
      'nothing is wired to the output of the bridge',
    ],
    ['ros-to-mqtt', heard, 'not-acknowledged', 'the broker has not acknowledged what it was sent'],
  ];
  for (const [direction, change, reason, words] of cases) {
    it(`${direction} has the reason: ${words}`, () => {
      assert.deepEqual(silenceOf(facts(direction, change)), { reason, text: `/scan: ${words}` });
    });
  }

  it('has none where nobody says anything', () => {
    assert.equal(silenceOf(facts('ros-to-mqtt', { publishers: 1, everHeard: true })), undefined);
    assert.equal(silenceOf(facts('mqtt-to-ros', { subscriptions: 1 })), undefined);
    assert.equal(silenceOf(facts('both', { subscriptions: 1 })), undefined);
    // It was just connected again.
    assert.equal(silenceOf(facts('ros-to-mqtt', { ...heard, droppedLately: 'offline' })), undefined);
    const neighbours = { publishers: 1, subscriptions: 1 };
    assert.equal(silenceOf(facts('ros-to-mqtt', { neighbours })), undefined);
    assert.equal(silenceOf(facts('mqtt-to-ros', { neighbours })), undefined);
  });

  it('has dropped what is counted since it was last looked at, for a time', () => {
    const watch = new DropWatch();
    assert.equal(watch.lately({}, 0), undefined);
    assert.equal(watch.lately({ invalid: 1 }, 1000), 'invalid');
    assert.equal(watch.lately({ invalid: 1, echo: 1 }, 2000), 'echo');
    assert.equal(watch.lately({ invalid: 1, echo: 1 }, 6999), 'echo');
    assert.equal(watch.lately({ invalid: 1, echo: 1 }, 7000), undefined);
  });

  it('is one whose count does not change', () => {
    const watch = new CountWatch(100);
    assert.equal(watch.unchangedFor(0, 5000), 4900);
    assert.equal(watch.unchangedFor(3, 6000), 0);
    assert.equal(watch.unchangedFor(3, 9000), 3000);
  });
});
