import assert from 'node:assert/strict';
import { strongestMatchingQos } from '../../src/ros/matching-subscription';
import type { RosEndpoint, RosQos } from '../../src/ros/ros-backend';

const publisher = (reliability: RosQos['reliability'], durability: RosQos['durability']): RosEndpoint => ({
  guid: '00',
  kind: 'publisher',
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  qos: { reliability, durability, depth: 1 },
});

describe('strongestMatchingQos', () => {
  const cases: Array<[string, RosEndpoint[], RosQos['reliability'], RosQos['durability']]> = [
    ['no publisher', [], 'reliable', 'volatile'],
    ['a sensor', [publisher('best-effort', 'volatile')], 'best-effort', 'volatile'],
    ['a latched topic', [publisher('reliable', 'transient-local')], 'reliable', 'transient-local'],
    [
      'a reliable and a best-effort publisher',
      [publisher('reliable', 'volatile'), publisher('best-effort', 'volatile')],
      'best-effort',
      'volatile',
    ],
    [
      'a latched and a volatile publisher',
      [publisher('reliable', 'transient-local'), publisher('reliable', 'volatile')],
      'reliable',
      'volatile',
    ],
  ];
  for (const [title, publishers, reliability, durability] of cases) {
    it(`asks of ${title}: ${reliability}, ${durability}`, () => {
      const qos = strongestMatchingQos(publishers);
      assert.deepEqual([qos.reliability, qos.durability], [reliability, durability]);
    });
  }
});
