import assert from 'node:assert/strict';
import type { RouteKind, RouteSettings } from '../../src/ros/bridge-settings';
import type { SilenceReason } from '../../src/ros/route-silence';
import { type ServerFacts, serverSilenceOf, serverWords } from '../../src/ros/server-silence';
import { vendorOf } from '../../src/ros/service-dialect';

const TYPE = 'example_interfaces/srv/AddTwoInts';
const CYCLONE = { type: TYPE, vendor: 'Cyclone DDS' };
const FAST = { type: TYPE, vendor: 'Fast DDS' };
const CONNEXT = { type: TYPE, vendor: 'RTI Connext DDS' };

const facts = (change: Partial<ServerFacts>, kind: RouteKind = 'service'): ServerFacts => ({
  settings: { kind, domain: 0, rosName: '/add', type: TYPE, direction: 'mqtt-to-ros' } as RouteSettings,
  mqttConnected: true,
  subscribed: true,
  reached: 0,
  found: [],
  domainsOfServers: () => [],
  unanswered: false,
  ...change,
});

describe('what is called in ROS and does not answer', () => {
  const cases: Array<[Partial<ServerFacts>, SilenceReason, string]> = [
    [{ mqttConnected: false }, 'mqtt-not-connected', 'MQTT is not connected'],
    [{ subscribed: false }, 'mqtt-not-granted', 'the broker has not granted its subscription'],
    [{}, 'no-server', 'no server in ROS'],
    [{ domainsOfServers: () => [3, 7] }, 'other-domain', 'no server here, but in domains 3, 7'],
    [
      { found: [{ type: 'std_srvs/srv/Trigger' }], domainsOfServers: () => [3] },
      'other-type',
      'its server has another type: std_srvs/srv/Trigger',
    ],
    [
      { found: [CYCLONE, { type: 'std_srvs/srv/Trigger' }] },
      'no-match',
      'a server is known, but its requests and responses do not both match those of the bridge',
    ],
    [
      { found: [{ type: 'a/srv/B' }, { type: 'a/srv/B' }, { type: 'a/srv/C' }] },
      'other-type',
      'its server has another type: a/srv/B, a/srv/C',
    ],
    [
      { reached: 2, found: [CYCLONE, FAST] },
      'two-dialects',
      'it has servers on Cyclone DDS and on another DDS, which cannot be called together',
    ],
    [
      { reached: 1, found: [FAST], unanswered: true },
      'no-answer',
      'its server has not answered the last call',
    ],
    [
      { reached: 1, found: [CONNEXT], unanswered: true },
      'no-answer',
      'its server has not answered the last call; it is on RTI Connext DDS, and was called as one on Fast DDS is',
    ],
  ];
  for (const [change, reason, words] of cases) {
    it(`has the reason: ${words}`, () => {
      assert.deepEqual(serverSilenceOf(facts(change)), { reason, text: `/add: ${words}` });
    });
  }

  it('has none where a server can be called', () => {
    assert.equal(serverSilenceOf(facts({ reached: 1, found: [FAST] })), undefined);
    assert.equal(serverSilenceOf(facts({ reached: 2, found: [CYCLONE, CYCLONE] })), undefined);
    // Of another bridge of this process.
    assert.equal(serverSilenceOf(facts({ reached: 1, mqttConnected: undefined })), undefined);
  });

  it('is a node without parameters, where they are called', () => {
    assert.equal(serverSilenceOf(facts({}, 'parameters'))?.text, '/add: no node of this name has parameters');
  });

  it('adds to the error of a call what it does not tell itself', () => {
    const wrongType = facts({
      mqttConnected: false,
      found: [{ type: 'std_srvs/srv/Trigger' }],
      unanswered: true,
    });
    assert.equal(serverWords('unavailable', wrongType), 'its server has another type: std_srvs/srv/Trigger');
    assert.equal(serverWords('unavailable', facts({})), undefined);
    assert.equal(serverWords('unavailable', facts({ found: [CYCLONE] })), undefined);
    assert.equal(serverWords('timeout', facts({ reached: 1, found: [CYCLONE] })), undefined);
    assert.equal(
      serverWords('timeout', facts({ reached: 1, found: [CONNEXT] })),
      'it is on RTI Connext DDS, and was called as one on Fast DDS is',
    );
  });

  it('names also a DDS that it does not know', () => {
    assert.equal(vendorOf(0x0110), 'Cyclone DDS');
    assert.equal(vendorOf(0x0abc), 'a DDS with the vendor id 0x0abc');
  });
});
