import assert from 'node:assert/strict';
import { PacketIdentifiers } from '../../src/client/packet-identifiers';

describe('packet identifiers', () => {
  it('are each given once until they are given back, and then none', () => {
    const identifiers = new PacketIdentifiers();
    const given = Array.from({ length: 65_535 }, () => identifiers.allocate());
    assert.equal(new Set(given).size, 65_535);
    assert.ok(given.every((identifier) => identifier !== null && identifier >= 1 && identifier <= 65_535));
    assert.equal(identifiers.allocate(), null);
    identifiers.deallocate(7);
    assert.equal(identifiers.allocate(), 7);
  });

  it('do not begin where another run has begun', () => {
    const first = Array.from({ length: 10 }, () => new PacketIdentifiers().allocate());
    assert.ok(new Set(first).size > 1);
  });
});
