import assert from 'node:assert/strict';
import type { RouteRow } from '../../src/ros/bridge-settings';
import { fillIn, namespacesOf, placeholderFault, routesOf } from '../../src/ros/domain-template';
import { listedRoutes, RouteRows } from '../../src/ros/route-rows';

const fleet = { domains: [1, 2], aliases: { anna: 1 } };

describe('what holds for each domain', () => {
  it('is filled in with the number and the alias of the domain', () => {
    assert.equal(fillIn('/{name}/robot{domain}/x', 1, fleet.aliases), '/anna/robot1/x');
    assert.equal(fillIn('/{name}/{other}/{domain}', 2, fleet.aliases), '/{name}/{other}/2');
    assert.equal(fillIn('/scan', 2, fleet.aliases), '/scan');
  });

  it('is refused where something stands for nothing', () => {
    assert.equal(placeholderFault('/scan'), undefined);
    assert.equal(placeholderFault('/{name}/x'), '"/{name}/x": {name}: the domain has no alias');
    assert.equal(placeholderFault('/{robot}'), '"/{robot}": {robot}: expected {domain} or {name}');
  });

  it('makes a route of each domain of a row without one', () => {
    const row = { rosName: '/r{domain}/scan', mqttTopic: 'fleet/{domain}/scan', type: 'T' };
    assert.deepEqual(routesOf(row, fleet), [
      { domain: 1, rosName: '/r1/scan', mqttTopic: 'fleet/1/scan', type: 'T' },
      { domain: 2, rosName: '/r2/scan', mqttTopic: 'fleet/2/scan', type: 'T' },
    ]);
    assert.deepEqual(routesOf({ ...row, domain: 2 }, fleet), [
      { domain: 2, rosName: '/r2/scan', mqttTopic: 'fleet/2/scan', type: 'T' },
    ]);
  });

  it('makes no route of a name that a row of the domain itself has', () => {
    const common = { rosName: '/scan', direction: 'both' } as const;
    const rows: RouteRow[] = [
      { ...common, type: 'all' },
      { ...common, type: 'two', domain: 2 },
      { ...common, kind: 'service', type: 'service', direction: 'mqtt-to-ros', domain: 1 },
    ];
    const listed = (of: readonly RouteRow[]) =>
      listedRoutes(of, fleet).map(({ route, row }) => [row, route.domain, route.type]);
    assert.deepEqual(listed(rows), [
      [0, 1, 'all'],
      [1, 2, 'two'],
      [2, 1, 'service'],
    ]);
    // It is not put in the place of what was removed.
    const left = new RouteRows(rows, fleet);
    left.remove({ rosName: '/scan', domain: 2 });
    assert.deepEqual(listed([...left]), [
      [0, 1, 'all'],
      [1, 1, 'service'],
    ]);
    left.remove({ rosName: '/scan' });
    assert.deepEqual(listed([...left]), [[0, 1, 'service']]);
  });

  it('keeps the order of rows that lose some of their domains, also those whose names are of each', () => {
    const row = (rosName: string, domain?: number): RouteRow => ({
      ...{ rosName, type: 'T', direction: 'both' },
      ...(domain !== undefined && { domain }),
    });
    const rows = new RouteRows([row('/robot{domain}'), row('/scan'), row('/robot1', 1)], fleet);
    const names = () => [...rows].map(({ rosName, domain }) => `${rosName} ${domain}`);
    rows.add(row('/last', 2));
    rows.remove({ rosName: '/robot1', domain: 1 });
    assert.deepEqual(names(), ['/robot2 2', '/scan undefined', '/last 2']);
    rows.remove({ rosName: '/scan', domain: 1 });
    rows.add(row('/scan', 1));
    assert.deepEqual(names(), ['/robot2 2', '/scan 2', '/last 2', '/scan 1']);
    rows.remove({ rosName: '/robot{domain}' });
    rows.remove({ rosName: '/scan' });
    rows.remove({ rosName: '/none' });
    assert.deepEqual(names(), ['/last 2']);
  });

  it('makes a namespace of each domain, and refuses one without its alias', () => {
    const row = { ros: '/robot{domain}', mqtt: '' };
    assert.deepEqual(namespacesOf([row], fleet), [
      { domain: 1, ros: '/robot1', mqtt: '' },
      { domain: 2, ros: '/robot2', mqtt: '' },
    ]);
    assert.deepEqual(namespacesOf([{ ros: '', mqtt: '{name}', domain: 1 }], fleet), [
      { domain: 1, ros: '', mqtt: 'anna' },
    ]);
    assert.throws(() => namespacesOf([{ ros: '/{name}', mqtt: '' }], fleet), {
      message: 'namespace "/{name}": {name}: the domain has no alias (domain 2)',
    });
  });
});
