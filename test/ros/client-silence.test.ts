import assert from 'node:assert/strict';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { type ClientFacts, clientSilenceOf } from '../../src/ros/client-silence';
import type { SilenceReason } from '../../src/ros/route-silence';

const TYPE = 'example_interfaces/srv/AddTwoInts';
const OTHER = { type: 'std_srvs/srv/Trigger' };

const facts = (change: Partial<ClientFacts>): ClientFacts => ({
  settings: {
    kind: 'service',
    domain: 0,
    rosName: '/add',
    type: TYPE,
    direction: 'ros-to-mqtt',
  } as RouteSettings,
  mqttConnected: true,
  subscribed: true,
  heard: true,
  everAsked: false,
  unanswered: false,
  found: [],
  domainsOfClients: () => [],
  ...change,
});

describe('what is answered for ROS and not called', () => {
  const cases: Array<[Partial<ClientFacts>, SilenceReason, string]> = [
    [{ mqttConnected: false }, 'mqtt-not-connected', 'MQTT is not connected'],
    [{ subscribed: false }, 'mqtt-not-granted', 'the broker has not granted its subscription'],
    [
      { mqttConnected: undefined, subscribed: undefined, heard: false },
      'not-wired',
      'nothing is wired to the output, from where it would be answered',
    ],
    [
      { everAsked: true, unanswered: true, found: [{ type: TYPE }] },
      'no-answer',
      'nobody has answered the last request of ROS',
    ],
    [{}, 'no-client', 'no client in ROS'],
    [{ domainsOfClients: () => [3, 7] }, 'other-domain', 'no client here, but in domains 3, 7'],
    [
      { found: [OTHER, OTHER], domainsOfClients: () => [3] },
      'other-type',
      'its client has another type: std_srvs/srv/Trigger',
    ],
  ];
  for (const [change, reason, words] of cases) {
    it(`has the reason: ${words}`, () => {
      assert.deepEqual(clientSilenceOf(facts(change)), { reason, text: `/add: ${words}` });
    });
  }

  it('has none where a client is there, or has been', () => {
    assert.equal(clientSilenceOf(facts({ found: [OTHER, { type: TYPE }] })), undefined);
    assert.equal(clientSilenceOf(facts({ everAsked: true })), undefined);
    assert.equal(
      clientSilenceOf(facts({ everAsked: true, mqttConnected: undefined, subscribed: undefined })),
      undefined,
    );
  });
});
