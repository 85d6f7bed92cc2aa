import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import { type Schema, schemaFault } from '../../src/gateway/json-schema';
import { Random } from '../random';
import { ApiFuzz } from './api-fuzz';
import { GatewayFixture } from './gateway-fixture';
import { loadFaker } from './json-faker';

const SEED = 20_260;
const CALLS = 300;

describe('the gateway against its own document', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  let fixture: GatewayFixture;

  before(async () => {
    broker = new BrokerThread({ listeners: [] });
    await broker.start();
    fixture = await GatewayFixture.start({
      sources: { embeddedBrokers: () => [{ id: 'ours', name: 'Ours', broker }] },
    });
  });
  after(async () => {
    await fixture.stop();
    await broker.stop();
  });

  it('answers any call as the document says', async () => {
    const fuzz = await ApiFuzz.create(fixture.api, new Random(SEED));
    for (let call = 0; call < CALLS; call++) await fuzz.step();
    // It got somewhere, and not only there.
    for (const status of [200, 201, 204, 400, 404]) assert.ok(fuzz.statuses.has(status), `no ${status}`);
    assert.equal((await fixture.api.get('/health')).status, 200);
  });

  it('allows and refuses the same bodies as another reader of the same schemas', async () => {
    const faker = await loadFaker();
    const { document } = fixture.api.contract;
    const random = new Random(SEED);
    const outcomes = { allowed: 0, refused: 0 };
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(methods)) {
        if (requestBody === undefined) continue;
        const { schema } = requestBody.content['application/json'];
        const keys = ['paths', path, method, 'requestBody', 'content', 'application/json', 'schema'];
        const check = fixture.api.contract.schema(...keys);
        for (let round = 0; round < 30; round++) {
          const value = faker(schema, random.next()) as object;
          const [changed] = Object.keys(value).length === 0 ? [] : [random.pick(Object.keys(value))];
          const others = [value, {}, [], null, 'text', { ...value, unknown: 1 }];
          if (changed !== undefined) {
            for (const other of [null, -1, 0.5, 1e9, '', 'x'.repeat(70_000), [], {}, true]) {
              others.push({ ...value, [changed]: other });
            }
          }
          for (const other of others) {
            const isAllowed = check(other);
            assert.equal(
              schemaFault(schema as Schema, other) === undefined,
              isAllowed,
              JSON.stringify(other)?.slice(0, 300),
            );
            outcomes[isAllowed ? 'allowed' : 'refused']++;
          }
        }
      }
    }
    assert.ok(outcomes.allowed > 100 && outcomes.refused > 1000, JSON.stringify(outcomes));
  });
});
