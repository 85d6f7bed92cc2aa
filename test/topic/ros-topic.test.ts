import assert from 'node:assert/strict';
import { MAX_DOMAIN, type RosTopicKind, RosTopicMapping } from '../../src/topic/ros-topic';
import { topicNameFault } from '../../src/topic/topic-name';
import { Random } from '../random';

function faultOf(mapping: RosTopicMapping, topic: string): string {
  const result = mapping.toRos(topic);
  assert.ok(result !== undefined && 'fault' in result, `${topic} should be refused`);
  return result.fault;
}

describe('RosTopicMapping', () => {
  const mapping = new RosTopicMapping({ aliases: { autonomous_vehicle: 3 } });

  it('maps topics both ways', () => {
    for (const [domain, rosName, topic] of [
      [0, '/chatter', 'ros/0/chatter'],
      [0, '/turtle1/cmd_vel', 'ros/0/turtle1/cmd_vel'],
      [7, '/robot1/camera/image_raw', 'ros/7/robot1/camera/image_raw'],
      [3, '/sensor_fusion/sensor_data', 'ros/autonomous_vehicle/sensor_fusion/sensor_data'],
      [232, '/x', 'ros/232/x'],
    ] as const) {
      assert.equal(mapping.toMqtt(domain, rosName), topic);
      assert.deepEqual(mapping.toRos(topic), { domain, rosName });
    }
  });

  it('maps the @ levels both ways', () => {
    for (const [rosName, kind, rest, topic] of [
      ['/add_two_ints', 'req', [], 'ros/0/add_two_ints/@req'],
      ['/add_two_ints', 'rep', ['42'], 'ros/0/add_two_ints/@rep/42'],
      ['/fibonacci', 'action', ['goal'], 'ros/0/fibonacci/@action/goal'],
      ['/turtlesim', 'param', ['value', 'background_r'], 'ros/0/turtlesim/@param/value/background_r'],
      ['/turtle1/cmd_vel', 'meta', [], 'ros/0/turtle1/cmd_vel/@meta'],
      ['', 'bridge', ['b1'], 'ros/0/@bridge/b1'],
      ['', 'graph', [], 'ros/0/@graph'],
    ] as const) {
      assert.equal(mapping.toMqtt(0, rosName, kind, rest), topic);
      assert.deepEqual(mapping.toRos(topic), { domain: 0, rosName, kind, rest: [...rest] });
    }
  });

  it('compares the prefix by whole levels', () => {
    const nested = new RosTopicMapping({ prefix: 'plant 1/ros' });
    assert.equal(nested.toMqtt(0, '/a'), 'plant 1/ros/0/a');
    assert.deepEqual(nested.toRos('plant 1/ros/0/a'), { domain: 0, rosName: '/a' });
    assert.equal(nested.filterFor(5), 'plant 1/ros/5/#');
    for (const other of ['plant 1/ros2/0/a', 'plant 1/ros', 'ros/0/a', '/plant 1/ros/0/a']) {
      assert.equal(nested.toRos(other), undefined);
    }
  });

  it('spells each domain in one way', () => {
    assert.equal(mapping.filterFor(3), 'ros/autonomous_vehicle/#');
    assert.match(faultOf(mapping, 'ros/3/a'), /domain 3 is spelled "autonomous_vehicle" here/);
    assert.match(faultOf(mapping, 'ros/00/a'), /leading zeros/);
    assert.match(faultOf(mapping, 'ros/07/a'), /leading zeros/);
    assert.match(faultOf(mapping, 'ros/233/a'), /not an integer from 0 to 232/);
    assert.match(faultOf(mapping, 'ros/99999999999999999999/a'), /not an integer/);
    for (const level of ['', '-1', '1.0', '0x1', '1e2', ' 1', '٣', '__proto__', 'constructor']) {
      assert.match(faultOf(mapping, `ros/${level}/a`), /unknown domain/);
    }
  });

  it('refuses what is below the prefix but no ROS name', () => {
    assert.match(faultOf(mapping, 'ros/0'), /no ROS name/);
    assert.match(faultOf(mapping, 'ros/0/'), /ends with \//);
    assert.match(faultOf(mapping, 'ros/0//a'), /empty part/);
    assert.match(faultOf(mapping, 'ros/0/a/'), /ends with \//);
    assert.match(faultOf(mapping, 'ros/0/1a'), /starts with a digit/);
    assert.match(faultOf(mapping, 'ros/0/a b'), /contains " "/);
    assert.match(faultOf(mapping, `ros/0/${'a'.repeat(247)}`), /at most 247/);
    assert.match(faultOf(mapping, 'ros/0/a/@nonsense'), /unknown level "@nonsense"/);
    assert.match(faultOf(mapping, 'ros/0/a/@constructor'), /unknown level/);
    assert.match(faultOf(mapping, 'ros/0/a/@'), /unknown level "@"/);
    assert.match(faultOf(mapping, 'ros/0/@meta'), /needs a ROS name/);
    assert.match(faultOf(mapping, 'ros/0/a/@graph'), /belongs to the domain/);
    assert.match(faultOf(mapping, 'ros/0/a/@req/'), /empty level/);
    for (const levels of ['', '0/', '0/a/@', '00', 'x/@graph/', '0/a/@graph/']) {
      assert.ok(faultOf(mapping, `ros/${levels}${'0'.repeat(60_000)}`).length < 300);
    }
    assert.match(faultOf(mapping, 'ros/@bridge/x'), /unknown domain "@bridge"/);
  });

  it('refuses what has no topic name', () => {
    assert.throws(() => mapping.toMqtt(233, '/a'), /domain 233/);
    assert.throws(() => mapping.toMqtt(1.5, '/a'), /domain 1.5/);
    assert.throws(() => mapping.toMqtt(0, 'a'), /does not start with \//);
    assert.throws(() => mapping.toMqtt(0, ''), /empty/);
    assert.throws(() => mapping.toMqtt(0, '/a', 'graph'), /belongs to the domain/);
    assert.throws(() => mapping.toMqtt(0, '', 'meta'), /empty/);
    assert.throws(() => mapping.toMqtt(0, '/a', 'req', ['x/y']), /not a topic level/);
    assert.throws(() => mapping.toMqtt(0, '/a', 'req', ['']), /not a topic level/);
    assert.throws(() => mapping.toMqtt(0, '/a', 'req', ['+']), /wildcard/);
    assert.throws(() => mapping.toMqtt(0, '/a', undefined, ['x']), /not a topic level/);
  });

  it('refuses invalid prefixes and aliases', () => {
    for (const prefix of ['', '/ros', 'ros/', 'a//b', 'ros/+', '#', '$SYS', 'a\0b', '\ud800']) {
      assert.throws(() => new RosTopicMapping({ prefix }), /topic prefix/, JSON.stringify(prefix));
    }
    for (const alias of ['', '0', '007', 'a/b', '@a', 'a+', '#', 'a\0']) {
      assert.throws(() => new RosTopicMapping({ aliases: { [alias]: 1 } }), /domain alias/);
    }
    assert.throws(() => new RosTopicMapping({ aliases: { a: 233 } }), /domain alias "a": domain 233/);
    assert.throws(() => new RosTopicMapping({ aliases: { a: 1, b: 1 } }), /already has the alias "a"/);
  });

  it('is a bijection', () => {
    const random = new Random(1);
    const kinds: RosTopicKind[] = ['req', 'rep', 'action', 'param', 'meta'];
    const token = () =>
      random.pick('abzAZ_') + random.times(random.below(5), () => random.pick('ab_Z09')).join('');
    for (const options of [
      { prefix: 'ros' },
      { prefix: 'a/b' },
      { prefix: 'ros/0', aliases: { ros: 0, 'ä b': 1, lab: 42, __proto__x: 232 } },
    ]) {
      const sample = new RosTopicMapping(options);
      const seen = new Map<string, string>();
      for (let round = 0; round < 3000; round++) {
        const domain = random.below(MAX_DOMAIN + 1);
        const rosName = random.times(1 + random.below(4), () => `/${token()}`).join('');
        const kind = random.below(2) === 0 ? undefined : random.pick(kinds);
        const rest =
          kind === undefined
            ? []
            : random.times(random.below(3), () => random.pick(['x', '@meta', '0', 'é']));
        const source = JSON.stringify([domain, rosName, kind, rest]);
        const topic = sample.toMqtt(domain, rosName, kind, rest);
        assert.equal(topicNameFault(topic), undefined);
        assert.deepEqual(
          sample.toRos(topic),
          kind === undefined ? { domain, rosName } : { domain, rosName, kind, rest },
        );
        assert.equal(seen.get(topic) ?? source, source, 'two sources share a topic name');
        seen.set(topic, source);
      }
      // The other way round: whatever is accepted is spelled as it was.
      const levels = [
        'ros',
        'a',
        'b',
        '0',
        '00',
        '42',
        'lab',
        '@meta',
        '@graph',
        '@req',
        'ä b',
        '',
        'x1',
        '1x',
      ];
      let accepted = 0;
      for (let round = 0; round < 20000; round++) {
        const topic = [options.prefix, ...random.times(random.below(5), () => random.pick(levels))].join('/');
        const result = sample.toRos(topic);
        if (result === undefined || 'fault' in result) continue;
        accepted++;
        assert.equal(sample.toMqtt(result.domain, result.rosName, result.kind, result.rest), topic);
      }
      assert.ok(accepted > 300, `only ${accepted} accepted`);
    }
  });
});
