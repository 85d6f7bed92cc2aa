import assert from 'node:assert/strict';
import { Validator } from '@seriousme/openapi-schema-validator';
import { GatewayFixture } from './gateway-fixture';

describe('the gateway', () => {
  let fixture: GatewayFixture;

  before(async () => {
    fixture = await GatewayFixture.start({ limits: { bodyBytes: 1000 } });
  });
  after(() => fixture.stop());

  it('serves a valid OpenAPI 3.1 document', async () => {
    const validator = new Validator();
    const { document } = fixture.api.contract;
    const { valid, errors } = await validator.validate(structuredClone(document) as never);
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it('says how it is', async () => {
    const { status, body, headers } = await fixture.api.get('/health');
    assert.equal(status, 200);
    assert.equal(body.status, 'ok');
    assert.equal(body.version, '1.2.3');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  for (const [method, path, status, message] of [
    ['GET', '/nothing', 404, 'there is nothing at this path'],
    ['GET', '/health/', 404, 'there is nothing at this path'],
    ['DELETE', '/health', 405, 'DELETE is not possible here, expected GET'],
    ['GET', '/health?a=1', 400, 'there is no parameter "a", expected none'],
  ] as const) {
    it(`answers ${method} ${path} with ${status}`, async () => {
      const answer = await fixture.api.call(method, path);
      assert.equal(answer.status, status);
      assert.equal(answer.body.error.message, message);
      if (status === 405) assert.equal(answer.headers.allow, 'GET');
    });
  }
});
