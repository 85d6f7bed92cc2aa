import assert from 'node:assert/strict';
import { matchesPattern, sharePartition } from '../../src/rtps/partition';
import {
  checkQos,
  type EndpointQos,
  incompatiblePolicy,
  type Policies,
  policiesOf,
  QosError,
} from '../../src/rtps/qos';
import { RELIABLE } from './fixture';

describe('the QoS of a writer and a reader', () => {
  const offered = policiesOf('writer', RELIABLE);
  const requested = policiesOf('reader', RELIABLE);

  it('suits where both have the defaults', () => {
    assert.equal(incompatiblePolicy(offered, requested), undefined);
  });

  /** By policy, values in the order of what they promise: each suits what is asked for up to itself. */
  const ascending: ReadonlyArray<[string, ...Array<Partial<Policies>>]> = [
    ['reliability', { reliable: false }, { reliable: true }],
    ['durability', ...[0, 1, 2, 3].map((durabilityKind) => ({ durabilityKind }))],
    ['deadline', ...[Number.POSITIVE_INFINITY, 1000, 10].map((deadline) => ({ deadline }))],
    ['latency budget', ...[Number.POSITIVE_INFINITY, 10, 0].map((latencyBudget) => ({ latencyBudget }))],
    ['liveliness', ...[0, 1, 2].map((livelinessKind) => ({ livelinessKind }))],
    ['liveliness', ...[Number.POSITIVE_INFINITY, 100, 10].map((livelinessLease) => ({ livelinessLease }))],
    ['destination order', { destinationOrderKind: 0 }, { destinationOrderKind: 1 }],
    [
      'presentation',
      ...[0, 1, 2].map((scope) => ({ presentation: { scope, coherent: false, ordered: false } })),
    ],
    [
      'presentation',
      ...[false, true].map((coherent) => ({ presentation: { scope: 1, coherent, ordered: false } })),
    ],
    [
      'presentation',
      ...[false, true].map((ordered) => ({ presentation: { scope: 1, coherent: false, ordered } })),
    ],
  ];
  for (const [policy, ...values] of ascending)
    it(`suits when the writer offers at least the ${policy} that is requested (${Object.keys(values[0] ?? {})})`, () => {
      for (const [of, offer] of values.entries())
        for (const [re, request] of values.entries())
          assert.equal(
            incompatiblePolicy({ ...offered, ...offer }, { ...requested, ...request }),
            of >= re ? undefined : policy,
          );
    });

  it('suits when both share the topic, or both do not', () => {
    for (const one of [true, false])
      for (const other of [true, false])
        assert.equal(
          incompatiblePolicy({ ...offered, exclusive: one }, { ...requested, exclusive: other }),
          one === other ? undefined : 'ownership',
        );
  });

  it('suits when the reader reads the representation that the writer writes', () => {
    const policy = (written: number[], read: number[]) =>
      incompatiblePolicy({ ...offered, representations: written }, { ...requested, representations: read });
    assert.equal(policy([0], [0]), undefined);
    assert.equal(policy([2], [0, 2]), undefined);
    assert.equal(policy([2], [0]), 'data representation');
    assert.equal(policy([0, 2], [2]), 'data representation');
    // Ours write XCDR1 and read both.
    assert.deepEqual(offered.representations, [0]);
    assert.deepEqual(requested.representations, [0, 2]);
  });

  it('does not suit a reader that validates types, which writers of ours do not announce', () => {
    assert.equal(incompatiblePolicy(offered, { ...requested, validatesTypes: true }), 'type consistency');
  });

  it('suits when they have a partition in common', () => {
    const policy = (one: string[], other: string[]) =>
      incompatiblePolicy({ ...offered, partitions: one }, { ...requested, partitions: other });
    assert.equal(policy(['a', 'b'], ['c', 'b']), undefined);
    assert.equal(policy(['a'], ['b']), 'partition');
  });

  it('is refused where a setting of ours cannot be used, and it is named', () => {
    const cases: ReadonlyArray<[string, Partial<EndpointQos>]> = [
      ['depth', { depth: 0 }],
      ['deadline', { deadline: 0 }],
      ['deadline', { deadline: Number.NaN }],
      ['livelinessLease', { livelinessLease: -1 }],
      ['lifespan', { lifespan: 0 }],
      ['ownershipStrength', { ownershipStrength: 2 ** 31 }],
      ['ownershipStrength', { ownershipStrength: 0.5 }],
      ['partitions', { partitions: Array.from({ length: 65 }, String) }],
      ['partitions', { partitions: ['é'.repeat(129)] }],
      ['partitions', { partitions: ['a\0b'] }],
    ];
    for (const [field, change] of cases)
      assert.throws(
        () => checkQos({ ...RELIABLE, ...change }),
        (error) => error instanceof QosError && error.message.startsWith(`qos.${field}: expected`),
      );
    checkQos({
      ...RELIABLE,
      deadline: Number.POSITIVE_INFINITY,
      partitions: ['a', ''],
      ownershipStrength: -1,
    });
  });
});

describe('partitions', () => {
  const cases: ReadonlyArray<[string[], string[], boolean]> = [
    [[], [], true],
    [[], [''], true],
    [[], ['a'], false],
    [['a'], ['a'], true],
    [['a'], ['A'], false],
    [['a*'], ['abc'], true],
    [['abc'], ['a*'], true],
    [['*'], [], true],
    // Two patterns never match, even the same ones.
    [['a*'], ['a*'], false],
    [['a*'], ['?'], false],
    [['x', 'a*'], ['y', 'ab'], true],
  ];
  for (const [one, other, expected] of cases)
    it(`${JSON.stringify(one)} and ${JSON.stringify(other)} ${expected ? 'have one' : 'have none'} in common`, () => {
      assert.equal(sharePartition(one, other), expected);
      assert.equal(sharePartition(other, one), expected);
    });

  const patterns: ReadonlyArray<[pattern: string, matching: string[], others: string[]]> = [
    ['', [''], ['a']],
    ['*', ['', 'a', 'a/b'], []],
    ['a*', ['a', 'ab'], ['', 'ba']],
    ['*a', ['a', 'ba', 'aa'], ['ab', '']],
    ['a*b*c', ['abc', 'axbyc', 'abbcc'], ['ab', 'acb', 'abcd']],
    ['?', ['a'], ['', 'ab']],
    ['a?c', ['abc'], ['ac', 'abbc']],
    ['[abc]', ['a', 'c'], ['d', 'ab', '']],
    ['[a-c]x', ['ax', 'bx'], ['dx', 'a']],
    ['[!a-c]', ['d'], ['a', 'b']],
    ['[]a]', [']', 'a'], ['b']],
    ['[!]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[a', ['[a'], ['a']],
    ['\\*', ['*'], ['a', '\\*']],
    ['a\\', ['a\\'], ['a']],
    ['a.b', ['a.b'], ['axb']],
  ];
  for (const [pattern, matching, others] of patterns)
    it(`takes ${JSON.stringify(pattern)} as fnmatch does`, () => {
      for (const name of matching) assert.ok(matchesPattern(name, pattern), name);
      for (const name of others) assert.ok(!matchesPattern(name, pattern), name);
    });

  it('are compared in bounded time, whatever the pattern is', () => {
    assert.ok(!matchesPattern('a'.repeat(256), `${'*a'.repeat(128)}b`));
  });
});
