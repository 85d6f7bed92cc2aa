import assert from 'node:assert/strict';
import { NamePatterns, type PatternSettings, patternFault } from '../../src/ros/name-patterns';
import { Random } from '../random';

const allow = (pattern: string, change: Partial<PatternSettings> = {}): PatternSettings => ({
  action: 'allow',
  pattern,
  direction: 'both',
  ...change,
});
const deny = (pattern: string, change: Partial<PatternSettings> = {}) =>
  allow(pattern, { action: 'deny', ...change });

describe('patterns of ROS names', () => {
  const passing = (patterns: PatternSettings[], names: string[]) => {
    const compiled = new NamePatterns(patterns);
    return names.filter((name) => compiled.allowing(0, name, 'ros-to-mqtt') !== undefined);
  };

  it('have * for one part and ** for any number, also none', () => {
    const names = ['/a', '/a/b', '/a/b/c', '/x/b', '/b', '/ab'];
    assert.deepEqual(passing([allow('/**')], names), names);
    assert.deepEqual(passing([allow('/*')], names), ['/a', '/b', '/ab']);
    assert.deepEqual(passing([allow('/a/**')], names), ['/a', '/a/b', '/a/b/c']);
    assert.deepEqual(passing([allow('/*/b')], names), ['/a/b', '/x/b']);
    assert.deepEqual(passing([allow('/**/b')], names), ['/a/b', '/x/b', '/b']);
    assert.deepEqual(passing([allow('/a')], names), ['/a']);
    assert.deepEqual(passing([], names), []);
  });

  it('deny what others allow, whatever their order', () => {
    const names = ['/robot/cmd', '/robot/camera/image', '/robot/_private'];
    assert.deepEqual(passing([deny('/robot/camera/**'), allow('/robot/**')], names), ['/robot/cmd']);
    assert.deepEqual(passing([allow('/robot/_private'), deny('/robot/*')], names), []);
  });

  it('are of topics, services or actions, of which those of each node are only called where they are written out', () => {
    const called = { kind: 'service', direction: 'mqtt-to-ros' } as const;
    const patterns = new NamePatterns([
      allow('/**', called),
      allow('/camera/get_parameters', called),
      deny('/arm/*', called),
    ]);
    const allows = (rosName: string, kind?: 'topic' | 'service' | 'action') =>
      patterns.allowing(0, rosName, 'mqtt-to-ros', kind) !== undefined;
    assert.deepEqual(
      ['/add', '/arm/stop', '/camera/set_parameters', '/camera/get_parameters'].map((name) =>
        allows(name, 'service'),
      ),
      [true, false, false, true],
    );
    assert.deepEqual([allows('/add'), allows('/add', 'action')], [false, false]);
    assert.equal(patterns.any(0, 'mqtt-to-ros'), true);
  });

  it('allow hidden names and those of ROS itself only where they are written out', () => {
    const names = ['/_a', '/a/_b/c', '/rosout', '/parameter_events', '/robot/rosout'];
    assert.deepEqual(passing([allow('/**'), allow('/*'), allow('/*/*/*')], names), ['/robot/rosout']);
    assert.deepEqual(
      passing(
        names.map((name) => allow(name)),
        names,
      ),
      names,
    );
    assert.deepEqual(passing([allow('/a/_b/*')], names), ['/a/_b/c']);
  });

  it('are for a way and a domain', () => {
    const patterns = new NamePatterns([
      allow('/**', { direction: 'ros-to-mqtt', domain: 1 }),
      allow('/cmd/**', { direction: 'mqtt-to-ros', format: 'cdr' }),
      deny('/cmd/stop', { direction: 'mqtt-to-ros', domain: 2 }),
    ]);
    assert.ok(patterns.allowing(1, '/cmd/go', 'ros-to-mqtt'));
    assert.equal(patterns.allowing(2, '/cmd/go', 'ros-to-mqtt'), undefined);
    assert.equal(patterns.allowing(2, '/cmd/go', 'mqtt-to-ros')?.format, 'cdr');
    assert.ok(patterns.allowing(1, '/cmd/stop', 'mqtt-to-ros'));
    assert.equal(patterns.allowing(2, '/cmd/stop', 'mqtt-to-ros'), undefined);
    assert.deepEqual([patterns.any(1, 'ros-to-mqtt'), patterns.any(2, 'ros-to-mqtt')], [true, false]);
    assert.equal(new NamePatterns([deny('/**')]).any(0, 'mqtt-to-ros'), false);
  });

  for (const [pattern, fault] of [
    ['', 'pattern "" does not start with /'],
    ['chatter', 'pattern "chatter" does not start with /'],
    ['/a/', 'pattern "/a/": "" is neither part of a ROS name nor * or **'],
    ['/a*', 'pattern "/a*": "a*" is neither part of a ROS name nor * or **'],
    ['/+/b', 'pattern "/+/b": "+" is neither part of a ROS name nor * or **'],
    ['/***', 'pattern "/***": "***" is neither part of a ROS name nor * or **'],
    ['/**/**', 'pattern "/**/**" has ** twice in a row'],
    [`/${'a'.repeat(247)}`, `pattern "/${'a'.repeat(59)}" has 248 characters; at most 247 are allowed`],
  ] as const) {
    it(`are refused: ${fault}`, () => assert.equal(patternFault(pattern), fault));
  }

  it('match as one part after the other does', () => {
    const matches = (pattern: readonly string[], name: readonly string[]): boolean => {
      const [first, ...rest] = pattern;
      if (first === undefined) return name.length === 0;
      if (first === '**') {
        return name.some((_part, index) => matches(rest, name.slice(index))) || matches(rest, []);
      }
      const [part, ...others] = name;
      return part !== undefined && (first === '*' || first === part) && matches(rest, others);
    };
    const random = new Random(7);
    const some = (parts: readonly string[]) => random.times(1 + random.below(5), () => random.pick(parts));
    let matched = 0;
    for (let round = 0; round < 5000; round++) {
      const pattern = some(['a', 'b', '*', '**']);
      const name = some(['a', 'b']);
      if (patternFault(`/${pattern.join('/')}`) !== undefined) continue;
      const expected = matches(pattern, name);
      if (expected) matched++;
      const found = passing([allow(`/${pattern.join('/')}`)], [`/${name.join('/')}`]).length === 1;
      assert.equal(found, expected, `/${pattern.join('/')} with /${name.join('/')}`);
    }
    assert.ok(matched > 500);
  });
});
