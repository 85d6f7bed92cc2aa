import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import type { EndpointData } from '../../src/rtps/endpoint-data';
import { locatorOf } from '../../src/rtps/locator';
import { type EndpointQos, policiesOf, qosOf } from '../../src/rtps/qos';
import { Reception } from '../../src/rtps/reception';
import { Statistics } from '../../src/rtps/statistics';
import type { WriterTarget } from '../../src/rtps/writer-proxy';
import { RELIABLE, STRING } from './fixture';

/** A reader's policies, and what they made of the samples of writers. */
class Audience extends EventEmitter {
  readonly statistics = new Statistics();
  readonly reception: Reception;
  readonly asserted: string[] = [];

  constructor(qos: Partial<EndpointQos>) {
    super();
    this.reception = new Reception(policiesOf('reader', { ...RELIABLE, ...qos }), this.statistics, {
      deadlineMissed: (total) => this.emit('missed', total),
      asserted: (guid) => this.asserted.push(guid),
    });
  }

  writer(number: number, qos: Partial<EndpointQos>): WriterTarget {
    const prefix = '01fe00000000000000000001';
    const target = { prefix, entityId: number, locator: locatorOf('127.0.0.1', 1), reliable: true };
    const known = { ...target, transientLocal: false };
    this.change(known, qos);
    return known;
  }

  change(target: WriterTarget, qos: Partial<EndpointQos>): void {
    const policies = policiesOf('writer', { ...RELIABLE, ...qos });
    const data: EndpointData = {
      guid: target.prefix + target.entityId.toString(16).padStart(8, '0'),
      kind: 'writer',
      topic: 'a',
      type: STRING,
      qos: qosOf(policies, 1),
      policies,
      userData: undefined,
      locators: [],
    };
    this.reception.setWriter(target, data);
  }

  /** Whether a sample of that writer, so many milliseconds old, is delivered. */
  hears(target: WriterTarget, age = 0): boolean {
    const timestamp = BigInt(Date.now() - age) * 1_000_000n;
    const change = {
      sequence: 1,
      timestamp,
      payload: Buffer.alloc(4),
      status: 0,
      keyHash: undefined,
      related: undefined,
      annotation: undefined,
      ownsMemory: false,
    };
    return this.reception.accept(target, change) !== undefined;
  }
}

describe('what a reader makes of samples', () => {
  it('does not deliver those that are older than the lifespan their writer gives them, and counts them', () => {
    const audience = new Audience({});
    const lasting = audience.writer(1, {});
    const fleeting = audience.writer(2, { lifespan: 60_000 });
    assert.ok(audience.hears(lasting, 3_600_000));
    assert.ok(audience.hears(fleeting, 30_000));
    assert.ok(!audience.hears(fleeting, 60_001));
    assert.equal(audience.statistics.samplesExpired, 1);
    // Its clock may be ahead of ours; and some say no time.
    assert.ok(audience.hears(fleeting, -1000));
    const timeless = {
      sequence: 1,
      timestamp: undefined,
      payload: Buffer.alloc(4),
      status: 0,
      keyHash: undefined,
      related: undefined,
      annotation: undefined,
      ownsMemory: false,
    };
    assert.ok(audience.reception.accept(fleeting, timeless));
    audience.change(fleeting, {});
    assert.ok(audience.hears(fleeting, 60_001));
  });

  it('delivers what the strongest writer alive writes, of equal ones that of the lowest GUID', () => {
    const audience = new Audience({ ownership: 'exclusive' });
    const weak = audience.writer(3, { ownershipStrength: -1 });
    const strong = audience.writer(2, { ownershipStrength: 5 });
    const equal = audience.writer(1, { ownershipStrength: 5 });
    // Nobody stronger has written yet.
    assert.ok(audience.hears(weak));
    assert.ok(audience.hears(strong));
    assert.ok(!audience.hears(weak));
    assert.ok(audience.hears(equal));
    assert.ok(!audience.hears(strong));
    assert.equal(audience.statistics.samplesNotOwned, 2);
    audience.reception.removeWriter(equal);
    assert.ok(!audience.hears(equal));
    assert.ok(audience.hears(weak));
    assert.ok(audience.hears(strong));
    audience.reception.suspendWriter(strong);
    assert.ok(audience.hears(weak));
    // A writer may change its strength.
    audience.change(weak, { ownershipStrength: 6 });
    assert.ok(!audience.hears(strong));
  });

  it('delivers what all write where the topic is shared', () => {
    const audience = new Audience({});
    const writers = [1, 2].map((number) => audience.writer(number, { ownershipStrength: number }));
    for (const writer of [...writers, ...writers.reverse()]) assert.ok(audience.hears(writer));
  });

  it('tells when no sample came for a period, again and again, and hears weaker writers then', async () => {
    const audience = new Audience({ ownership: 'exclusive', deadline: 20 });
    const strong = audience.writer(1, { ownershipStrength: 1 });
    const weak = audience.writer(2, {});
    assert.ok(audience.hears(strong));
    assert.deepEqual(await once(audience, 'missed'), [1]);
    assert.deepEqual(await once(audience, 'missed'), [2]);
    assert.ok(audience.hears(weak));
    audience.reception.close();
  });

  it('tells it likewise of a writer of the same participant, when all others are gone', async () => {
    const audience = new Audience({ deadline: 20 });
    const writer = audience.writer(1, {});
    const neighbour = audience.reception.addNeighbour();
    assert.ok(audience.hears(writer));
    audience.reception.removeWriter(writer);
    assert.deepEqual(await once(audience, 'missed'), [1]);
    neighbour.wrote();
    assert.deepEqual(await once(audience, 'missed'), [2]);
    // A test that leaves a timer does not end.
    neighbour.gone();
  });

  it('shows the liveliness of writers that have a lease', () => {
    const audience = new Audience({});
    audience.hears(audience.writer(1, {}));
    assert.deepEqual(audience.asserted, []);
    audience.hears(audience.writer(2, { livelinessLease: 1000 }));
    assert.deepEqual(audience.asserted, ['01fe0000000000000000000100000002']);
  });
});
