import assert from 'node:assert/strict';
import type { Namespace } from '../../src/topic/namespace-mapping';
import { RosTopicMapping } from '../../src/topic/ros-topic';
import { Random } from '../random';

const mappingWith = (...pairs: [ros: string, mqtt: string][]) =>
  new RosTopicMapping({ namespaces: pairs.map(([ros, mqtt]): Namespace => ({ domain: 0, ros, mqtt })) });
const faultOf = (mapping: RosTopicMapping, topic: string) => {
  const result = mapping.toRos(topic);
  return result !== undefined && 'fault' in result ? result.fault : undefined;
};

describe('NamespaceMapping', () => {
  it('takes a namespace away, with all below the names', () => {
    const mapping = mappingWith(['/robot1', '']);
    assert.equal(mapping.toMqtt(0, '/robot1/scan'), 'ros/0/scan');
    assert.equal(mapping.toMqtt(0, '/robot1/camera', 'param', ['get']), 'ros/0/camera/@param/get');
    assert.deepEqual(mapping.toRos('ros/0/camera/@param/get'), {
      domain: 0,
      rosName: '/robot1/camera',
      kind: 'param',
      rest: ['get'],
    });
    assert.deepEqual(mapping.toRos('ros/0/scan'), { domain: 0, rosName: '/robot1/scan' });
    assert.equal(mapping.toMqtt(1, '/robot1/scan'), 'ros/1/robot1/scan', 'another domain');
    assert.deepEqual(mapping.toRos('ros/0/@graph'), { domain: 0, rosName: '', kind: 'graph', rest: [] });
  });

  it('adds levels to all names, or to those of a namespace', () => {
    const mapping = mappingWith(['/', 'fleet/robot 1'], ['/tf', 'frames']);
    assert.equal(mapping.toMqtt(0, '/scan'), 'ros/0/fleet/robot 1/scan');
    assert.deepEqual(mapping.toRos('ros/0/fleet/robot 1/scan'), { domain: 0, rosName: '/scan' });
    assert.equal(mapping.toMqtt(0, '/tf'), 'ros/0/frames');
    assert.equal(mapping.toMqtt(0, '/tf_static'), 'ros/0/fleet/robot 1/tf_static');
    assert.deepEqual(mapping.toRos('ros/0/frames'), { domain: 0, rosName: '/tf' });
    assert.match(faultOf(mapping, 'ros/0/fleet/robot 1') ?? '', /those of a namespace/);
    assert.match(faultOf(mapping, 'ros/0/fleet/robot 1/@graph') ?? '', /those of a namespace/);
  });

  it('refuses a name whose topic would be another’s, and levels that no name has', () => {
    const mapping = mappingWith(['/robot1', '']);
    assert.throws(() => mapping.toMqtt(0, '/scan'), {
      message: '/scan would have the topic levels "scan", which are those of /robot1/scan',
    });
    assert.throws(() => mapping.toMqtt(0, '/robot1'), {
      message: '/robot1 has no topic level by the namespaces',
    });
    const added = mappingWith(['', 'robot1']);
    assert.equal(
      faultOf(added, 'ros/0/scan'),
      'topic "ros/0/scan": no name has these levels: /scan has "robot1/scan" by the namespaces',
    );
  });

  it('is refused where it is invalid', () => {
    for (const [pairs, fault] of [
      [[['robot1', 'a']], /namespace "robot1": ROS name "robot1" does not start with \//],
      [[['/robot1/', 'a']], /ends with \//],
      [[['/a', 'b/']], /have an empty one/],
      [[['/a', '@req']], /begins with @/],
      [[['/a', 'b+']], /wildcard/],
      [
        [
          ['/a', 'x'],
          ['/a', 'y'],
        ],
        /namespace "\/a": its topic levels are given twice/,
      ],
      [
        [
          ['/a', 'x'],
          ['/b', 'x'],
        ],
        /namespace "\/b": its topic levels are already those of "\/a"/,
      ],
    ] as [[string, string][], RegExp][]) {
      assert.throws(() => mappingWith(...pairs), fault);
    }
  });

  it('leaves the mapping a bijection', () => {
    const random = new Random(2);
    const parts = ['a', 'b', 'c', 'ab'];
    const levels = (count: number) => random.times(count, () => random.pick(parts)).join('/');
    let accepted = 0;
    for (let round = 0; round < 300; round++) {
      const pairs = random.times(1 + random.below(3), (): [string, string] => {
        const ros = levels(random.below(3));
        return [ros === '' ? '' : `/${ros}`, levels(random.below(3))];
      });
      let mapping: RosTopicMapping;
      try {
        mapping = mappingWith(...pairs);
      } catch {
        continue;
      }
      const seen = new Map<string, string>();
      for (let each = 0; each < 60; each++) {
        const rosName = `/${levels(1 + random.below(4))}`;
        let topic: string;
        try {
          topic = mapping.toMqtt(0, rosName);
        } catch {
          continue;
        }
        assert.equal(
          seen.get(topic) ?? rosName,
          rosName,
          `${JSON.stringify(pairs)}: ${topic} stands for two`,
        );
        seen.set(topic, rosName);
        assert.deepEqual(mapping.toRos(topic), { domain: 0, rosName });
        const back = mapping.toRos(`ros/0/${levels(1 + random.below(4))}`);
        if (back === undefined || 'fault' in back) continue;
        accepted++;
        assert.deepEqual(mapping.toRos(mapping.toMqtt(0, back.rosName)), back);
      }
    }
    assert.ok(accepted > 1000, `only ${accepted} accepted`);
  });
});
