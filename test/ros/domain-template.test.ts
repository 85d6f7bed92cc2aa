import assert from 'node:assert/strict';
import { fillIn, namespacesOf, placeholderFault, routesOf } from '../../src/ros/domain-template';

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
