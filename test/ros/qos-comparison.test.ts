import assert from 'node:assert/strict';
import { QosComparison } from '../../src/ros/qos-comparison';
import type { RosEndpoint, RosQos } from '../../src/ros/ros-backend';

const HASH = 'RIHS01_00';
const QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
const remote = (kind: RosEndpoint['kind'], change: Partial<RosEndpoint> = {}): RosEndpoint => ({
  guid: 'one',
  kind,
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  typeHash: HASH,
  qos: QOS,
  ...change,
});

describe('the comparison of QoS', () => {
  const found: RosEndpoint[] = [];
  const policies: string[] = [];

  beforeEach(() => {
    found.length = 0;
    policies.length = 0;
  });

  const compare = (kind: RosEndpoint['kind'], qos: RosQos): QosComparison =>
    new QosComparison(
      kind,
      {
        rosName: '/chatter',
        type: 'std_msgs/msg/String',
        typeHash: HASH,
        qos,
        onIncompatible: ({ policy }) => policies.push(policy),
      },
      { endpoints: (rosName) => found.filter((other) => other.rosName === rosName) },
    );

  const cases: Array<[string, string | undefined, RosQos, Partial<RosEndpoint>]> = [
    ['the same on both sides', undefined, QOS, {}],
    ['another type', 'type', QOS, { type: 'std_msgs/msg/Bool' }],
    ['another definition', 'type hash', QOS, { typeHash: 'RIHS01_11' }],
    ['no known definition', undefined, QOS, { typeHash: undefined as unknown as string }],
    ['less reliability', 'reliability', QOS, { qos: { ...QOS, reliability: 'best-effort' } }],
    ['more reliability', undefined, { ...QOS, reliability: 'best-effort' }, {}],
    ['less durability', 'durability', { ...QOS, durability: 'transient-local' }, {}],
    ['more durability', undefined, QOS, { qos: { ...QOS, durability: 'transient-local' } }],
    ['no deadline', 'deadline', { ...QOS, deadline: 100 }, {}],
    ['a shorter deadline', undefined, { ...QOS, deadline: 100 }, { qos: { ...QOS, deadline: 50 } }],
    ['a weaker liveliness', 'liveliness', { ...QOS, liveliness: 'manual-by-topic' }, {}],
    [
      'a longer lease',
      'liveliness',
      { ...QOS, livelinessLease: 10 },
      { qos: { ...QOS, livelinessLease: 20 } },
    ],
    ['another name', undefined, QOS, { rosName: '/other', type: 'std_msgs/msg/Bool' }],
  ];
  for (const [what, policy, requested, offered] of cases) {
    it(`finds ${policy ?? 'no fault'} where a publisher has ${what}`, () => {
      found.push(remote('publisher', offered));
      compare('subscription', requested).run();
      assert.deepEqual(policies, policy === undefined ? [] : [policy]);
    });
  }

  it('takes ours for the one that offers where the other subscribes', () => {
    found.push(remote('subscription'), remote('publisher', { guid: 'two', type: 'std_msgs/msg/Bool' }));
    compare('publisher', { ...QOS, reliability: 'best-effort' }).run();
    assert.deepEqual(policies, ['reliability']);
  });

  it('reports each once, as long as it stays', () => {
    const comparison = compare('subscription', QOS);
    found.push(remote('publisher', { type: 'std_msgs/msg/Bool' }));
    comparison.run();
    comparison.run();
    assert.deepEqual(policies, ['type']);
    const [other] = found.splice(0);
    comparison.run();
    found.push(other as RosEndpoint);
    comparison.run();
    assert.deepEqual(policies, ['type', 'type']);
  });
});
