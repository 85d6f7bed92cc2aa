import assert from 'node:assert/strict';
import { topicOptionsOf } from '../../nodes/topic-options';

describe('options of a topic from the form', () => {
  it('are none where all is left to the other side', () => {
    assert.deepEqual(topicOptionsOf({}), {});
    assert.deepEqual(
      topicOptionsOf({ reliability: '', depth: ' ', retain: '', rate: '', deadbandPath: '' }),
      {},
    );
  });

  it('are numbers where the form has text, and milliseconds where it has seconds', () => {
    const row = {
      reliability: 'best-effort',
      durability: 'transient-local',
      depth: '5',
      deadline: '0.1',
      lifespan: 2,
      mqttQos: '0',
      retain: 'no',
      rate: '0.5',
      ratePolicy: 'queue',
      deadbandPath: 'pose.position.x',
      deadbandThreshold: '0.25',
      maxSilence: '60',
    } as const;
    assert.deepEqual(topicOptionsOf(row), {
      qos: {
        reliability: 'best-effort',
        durability: 'transient-local',
        depth: 5,
        deadline: 100,
        lifespan: 2000,
        mqtt: 0,
        retain: false,
      },
      rate: { perSecond: 0.5, policy: 'queue' },
      deadband: { path: 'pose.position.x', threshold: 0.25, maxSilence: 60_000 },
    });
  });

  it('have the newest pass and every change, where nothing else is said', () => {
    assert.deepEqual(topicOptionsOf({ rate: 10, deadbandPath: 'data' }), {
      rate: { perSecond: 10, policy: 'latest' },
      deadband: { path: 'data', threshold: 0 },
    });
  });

  it('keep what is wrong for the route to refuse', () => {
    const { qos, rate, deadband } = topicOptionsOf({ depth: 'many', rate: 'x', deadbandThreshold: '1' });
    assert.deepEqual(
      [qos, rate, deadband],
      [{ depth: Number.NaN }, { perSecond: Number.NaN, policy: 'latest' }, { path: '', threshold: 1 }],
    );
  });
});
