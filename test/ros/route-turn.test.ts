import assert from 'node:assert/strict';
import { RouteTurn } from '../../src/ros/route-turn';

const ROOM = { take: () => true, release: () => {} };

describe('the turn of a route', () => {
  const turn = (rings: string[]) =>
    new RouteTurn(
      { way: 'mqtt-to-ros', domain: 0, topic: 'ros/0/chatter', rosName: '/chatter' },
      {
        id: 'own',
        lately: () => [],
        domain: undefined,
        held: ROOM,
        leave: (left) => left(),
        closed: () => {},
      },
      { changed: () => {}, report: (problem) => rings.push(problem) },
    );

  it('reports what cannot follow it, and goes on', () => {
    const problems: string[] = [];
    let changes = 0;
    const own = new RouteTurn(
      { way: 'mqtt-to-ros', domain: 0, topic: 'ros/0/chatter', rosName: '/chatter' },
      {
        id: 'own',
        lately: () => [],
        domain: undefined,
        held: ROOM,
        leave: (left) => left(),
        closed: () => {},
      },
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
});
