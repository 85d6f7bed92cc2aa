import assert from 'node:assert/strict';
import { RouteTurn, type TurnParts } from '../../src/ros/route-turn';

const PARTS: TurnParts = {
  id: 'own',
  lately: () => [],
  domain: undefined,
  held: { take: () => true, release: () => {} },
  leave: (left) => left(),
  closed: () => {},
};

describe('the turn of a route', () => {
  const turn = (rings: string[]) =>
    new RouteTurn({ way: 'mqtt-to-ros', domain: 0, topic: 'ros/0/chatter', rosName: '/chatter' }, PARTS, {
      changed: () => {},
      report: (problem) => rings.push(problem),
    });

  it('reports what cannot follow it, and goes on', () => {
    const problems: string[] = [];
    let changes = 0;
    const own = new RouteTurn(
      { way: 'mqtt-to-ros', domain: 0, topic: 'ros/0/chatter', rosName: '/chatter' },
      PARTS,
      {
        changed: () => {
          changes++;
          throw new Error('the domain is closed');
        },
        report: (problem) => problems.push(problem),
      },
    );
    const delivered: string[] = [];
    const held = { bytes: 1, deliver: () => delivered.push('held'), giveUp: () => {} };
    assert.equal(own.hold(held), true);
    own.decide(undefined);
    assert.deepEqual([own.active, delivered], [true, ['held']]);
    own.decide('a');
    assert.deepEqual(problems, Array(2).fill('/chatter: the domain is closed'));
    assert.equal(changes, 2);
    assert.equal(own.hold(held), false);
  });

  it('names a ring, and no more of it than a person reads, because anybody may have made it up', () => {
    const rings: string[] = [];
    const own = turn(rings);
    assert.equal(own.refusal(['a', 'own', 'b']), 'ring');
    assert.equal(own.refusal(['own', ...Array<string>(1000).fill('x'.repeat(65_535)), 'b']), 'ring');
    assert.equal(rings[0], '/chatter: carried in a ring over bridges own, b');
    assert.match(rings[1] ?? '', /^\/chatter: carried in a ring over bridges own, x{95}…$/);
    assert.equal(own.problem, rings[1]);
    assert.equal(rings.length, 2);
  });

  it('changes by the time of publishing, where a word tells it, and as a whole a moment later', async () => {
    const changes: Array<string | undefined> = [];
    let changed: () => void = () => {};
    let asked = 0;
    const own = new RouteTurn(
      { way: 'ros-to-mqtt', domain: 0, topic: 'ros/0/chatter', rosName: '/chatter', isTimed: true },
      { ...PARTS, domain: { sees: () => true, viaOf: () => undefined, tellTimes: () => asked++ } },
      {
        changed: () => {
          changes.push(own.standbyFor);
          changed();
        },
        report: assert.fail,
      },
    );
    const at = (time?: bigint) => own.refusal([], 'guid', time);
    own.decide('c');
    assert.equal(asked, 0);
    // It takes over from c, and a from it before that is over.
    own.decide(undefined, 1000);
    assert.deepEqual([at(999_999_999n), at(1_000_000_000n), at()], ['standby', undefined, 'standby']);
    assert.equal(own.standbyFor, 'c');
    own.decide('a', 2000);
    assert.equal(asked, 2);
    const times = [999_999_999n, 1_000_000_000n, 1_999_999_999n, 2_000_000_000n, undefined];
    assert.deepEqual(times.map(at), ['standby', undefined, undefined, 'standby', 'standby']);
    while (own.isChangingOver)
      await new Promise<void>((resolve) => {
        changed = resolve;
      });
    assert.equal(own.standbyFor, 'a');
    assert.deepEqual(times.map(at), Array(5).fill('standby'));
    assert.deepEqual(changes.slice(0, 3), ['c', 'c', 'c']);
    own.decide(undefined, 3000);
    own.close();
    assert.equal(own.isChangingOver, false);
  });

  it('changes at once beyond a bounded number of changes, which others may tell without end', () => {
    const own = turn([]);
    for (let time = 0; time < 20; time++) own.decide(time % 2 === 0 ? undefined : 'a', time);
    assert.equal(own.refusal([], 'guid', 8_500_000n), 'standby');
    own.close();
  });
});
