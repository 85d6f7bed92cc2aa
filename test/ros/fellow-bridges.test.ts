import assert from 'node:assert/strict';
import { FellowBridges, FellowFaults } from '../../src/ros/fellow-bridges';

describe('FellowBridges', () => {
  /** In a domain in which the first letters of GUIDs are the bridges to which they belong. */
  function inDomain() {
    let now = 0;
    const seen = new Set<string>();
    const domain = {
      bridges: () => seen,
      bridgesOf: (guid: string) => [...seen].filter((id) => guid.includes(id)),
    };
    const fellows = new FellowBridges(domain, () => now);
    let changes = 0;
    fellows.onChange(() => changes++);
    return {
      fellows,
      seen,
      look: (online: string[], isSettled = true) =>
        fellows.look(new Map(online.map((id) => [id, id])), isSettled),
      wait: (milliseconds: number) => {
        now += milliseconds;
      },
      get changes() {
        return changes;
      },
      get now() {
        return now;
      },
    };
  }

  it('are those at the broker, and nobody else who is in the domain', () => {
    const { fellows, seen, look, wait } = inDomain();
    seen.add('a').add('b');
    look(['a']);
    wait(3500);
    assert.deepEqual(
      ['a', 'b', 'ab', 'x'].map((guid) => fellows.has(guid)),
      [true, false, false, false],
    );
  });

  it('are expected at the broker when they come, and back there when they have gone', () => {
    const domain = inDomain();
    const { fellows, seen, look, wait } = domain;
    seen.add('a');
    assert.equal(fellows.has('a'), true);
    assert.equal(fellows.areOfConcern, true);
    look([]);
    assert.equal(fellows.changesAt, domain.now + 3500);
    wait(3000);
    look(['a']);
    wait(60_000);
    look([]);
    assert.deepEqual([fellows.has('a'), fellows.changesAt], [true, domain.now + 12_000]);
    wait(11_999);
    look(['a']);
    wait(60_000);
    assert.deepEqual(
      [fellows.has('a'), fellows.changesAt, domain.changes],
      [true, Number.POSITIVE_INFINITY, 0],
    );
  });

  it('are no more when they are not back in time, which is told, until they are', () => {
    const domain = inDomain();
    const { fellows, seen, look, wait } = domain;
    seen.add('a');
    look(['a']);
    look([]);
    wait(12_000);
    look([]);
    assert.deepEqual([fellows.has('a'), domain.changes], [false, 1]);
    look(['a']);
    assert.deepEqual([fellows.has('a'), domain.changes], [true, 2]);
    seen.delete('a');
    look([]);
    wait(12_000);
    look([]);
    look([]);
    assert.deepEqual([fellows.areOfConcern, fellows.changesAt], [false, Number.POSITIVE_INFINITY]);
  });

  it('stay what they are while the broker is not there', () => {
    const domain = inDomain();
    const { fellows, seen, look, wait } = domain;
    seen.add('a');
    look(['a']);
    look([], false);
    wait(60_000);
    look([], false);
    assert.deepEqual([fellows.has('a'), domain.changes], [true, 0]);
  });

  it('have faults of which nobody is told while they are fellows', () => {
    const { fellows, seen, look, wait } = inDomain();
    const faults = new FellowFaults(fellows);
    const told: string[] = [];
    const tell = (guid: string) => faults.tell(guid, () => told.push(guid));
    seen.add('a');
    look([]);
    for (const guid of ['x', 'a1', 'a2']) tell(guid);
    faults.look([{ guid: 'a1' }]);
    assert.deepEqual(told, ['x']);
    wait(3500);
    faults.look([{ guid: 'a1' }]);
    faults.look([{ guid: 'a1' }, { guid: 'a2' }]);
    assert.deepEqual(told, ['x', 'a1']);
    look(['a']);
    tell('a1');
    faults.clear();
    look([]);
    wait(12_000);
    faults.look([{ guid: 'a1' }]);
    assert.deepEqual(told, ['x', 'a1']);
  });
});
